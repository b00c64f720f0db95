"""A program whose clock is wrong: libfaketime, loaded before its libraries."""

from __future__ import annotations

LIBRARY = "/usr/$LIB/faketime/libfaketime.so.1"
"""What is to be preloaded; the loader itself puts this machine's folder for ``$LIB``."""


def wrong_clock(time: str) -> list[str]:
    """Words to put before a command, that have its clock show *time*: ``+90d`` and ``-3600s`` are
    ahead of the true one and behind it, ``@2001-01-01 00:00:00`` begins at that moment.

    Not by the ``faketime`` command: killed, it leaves files in ``/dev/shm`` that are named by the
    process's number, and a later process that is given the same number will not start. The
    library alone leaves them as well, and does without where it finds another's (0.9.10).
    """
    return ["env", f"LD_PRELOAD={LIBRARY}", f"FAKETIME={time}"]
