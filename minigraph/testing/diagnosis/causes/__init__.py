"""What a wrong gradient, or loss, can be due to: told from the user's two functions alone."""
