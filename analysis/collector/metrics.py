"""Counts for the operator, in Prometheus' text format; none says who asked."""

from __future__ import annotations

import shutil
from collections import Counter as Count
from typing import Literal

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import generate_latest

from analysis.collector.bodies import Room
from analysis.collector.spool import Spool, Stored

Kind = Literal["batch", "ooni"]


class Metrics:
    """What happened since the start, and what *spool*, *quarantine* and *room* hold."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self, spool: Spool, quarantine: Spool, room: Room) -> None:
        self._registry = CollectorRegistry()
        self._acknowledged = self._counter("batches_acknowledged", "Batches acknowledged", "stored")
        self._documents = self._counter(
            "ooni_documents_acknowledged", "Documents of OONI's acknowledged", "stored"
        )
        self._refused = self._counter("requests_refused", "Requests refused", "status")
        self._marks = self._counter("marks", "Marks on what was stored", "mark")
        self._set_aside = self._counter("documents_set_aside", "Documents that cannot be read")
        self._gauge("batches_held", "Records in the spool", spool.count)
        self._gauge("bytes_held", "Bytes in the spool", spool.size)
        self._gauge("quarantine_held", "Batches in the quarantine", quarantine.count)
        self._gauge("bodies", "Bodies being received", lambda: room.bodies.taken)
        self._gauge("bodies_bytes", "Bytes of bodies in memory", lambda: room.bytes.taken)
        folder = spool.segments.folder
        self._gauge("disk_free_bytes", "Of its file system", lambda: shutil.disk_usage(folder).free)
        self._gauge(
            "spool_damaged_bytes", "Bytes of the spool that were no record at the start",
            lambda: spool.damaged,
        )  # fmt: skip
        self.lately: Count[str] = Count()  # since it was last asked for, for the log

    def stored(self, stored: Stored, kind: Kind = "batch") -> None:
        (self._acknowledged if kind == "batch" else self._documents).labels(stored).inc()
        self.lately[f"{kind} {stored}"] += 1

    def noted(self, marks: list[str], set_aside: int) -> None:
        for mark in marks:
            self._marks.labels(mark).inc()
        self._set_aside.inc(set_aside)

    def refused(self, status: int) -> None:
        self._refused.labels(str(status)).inc()
        self.lately[f"refused {status}"] += 1

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"zond_{name}", about, labels, registry=self._registry)

    def _gauge(self, name: str, about: str, value: object) -> None:
        gauge = Gauge(f"zond_{name}", about, registry=self._registry)
        gauge.set_function(value)  # type: ignore[arg-type]  # a function without arguments
