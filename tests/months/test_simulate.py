"""The months that are simulated: rows as real verdicts give them, and a truth that fits them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from analysis.history.rows import arrow_schema
from analysis.history.table import VerdictRow
from lab.months.noise import QUIET
from lab.months.probes import Crowd
from lab.months.shapes import SHAPES, judged
from lab.months.simulate import ALL_STORIES, History, Setting, simulate

SMALL = Setting(
    days=30, targets=16, homes=6, stories=("list_block", "gateway_block", "ddos", "outage"),
    crowd=Crowd(hourly=((2, 2), (4, 1)), six_hourly=1, evenings=2, weekly=1, abroad=2),
)  # fmt: skip


@cache
def history(setting: Setting = SMALL, seed: int = 4) -> History:
    return simulate(setting, seed, use="tuning")


def test_seeds_for_tuning_and_for_scoring_cannot_be_mixed_up() -> None:
    with pytest.raises(ValueError, match="not for scoring"):
        simulate(SMALL, 4, use="scoring")
    with pytest.raises(ValueError, match="not for tuning"):
        simulate(SMALL, 5, use="tuning")


def test_the_same_seed_gives_the_same_months_and_another_gives_others() -> None:
    again = simulate(SMALL, 4, use="tuning")
    assert history().table.equals(again.table)
    assert history().events == again.events
    assert not history().table.equals(simulate(SMALL, 6, use="tuning").table)


def test_rows_have_the_columns_of_the_verdict_table() -> None:
    assert arrow_schema(VerdictRow) == history().table.schema


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_shape_is_a_verdict_of_the_real_rules(shape: str) -> None:
    found = judged().verdicts[int(judged().first[judged().index(shape)])]
    assert shape.split(":")[0] in (found.outcome, *found.mechanisms)


def test_without_noise_what_is_accused_is_what_the_script_says() -> None:
    quiet = history(replace(SMALL, noise=QUIET, stories=("list_block",)))
    blocked = {
        (row["host"], row["probe_asn"])
        for row in quiet.table.to_pylist() if row["outcome"] == "blocked"
    }  # fmt: skip
    scripted = {(p.host, p.asn) for e in quiet.events for p in e.parts}
    standing = {host for e in quiet.events if not e.counted for host in e.targets}
    assert scripted
    assert {cell for cell in blocked if cell[0] not in standing} <= scripted


def test_no_row_shows_an_event_outside_its_time() -> None:
    quiet = history(replace(SMALL, noise=QUIET, before=False, stories=("gateway_block",)))
    (event,) = quiet.events
    rows = [r for r in quiet.table.to_pylist() if r["outcome"] == "blocked"]
    assert event.shown >= 3
    right = [p.id for p in quiet.probes if p.fault not in ("clock", "boot_clock")]
    assert all(
        event.onset <= r["measured_at"] < event.lift for r in rows if r["probe_id"] in right
    )


def test_a_row_arrives_after_it_was_made() -> None:
    right = {p.id for p in history().probes if p.fault not in ("clock", "boot_clock")}
    made = history().table["measured_at"].to_numpy()
    known = np.array([p in right for p in history().table["probe_id"].to_pylist()])
    assert (history().arrived[known] > made[known]).all()


def test_what_had_arrived_by_a_time_is_less_than_all() -> None:
    half = (history().begin + history().end) / 2
    early = history().until(half).count().to_pyarrow().as_py()
    assert 0 < early < history().table.num_rows


def test_every_story_happens_and_is_shown() -> None:
    crowd = Crowd(hourly=((3, 3), (11, 1)), six_hourly=0, evenings=0, weekly=0, abroad=2)
    setting = Setting(days=40, targets=80, homes=14, crowd=crowd, stories=tuple(ALL_STORIES),
                      noise=QUIET, before=False)  # fmt: skip
    events = simulate(setting, 8, use="tuning").events
    assert len(ALL_STORIES) == len({e.story for e in events})
    shown = {e.story for e in events if e.shown}
    assert set() == {e.story for e in events if e.targets} - shown


def test_no_tunnel_helps_on_a_line_that_is_gone() -> None:
    crowd = Crowd(hourly=((3, 3),), six_hourly=0, evenings=0, weekly=0, abroad=0, faulty=1.0)
    setting = Setting(days=21, targets=6, homes=3, crowd=crowd, noise=QUIET, before=False,
                      stories=("outage",))  # fmt: skip
    tunnels = 0
    for seed in range(0, 24, 2):
        months = simulate(setting, seed, use="tuning")
        (event,) = months.events
        used = {p.id for p in months.probes if p.fault == "vpn" and p.asn in event.networks}
        tunnels += len(used)
        during = [
            row["outcome"] for row in months.table.to_pylist()
            if row["probe_id"] in used and event.onset <= row["measured_at"] < event.lift
        ]  # fmt: skip
        assert {"local_fault"} >= set(during)
    assert tunnels
