"""The control vantage point: protocol, client, server."""
