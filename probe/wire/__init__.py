"""Bytes to facts and back: no trio, no sockets, no clock."""
