"""What one connection may cost a server, each number with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """Seconds, bytes and counts. The defaults suit one public server on a small machine."""

    question_bytes: int  # of the body of one request
    window: float = 600.0  # seconds, after which counts of clients and their salt are forgotten

    head_seconds: float = 15.0  # for a TLS handshake, a request head, and between requests
    body_seconds: float = 10.0
    silence_seconds: float = 60.0
    connection_seconds: float = 900.0  # whatever happens on it
    unread_seconds: float = 20.0  # that a client may leave our bytes unacknowledged
    head_bytes: int = 16 * 1024
    # Open at once: of all, and of one client. Volunteers behind one carrier's NAT, or behind
    # Tor, are one client.
    connections: int = 4096
    connections_per_client: int = 256
    # Made in one window: a new one for each question at the worst, and twice as many over.
    # Requests as well, whatever they ask, before each waits its turn: an answer costs 0.4 ms
    # of a core, also one that says no, so that ten a second cost nothing.
    arrivals_per_client: int = 12_000
    turn_seconds: float = 0.1  # between requests of who has made so many
    turn_patience: float = 30.0  # who has more of them waiting than this takes is closed

    shutdown_seconds: float = 10.0
