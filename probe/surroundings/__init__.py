"""Where a run is: the line, the network, the resolver, the clock, and whether they changed."""
