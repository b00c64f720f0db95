"""Whose code a profile says the time was spent in: what docs/performance.md shows of a run."""

from __future__ import annotations

import cProfile
from pathlib import Path

import dns.name

import probe
from bench.where import shares
from probe.wire.page import sketch


def test_what_is_built_in_counts_for_who_called_it(tmp_path: Path) -> None:
    page = b" ".join(b"%d" % n for n in range(4000))
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(5):
        sketch(page)  # nearly all of it is in zlib, map and sorted
    profile.disable()
    dns.name.from_text("site.by")  # after the end
    profile.dump_stats(tmp_path / "profile")
    found = dict(shares(tmp_path / "profile", ours=Path(probe.__file__).parents[1]))
    assert found["zond's own code"] > 0.5
    assert not any(who.startswith("dnspython") for who in found)
    assert 0.99 < sum(found.values()) < 1.01
