"""What a process takes while it runs: memory, processor, files. Read from proc(5), in one way.

Rule: the peak is that which the kernel keeps for the process itself (VmHWM). The one of wait(2)
and getrusage(2) begins with what the process that started it held, a bench of 200 MB as well.
"""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

Pid = int | Literal["self"]


class Size(NamedTuple):
    """Memory in bytes: the most that was resident, what is resident now, and what of that no
    other process and no file shares (anonymous memory)."""

    peak: int
    resident: int
    own: int


class Watched(NamedTuple):
    """A process that has ended. *peak* and *own*: the most of each (bytes), *files*: the most
    it had open, *status* as of wait(2), *used* for its seconds of the processor."""

    peak: int
    own: int
    files: int
    status: int
    used: resource.struct_rusage


def size(pid: Pid = "self") -> Size:
    """Raises ProcessLookupError where *pid* has ended."""
    try:
        return size_in(Path(f"/proc/{pid}/status").read_text())
    except (FileNotFoundError, KeyError) as exc:  # gone, or nobody has waited for it yet
        raise ProcessLookupError(f"process {pid} has ended") from exc


def size_in(status: str) -> Size:
    """Out of what /proc/PID/status said. Raises KeyError where the process had ended."""
    found = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return Size(*(int(found[name].split()[0]) * 1024 for name in ("VmHWM", "VmRSS", "RssAnon")))


def processor(pid: Pid) -> float:
    """Seconds of the processor that *pid* has used. Raises ProcessLookupError."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError as exc:
        raise ProcessLookupError(f"process {pid} has ended") from exc
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(pid: int) -> Watched:
    """Wait for the child *pid*, looking ten times a second."""
    peak = own = files = 0
    while True:
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            return Watched(peak, own, files, status, used)
        with suppress(ProcessLookupError):
            now = size(pid)
            peak, own = max(peak, now.peak), max(own, now.own)
            files = max(files, len(os.listdir(f"/proc/{pid}/fd")))
        time.sleep(0.1)
