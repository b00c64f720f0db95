"""In which countries a network has addresses, for the mark ``network_not_of_country``.

The table is made once from a database of addresses (`write`), since walking through it takes
half a minute; a collector without the table does not set that mark.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import maxminddb
import msgspec

from analysis.collector.notes import Mark
from probe.asn import address_info
from probe.formats.batch import Header

NAME = "networks.json"


class Networks:
    """The table in the file *path*; empty where there is none. Raises `OSError`,
    `msgspec.MsgspecError`."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes() if path.exists() else b"{}"
        self._countries = msgspec.json.decode(data, type=dict[int, str])

    def __bool__(self) -> bool:
        return bool(self._countries)

    def marks(self, header: Header) -> list[Mark]:
        """An AS that the table does not know, and a country that the probe does not, say nothing:
        networks are new every day."""
        known = self._countries.get(header.probe_asn, "")
        if not known or header.probe_cc == "ZZ" or header.probe_cc in known.split():
            return []
        where = f"AS{header.probe_asn} is of {known[:60]}"
        return [Mark(mark="network_not_of_country", detail=where)]


def write(database: Path, path: Path) -> int:
    """Make the table at *path* from a MaxMind *database*; how many networks it has.

    Raises `OSError`, `maxminddb.InvalidDatabaseError`.
    """
    found: defaultdict[int, set[str]] = defaultdict(set)
    with maxminddb.open_database(database, maxminddb.MODE_MEMORY) as reader:
        for _, row in reader:
            if isinstance(row, dict):
                info = address_info(row)
                if info.asn and info.cc != "ZZ":
                    found[info.asn].add(info.cc)
    table = {asn: " ".join(sorted(codes)) for asn, codes in sorted(found.items())}
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(msgspec.json.encode(table))
    os.replace(unfinished, path)
    return len(table)
