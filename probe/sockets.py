"""Which local ports are this process's own, as Linux tells it (proc(5)); how many it may have."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

AT_ONCE = 16384

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


def allow_many() -> None:
    """A shell's usual limit of 1024 files would turn into failed connections."""
    try:
        import resource
    except ImportError:
        return  # a system without such limits
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = AT_ONCE if hard == resource.RLIM_INFINITY else min(AT_ONCE, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
