"""What is wrong with a training step: its rate and momentum are inferred, then it is compared."""
