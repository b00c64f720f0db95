"""The commands of the terminal: a module for each, and what they share."""
