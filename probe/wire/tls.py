"""TLS records as they came, before any library reads them."""

from __future__ import annotations

ALERT = 21  # record type, RFC 8446 section 5.1
HANDSHAKE = 22


def plaintext_alert(received: bytes) -> int | None:
    """The number of the first unencrypted alert among the records *received*, or None.

    Alerts that come before the server's keys are in force are plain in every
    version of TLS (RFC 8446, section 6), and those are the ones that middleboxes send.
    """
    at = 0
    while at + 5 <= len(received):
        kind, size = received[at], int.from_bytes(received[at + 3 : at + 5])
        if kind not in (ALERT, HANDSHAKE):
            return None
        if kind == ALERT:
            return received[at + 6] if size == 2 and at + 7 <= len(received) else None
        at += 5 + size
    return None


def looks_like_tls(received: bytes) -> bool:
    """Whether *received* begins like a TLS record (any content type, version 3.x)."""
    return len(received) >= 3 and 20 <= received[0] <= 24 and received[1] == 3
