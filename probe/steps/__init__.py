"""One coroutine per operation: a codec joined to the door."""
