"""The bench is fair: the peer's detector finds what it is made to find, and nothing is lost."""

from __future__ import annotations

from functools import cache

from bench.months import peer
from bench.months_report import Run, report
from lab.months.noise import QUIET
from lab.months.probes import Crowd
from lab.months.score import Score, score
from lab.months.simulate import History, Setting, simulate

CROWD = Crowd(hourly=((4, 1),), six_hourly=0, evenings=0, weekly=0, abroad=1, faulty=0.0)


@cache
def scored() -> tuple[History, Score]:
    setting = Setting(days=24, targets=8, homes=4, crowd=CROWD, noise=QUIET, before=False,
                      stories=("gateway_block", "geofence"))  # fmt: skip
    history = simulate(setting, 12, use="tuning")
    return history, score(history, peer(history.rows(), history.networks), "peer")


def test_the_peer_finds_a_block_that_is_measured_hourly_on_each_network() -> None:
    blocked = next(r for r in scored()[1].results if r.event.kind == "blocking")
    assert len({p.asn for p in blocked.event.parts if p.shown}) == len(blocked.found)


def test_the_peer_accuses_nobody_of_a_fence() -> None:
    assert not scored()[1].matched.misnamed
    assert not scored()[1].matched.false


def test_the_report_names_what_was_not_found() -> None:
    history, of_peer = scored()
    run = Run(setting="usual", detector="ours", score=of_peer, seconds=1.0, rows=8,
              begin=history.begin)  # fmt: skip
    text = report([run])
    assert "*site refuses the country* not found" in text
    assert "| found | 1 of 2 |" in text
