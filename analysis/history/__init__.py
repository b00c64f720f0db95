"""What many verdicts say together: counts, changes, events, and over which networks."""
