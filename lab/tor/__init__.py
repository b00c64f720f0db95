"""A private Tor network of real daemons, for the country of the lab."""
