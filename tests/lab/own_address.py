"""Loopback addresses of this process alone: parallel runs have servers at the same ports."""

from __future__ import annotations

import os


def own_address(second: int = 0) -> str:
    """One of two, by the whole process id (22 bits, proc(5)): by a part of it some would meet."""
    pid = os.getpid()
    return f"127.{64 * (1 + second) + (pid >> 16)}.{pid >> 8 & 0xFF}.{pid & 0xFF}"
