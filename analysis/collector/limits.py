"""What the collector lets strangers make it do, each number with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from probe.formats.batch import MAX_PACKED, PADDING
from probe.serving.limits import ConnectionLimits


@dataclass(frozen=True, kw_only=True)
class Limits(ConnectionLimits):
    """Seconds, bytes and counts, beside those of a connection."""

    question_bytes: int = MAX_PACKED + 2 * PADDING + 2048  # a sealed batch at its largest
    body_seconds: float = 120.0  # a batch over a slow mobile line, or over Tor

    # Opening a batch takes its text and its compressed form: up to 40 MB, most 1 MB.
    in_flight: int = 8
    waiting: int = 128  # batches being received or waiting for their turn
    in_flight_per_client: int = 8
    # Volunteers behind one carrier's NAT, or behind Tor, count as one client.
    batches_per_client: int = 600
    # A run of the whole list is one batch or two; one key signs one network's month.
    batches_per_key: int = 60

    # Days that the clock of an honest probe may be ahead, and months it may have been
    # without a way out.
    days_ahead: float = 2.0
    months_late: int = 24
