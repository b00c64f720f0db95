"""Tor: what a relay says, by what it is proved, which there are, and how the client comes up."""
