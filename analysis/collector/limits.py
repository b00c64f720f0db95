"""What the collector lets strangers make it do, each number with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from probe.formats.batch import MAX_PACKED, PADDING
from probe.serving.limits import ConnectionLimits


@dataclass(frozen=True, kw_only=True)
class Limits(ConnectionLimits):
    """Seconds, bytes and counts, beside those of a connection."""

    question_bytes: int = MAX_PACKED + 2 * PADDING + 2048  # a sealed batch at its largest
    document_bytes: int = 4 * 2**20  # one of OONI's; the largest known is under 1 MB

    # A body may take this long, and this long for each of its bytes: 2 kB/s is a slow mobile
    # line, or Tor. Who sends slower holds a place that others need.
    body_seconds: float = 60.0
    body_rate: float = 2000.0

    # Bytes of bodies that have come and are not stored yet, of all clients together.
    bodies_bytes: int = 96 * 2**20
    waiting: int = 1024  # batches being received or waiting for their turn
    in_flight_per_client: int = 128  # Tor's exits and carriers' NATs are one client
    # Volunteers behind one carrier's NAT, or behind Tor, count as one client.
    batches_per_client: int = 600
    bytes_per_client: int = 2**30
    # A run of the whole list is one batch or two; one key signs one network's month, which a
    # probe that had no way out for so long sends at once.
    batches_per_key: int = 240
    bytes_per_key: int = 128 * 2**20
    documents_per_client: int = 6000  # of OONI's, which come one by one
    questions_per_client: int = 600  # of its other calls

    # Days that the clock of an honest probe may be ahead, and months it may have been
    # without a way out.
    days_ahead: float = 2.0
    months_late: int = 24

    # What cannot be read is kept for a while; beyond this it is refused only.
    quarantine_bytes: int = 2**30
