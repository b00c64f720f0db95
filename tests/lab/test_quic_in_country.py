"""QUIC in the lab with real packets: the ordinary programs against the worlds of QUIC."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.score import Result
from lab.trial import try_country, try_worlds
from lab.worlds.plan import build, names
from lab.worlds.quic import quic_dropped_for_all

pytestmark = pytest.mark.lab

WORLDS = [name for name in names("blocked", "hindered", "innocent") if "quic" in name]
WORLDS += ["h3_site", "h3_site_with_record", "h3_offered_in_vain", "sni_dropped_over_both"]


def wrong(results: tuple[Result, ...]) -> list[tuple[str, str, tuple[str, ...], str | None]]:
    return [
        (r.world, r.outcome, r.mechanisms, r.trigger)
        for r in results
        if not r.right or (r.truth.trigger and r.trigger not in r.truth.trigger)
    ]


@pytest.mark.long
def test_each_world_of_quic_is_recognised_with_its_trigger(tmp_path: Path) -> None:
    trial = try_worlds([build(name, 3) for name in WORLDS], tmp_path)
    assert trial.status == 0, trial.said
    assert [] == wrong(trial.results)


def test_a_network_without_quic_accuses_no_name(tmp_path: Path) -> None:
    trial = try_country(quic_dropped_for_all(3), tmp_path)
    assert trial.status == 0, trial.said
    found = {(r.world.partition("/")[2], r.outcome, r.mechanisms, r.trigger) for r in trial.results}
    silent = ("ok", ("quic.silence",), "protocol")
    assert found == {
        ("h3_site", *silent), ("h3_site_with_record", *silent),
        ("h3_offered_in_vain", "ok", (), None), ("plain_site", "ok", (), None),
    }
