"""The report: what was found, as pages for people who do not read JSON."""
