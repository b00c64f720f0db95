"""Writing measurements to a file of their own.

Rule: a file is whole or not there, and nothing that exists is written over: what was
measured on another day may be the only copy of it. Only its owner can read it, since it
says what somebody looked at.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from probe.evidence import Measurement
from probe.formats import pcap
from probe.store import Store

STDOUT = Path("-")


class ExportError(Exception):
    """Nothing was written. The message is one line for the user."""


def export_packets(store: Store, out: Path) -> int:
    """Write the packets that *store* holds to *out* (``-``: stdout); how many there were.

    Raises `ExportError` where there are none or *out* cannot be written, and
    `probe.store.StoreError`.
    """
    try:
        if out == STDOUT:
            return _write(store, os.dup(sys.stdout.fileno()))
        if out.exists():
            raise ExportError(f"{out} is there already, and is not written over")
        unfinished = out.with_name(f".{out.name}.{os.getpid()}")
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            count = _write(store, file)
            os.replace(unfinished, out)
        finally:
            unfinished.unlink(missing_ok=True)
        return count
    except OSError as exc:
        raise ExportError(f"{out}: {exc.strerror or exc}") from exc


def _write(store: Store, file: int) -> int:
    """Write to *file*, and close it."""
    count = 0
    with os.fdopen(file, "wb") as stream:
        for measurement in _all(store):
            for packet in pcap.records(measurement):
                stream.write(packet if count else pcap.HEADER + packet)
                count += 1
    if not count:
        raise ExportError(f"{store.path} holds no captured packets")
    return count


def _all(store: Store) -> Iterator[Measurement]:
    """Each measurement, and what followed it up."""
    for measurement in store.measurements():
        yield measurement
        yield from store.follow_ups(measurement.id)
