"""Hand-written forward and backward passes that are right, as a student would write them."""
