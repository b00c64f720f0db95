"""Documents that leave or arrive. Pure."""
