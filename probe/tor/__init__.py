"""Tor: what a relay says, by what it is proved, and which relays there are."""
