"""Cells of the matrix: what each claims of itself, and a sample of them measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from bench.matrix import sample
from lab.middlebox import Middlebox
from lab.score import axes_table, cells_table, summary, wrong
from lab.stage import Setting
from lab.trial import HURRY, try_worlds
from lab.world import Wire
from lab.worlds.cells import HOPS
from lab.worlds.matrix import CELLS
from lab.worlds.plan import build

SAMPLE, SEED = 24, 11
# Transfers to be timed, and residues that outlast a wait for an answer, take minutes: those
# cells are left to the bench, and have tests of their own elsewhere.
QUICK = [
    name
    for name, cell in CELLS.items()
    if cell.layer != "throttle" and not (cell.residual and cell.action == "drop")
]


def test_every_cell_sits_at_its_hop_and_says_so() -> None:
    for name, cell in CELLS.items():
        world = build(name, 3)
        assert set(HOPS[cell.hop]) == set(world.censors), name
        if cell.layer != "throttle":
            assert cell.hop == world.truth.hop, name
            assert frozenset({cell.position}) == world.truth.position, name


def test_every_layer_is_tried_at_each_hop_in_the_path_and_beside_it() -> None:
    tried = {(cell.layer, cell.hop, cell.position) for cell in CELLS.values()}
    for layer in {cell.layer for cell in CELLS.values()}:
        assert {(layer, hop, "in-path") for hop in HOPS} <= tried
        if layer != "throttle":  # who slows a packet down must have it in hand
            assert {(layer, hop, "on-path") for hop in HOPS} <= tried


def test_where_the_controls_pass_as_well_the_household_alone_is_meant() -> None:
    for name, cell in CELLS.items():
        if cell.hop == 4:
            for make in build(name).censors[Wire.HOSTING]:
                box = make()
                assert isinstance(box, Middlebox)
                assert all(getattr(rule, "clients", ()) for rule in box.rules), name


def test_a_cell_beside_the_path_keeps_nothing_back() -> None:
    for name, cell in CELLS.items():
        if cell.position == "on-path":
            for make in build(name).censors[HOPS[cell.hop][0]]:
                box = make()
                assert isinstance(box, Middlebox)
                assert not any(getattr(rule, "drop_original", False) for rule in box.rules), name
                assert not any(getattr(rule, "mutes", False) for rule in box.rules), name


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    names = list(CELLS)
    assert sample(names, 24, 1) == sample(names, 24, 1) != sample(names, 24, 2)
    assert 24 == len(sample(names, 24, 1)) == len(set(sample(names, 24, 1)))


@pytest.mark.lab
@pytest.mark.long
def test_a_sample_of_the_cells_is_judged_as_it_is(tmp_path: Path) -> None:
    names = sample(QUICK, SAMPLE, SEED)
    worlds = [build(name, SEED) for name in names]
    trial = try_worlds(worlds, tmp_path, Setting(seed=SEED, config=HURRY, icmp_ratelimit=0))
    Console(width=150).print(wrong(trial.results))
    print(summary(trial.results), axes_table(trial.results), cells_table(trial.results), sep="\n")
    assert trial.status == 0, trial.said
    assert [] == [r.world for r in trial.results if not r.right]
    for axis in ("trigger", "hop", "position", "residual"):
        assert [] == [r.world for r in trial.results if r.mark(axis) == "wrong"], axis
