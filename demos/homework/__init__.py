"""The homework: a multi-layer perceptron derived by hand, and the numbers it printed."""
