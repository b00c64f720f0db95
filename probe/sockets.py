"""Which local ports are this process's own, as Linux tells it (proc(5)); how many it may have."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

AT_ONCE = 16384
FILES = 48  # for the database, the canaries, the controls and what Python has open
FILES_A_TARGET = 16  # most at one time: its lookups, its addresses, its questions to controls

_SOCKET = re.compile(r"socket:\[(\d+)\]")


def is_ours(protocol: Literal["tcp", "udp"], port: int) -> bool:
    """Whether this process has an open socket of *protocol* at the local *port*.

    False where that cannot be known.
    """
    try:
        inodes = _open_sockets()
        return any(
            inode in inodes
            for family in (protocol, f"{protocol}6")
            for inode in _at_port(Path("/proc/self/net", family), port)
        )
    except OSError:
        return False


def _open_sockets() -> set[str]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            match = _SOCKET.fullmatch(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue  # closed meanwhile
        if match:
            found.add(match[1])
    return found


def _at_port(table: Path, port: int) -> list[str]:
    """The inodes of the sockets at *port* in *table*; 0 is nobody's any more."""
    if not table.exists():
        return []  # a system without IPv6
    rows = (line.split() for line in table.read_text().splitlines()[1:])
    ending = f":{port:04X}"
    return [row[9] for row in rows if row[1].endswith(ending) and row[9] != "0"]


def allow_many() -> int:
    """How many files this process may have open, after it has asked for as many as it may.

    A shell's usual limit of 1024 would turn into failed connections.
    """
    try:
        import resource
    except ImportError:
        return AT_ONCE  # a system without such limits
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = AT_ONCE if hard == resource.RLIM_INFINITY else min(AT_ONCE, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return AT_ONCE if soft == resource.RLIM_INFINITY else soft


def at_once(wanted: int, files: int) -> int:
    """How many of *wanted* targets may be open with so many *files*; 0: not even one."""
    return min(wanted, (files - FILES) // FILES_A_TARGET) if files >= FILES else 0
