"""Say what it means: observations, rules, verdicts."""
