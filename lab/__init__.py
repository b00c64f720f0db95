"""A country on one machine to try the probe in."""
