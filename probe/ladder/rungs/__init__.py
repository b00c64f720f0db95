"""The rungs, each a question. Adding a definition here is all it takes."""
