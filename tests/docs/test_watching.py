"""What the benches read of a process is its own, and not that of whoever started it."""

from __future__ import annotations

import subprocess
import sys

from bench.watching import size, watch

HOLDS = 40_000_000  # bytes
HOLDING = f"import time; held = b'x' * {HOLDS}; time.sleep(3)"


def test_a_peak_is_of_the_process_that_is_watched() -> None:
    ballast = b"x" * (4 * HOLDS)
    assert size().peak > len(ballast)
    process = subprocess.Popen([sys.executable, "-c", HOLDING])
    found = watch(process.pid)
    process.returncode = found.status
    assert 0 == found.status
    assert HOLDS < found.own <= found.peak < len(ballast)
    assert found.files >= 3
