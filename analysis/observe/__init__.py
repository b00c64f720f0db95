"""From evidence to facts, by pure functions: one module for each kind of question."""
