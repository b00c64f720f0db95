"""Counts for the operator, in Prometheus' text format; none says who asked."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import generate_latest

from analysis.collector.spool import Spool, Stored


class Metrics:
    """What happened since the start, and what *spool* holds."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self, spool: Spool) -> None:
        self._registry = CollectorRegistry()
        self._stored = Counter(
            "zond_batches_acknowledged", "Batches acknowledged", ["stored"],
            registry=self._registry,
        )  # fmt: skip
        self._refused = Counter(
            "zond_requests_refused", "Requests refused", ["status"], registry=self._registry
        )
        held = Gauge("zond_batches_held", "Batches in the spool", registry=self._registry)
        held.set_function(spool.count)
        damaged = Gauge(
            "zond_spool_damaged_bytes", "Bytes of the spool that were no record at the start",
            registry=self._registry,
        )  # fmt: skip
        damaged.set(spool.damaged)

    def stored(self, stored: Stored) -> None:
        self._stored.labels(stored=stored).inc()

    def refused(self, status: int) -> None:
        self._refused.labels(status=str(status)).inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)
