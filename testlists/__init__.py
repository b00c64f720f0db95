"""What to measure: targets, and the lists they come from."""
