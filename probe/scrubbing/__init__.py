"""What leaves this machine, field by field, and how whose it is gets taken out of it."""
