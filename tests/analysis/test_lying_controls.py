"""One control of two that says what is not so accuses nobody, and hides no block."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from analysis.observe.derive import observe
from analysis.observe.over_run import FEWEST, over_run
from analysis.verdict import judge
from probe.evidence import PROBE
from probe.failure import Failure
from tests.analysis.build import Scene, site

NX = Failure.DNS_NXDOMAIN
HONEST, LIAR = "one", "two"


def outcome(scene: Scene) -> str:
    return judge([observe(scene.measurement(), scene.run, [])])[0].outcome


def _connection_fails(how: str, failure: Failure) -> Scene:
    scene = site().visit(by=(LIAR,))
    return scene.connect(by=(PROBE, HONEST), **{how: failure})  # type: ignore[arg-type]


def _no_such_name() -> Scene:
    scene = Scene().names(own=NX, public=NX, encrypted=NX).control_names(HONEST, says=NX)
    return scene.control_names(LIAR).asked(HONEST, LIAR).visit(by=(LIAR,))


def _another_certificate() -> Scene:
    scene = site().connect(by=(PROBE, HONEST), bad=Failure.TLS_INVALID_HOSTNAME)
    return scene.connect(by=(LIAR,), leaf="another").page(by=(LIAR,))


DOWN: dict[str, Callable[[], Scene]] = {
    "tls reset": lambda: _connection_fails("tls", Failure.CONNECTION_RESET),
    "tls closed": lambda: _connection_fails("tls", Failure.EOF),
    "tls alert": lambda: _connection_fails("tls", Failure.TLS_FAILED_HANDSHAKE),
    "tcp silence": lambda: _connection_fails("tcp", Failure.TIMEOUT),
    "certificate": lambda: _connection_fails("bad", Failure.TLS_UNKNOWN_AUTHORITY),
    "another certificate": _another_certificate,
    "no such name": _no_such_name,
}


@pytest.mark.parametrize("how", DOWN)
def test_who_says_that_a_dead_site_is_well_accuses_nobody(how: str) -> None:
    assert outcome(DOWN[how]()) != "blocked"


@pytest.mark.parametrize("how", DOWN)
def test_who_says_so_alone_accuses_nobody_either(how: str) -> None:
    verdict = DOWN[how]().without(HONEST).asked(silent=(HONEST,)).verdict()
    assert verdict.outcome != "blocked"
    assert () == verdict.mechanisms


@pytest.mark.parametrize("how", ["tls reset", "tls closed", "tls alert", "another certificate"])
def test_nor_beside_one_that_a_flaky_site_shuts_out_earlier(how: str) -> None:
    scene = DOWN[how]().without(HONEST).asked(HONEST).control_names(HONEST)
    verdict = scene.connect(by=(HONEST,), tcp=Failure.TIMEOUT).verdict()
    assert verdict.outcome != "blocked"
    assert () == verdict.mechanisms


def test_two_that_agree_outweigh_one_that_says_the_site_is_dead() -> None:
    scene = site(controls=("one", "two", "three")).visit(by=("one", "two"))
    scene.connect(by=(PROBE, "three"), tls=Failure.CONNECTION_RESET, holds=True)
    assert "blocked" == outcome(scene)


def test_who_says_that_a_blocked_site_is_dead_leaves_it_undecided() -> None:
    scene = site().visit(by=(HONEST,))
    scene.connect(by=(PROBE, LIAR), tls=Failure.CONNECTION_RESET, holds=True)
    assert "inconclusive" == outcome(scene)


@pytest.mark.parametrize("how", ["reset", "forged"])
def test_one_beside_whom_the_other_comes_no_further_leaves_it_undecided(how: str) -> None:
    scene = site().visit(by=(HONEST,)).connect(by=(LIAR,), tcp=Failure.TIMEOUT)
    if how == "reset":
        scene.connect(tls=Failure.CONNECTION_RESET, holds=True)
    else:
        scene.connect(bad=Failure.TLS_UNKNOWN_AUTHORITY, leaf="another")
    assert "inconclusive" == outcome(scene)
    scene.asked("three").control_names("three").visit(by=("three",))
    assert "blocked" == outcome(scene)


def test_who_alone_reaches_what_is_down_is_named() -> None:
    scenes = [DOWN["tls closed"]() for _ in range(FEWEST)]
    (said,) = over_run(scene.measurement() for scene in scenes).doubts()
    assert said.startswith(f"{LIAR} alone reached {FEWEST} sites")


def test_who_finds_down_what_others_reach_is_named() -> None:
    scenes = [
        site().visit(by=(PROBE, HONEST)).connect(by=(LIAR,), tcp=Failure.TIMEOUT)
        for _ in range(FEWEST)
    ]
    (said,) = over_run(scene.measurement() for scene in scenes).doubts()
    assert said.startswith(f"{LIAR} left out")


def test_honest_controls_are_not_named() -> None:
    scenes = [site().visit(by=(HONEST, LIAR)) for _ in range(FEWEST)]
    assert [] == over_run(scene.measurement() for scene in scenes).doubts()
