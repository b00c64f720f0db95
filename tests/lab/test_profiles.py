"""The operators of the dossier, each as its customer sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.fingerprints import known
from lab.score import cells_table
from lab.trial import try_profile
from lab.worlds.plan import build, names
from lab.worlds.profiles import PROFILES

# Packets tell these; without the right to capture they stay unsaid.
PACKETS = {"business_network/reset", "tor_2016/relay_port"}


def test_every_world_of_an_operator_belongs_to_one_profile() -> None:
    assert sorted(names("profile")) == sorted(w for p in PROFILES.values() for w in p.worlds)


def test_expected_fingerprints_are_known_ones_of_that_operator() -> None:
    scopes: dict[str, str] = {}
    for fingerprint in known():
        scopes[fingerprint.id] = scopes.get(fingerprint.id, "") + " " + fingerprint.scope
    operators = {
        "beltelecom": "AS6697", "a1": "AS42772", "mts": "AS25106", "business_network": "AS12406",
        "tor_2016": "AS6697",
    }  # fmt: skip
    seen: set[str] = set()
    for name, profile in PROFILES.items():
        for world in map(build, profile.worlds):
            for group in world.truth.fingerprints:
                seen |= group
                assert all(operators[name] in scopes[i] or scopes[i] == " any" for i in group)
    assert {f"F{n:02}" for n in (1, 5, 7, 8, 9, 11, 12, 13, 14, 15)} <= seen


@pytest.mark.lab
@pytest.mark.long
@pytest.mark.parametrize("name", PROFILES)
def test_an_operator_is_recognised(name: str, tmp_path: Path) -> None:
    trial = try_profile(PROFILES[name], tmp_path, seed=2)
    print(cells_table(trial.results))
    assert trial.status == 0, trial.said
    assert [] == [r.world for r in trial.results if not r.right]
    marks = {(r.world, axis): r.mark(axis) for r in trial.results for axis in ("trigger", "hop")}
    marks |= {(r.world, "fingerprints"): r.mark("fingerprints") for r in trial.results}
    assert [] == [where for where, mark in marks.items() if mark == "wrong"]
    unsaid = {r.world for r in trial.results if r.mark("fingerprints") == "not said"}
    assert unsaid <= PACKETS
