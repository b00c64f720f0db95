"""What works on this machine and network, what does not, and what to do about it."""
