"""Throttled by name and by address, with real packets; and slow without anybody's doing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.score import Result, summary, wrong
from lab.stage import Setting
from lab.trial import HURRY, try_worlds
from lab.world import Wire
from lab.worlds.plan import build, names
from lab.worlds.throttled import LINES
from probe.evidence import PROBE, Measurement, Transfer
from probe.store import Store

pytestmark = [pytest.mark.lab, pytest.mark.timed]

OONI = ("throttlingWithHTTP", "throttlingWithHTTPS")


def check(results: tuple[Result, ...], said: str) -> None:
    assert "lost to bugs" not in said, said
    assert [] == [r.world for r in results if not r.right], (summary(results), wrong(results))


def follow_ups(db: Path) -> list[Measurement]:
    with Store(db) as store:
        plain = [m for run in store.runs() for m in store.measurements(run.id)]
        return [f for m in plain for f in store.follow_ups(m.id)]


def test_throttled_worlds_and_slow_ones_are_told_apart(tmp_path: Path) -> None:
    worlds = [build(name, 1) for name in (*names("throttled", "unhurried"), *OONI)]
    trial = try_worlds(worlds, tmp_path)
    check(trial.results, trial.said)
    said = {r.world: r.rules for r in trial.results}
    by_name = {name for name, rules in said.items() if "trigger_slow_name" in rules}
    by_address = {name for name, rules in said.items() if "trigger_slow_address" in rules}
    assert {n for n in names("throttled") if n.startswith(("name", "host"))} <= by_name
    assert {n for n in names("throttled") if n.startswith("address")} <= by_address
    assert ("throttlingWithHTTPS" in by_name, "throttlingWithHTTP" in by_address) == (True, True)
    timed = [f for f in follow_ups(tmp_path / "zond.db") if f.comparison["accused"] == "slow"]
    for follow_up in timed:
        mine = [e for e in follow_up.evidence if isinstance(e, Transfer) and e.vantage == PROBE]
        assert sum(e.received for e in mine) < 2 * 1024 * 1024
        assert any(e.rtt is not None and e.retransmits is not None for e in mine)


@pytest.mark.parametrize("line", ["slow line with loss", "bad wireless"])
def test_on_a_bad_line_nobody_is_accused_of_throttling(line: str, tmp_path: Path) -> None:
    usual = ("http_only_site", "https_only_site", "big_page", "compressed_page", "domestic_site")
    worlds = [build(name, 2) for name in (*names("unhurried"), *usual)]
    setting = Setting(config=HURRY, wires={Wire.LINE: LINES[line]})
    trial = try_worlds(worlds, tmp_path, setting, concurrency=10)
    assert [] == [r.world for r in trial.results if "throttled" in r.mechanisms]
    assert [] == [r.world for r in trial.results if r.false_alarm]
    assert any(f.comparison["accused"] == "slow" for f in follow_ups(tmp_path / "zond.db"))
