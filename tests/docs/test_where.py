"""Whose code a profile says the time was spent in: what docs/performance.md shows of a run."""

from __future__ import annotations

import cProfile
import time
import zlib
from pathlib import Path

import dns.name

from bench.where import shares


def hashes(page: bytes) -> list[int]:
    """Nearly all of it is in zlib, map and sorted."""
    return sorted(map(zlib.crc32, page.split()))


def test_what_is_built_in_counts_for_who_called_it(tmp_path: Path) -> None:
    page = b" ".join(b"%d" % n for n in range(40_000))
    profile = cProfile.Profile(time.thread_time)  # what others have of the processor is not ours
    profile.enable()
    for _ in range(5):
        hashes(page)
    profile.disable()
    dns.name.from_text("site.by")  # after the end
    profile.dump_stats(tmp_path / "profile")
    found = dict(shares(tmp_path / "profile", ours=Path(__file__).parent))
    assert found["zond's own code"] > 0.5
    assert not any(who.startswith("dnspython") for who in found)
    assert 0.99 < sum(found.values()) < 1.01
