"""The mistakes, by the program that they are made in."""
