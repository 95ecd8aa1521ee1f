"""What a wrong gradient can be due to: the rule of the user's graph that gives it when changed."""
