"""What must hold whatever was seen."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.verdict import Verdict, judge
from probe.evidence import PROBE, DNSExchange
from probe.failure import Failure
from tests.analysis.build import BLOCK, BOTH, FORGED, NEWS, SITE, Page, Scene, to
from tests.analysis.worlds import CASES
from tests.analysis.worlds.pages import REFUSAL

HTTPS, HTTP = "https://news.example/", "http://news.example/"
NX = Failure.DNS_NXDOMAIN


def _judged(scenes: list[Scene]) -> list[Verdict]:
    return judge([scene.row() for scene in scenes])


def _assert_never_stronger(
    about: object, whole: Verdict, one: Verdict, two: Verdict, none: Verdict
) -> None:
    """Not with either control gone, and not with both.

    Nobody here lies. Where of two controls that got to one layer one says well and one met its
    end there, the one that lies is believed if it is alone: docs/threat_model.md, "Controls that
    lie together".
    """
    said = [(v.outcome, v.rules[0]) for v in (whole, one, two, none)]
    if whole.outcome != "blocked":
        assert "blocked" not in (one.outcome, two.outcome), f"{about}: {said}"
    if "blocked" not in (one.outcome, two.outcome):
        assert none.outcome != "blocked", f"{about}: {said}"


def test_fewer_controls_never_make_a_case_blocked() -> None:
    scenes = [case.build() for case in CASES.values()]
    fewer = [[s, s.without("one"), s.without("two"), s.without(*BOTH)] for s in scenes]
    verdicts = _judged([s for four in fewer for s in four])
    for at, name in enumerate(CASES):
        _assert_never_stronger(name, *verdicts[4 * at : 4 * at + 4])


URLS = (HTTPS, HTTP)
UPS = ("up", "refuses", "silent", "expired", "gone")
HERES = (
    "free", "silent", "refused", "reset", "alert", "forged", "blockpage", "redirect", "nxdomain",
    "lie", "injected", "challenged",
)  # fmt: skip
STATES = ("works", "dead", "shut out", "refused")
ABSENT = "absent"  # as if there were no such control


@dataclass(frozen=True)
class Situation:
    """A censor or none before the probe, a state of the site, a state of each control.

    Its repr is what a failing test shows: that of a `Scene` has every record in it.
    """

    url: str
    up: str
    here: str
    encrypted: bool
    broken: bool
    one: str
    two: str

    def build(self) -> Scene:
        scene = Scene(self.url)
        truth = NX if self.up == "gone" else (SITE,)
        own = {"nxdomain": NX, "lie": (FORGED,), "injected": (FORGED,)}.get(self.here, truth)
        then = truth if self.here == "injected" else None
        scene.names(own=own, then=then, public=truth, encrypted=truth if self.encrypted else None)
        page = Page(status=500, text="<title>500</title>") if self.broken else NEWS
        for control, state in zip(BOTH, (self.one, self.two), strict=True):
            if state == ABSENT:
                continue
            if state == "dead":
                scene.asked(silent=(control,))
                continue
            scene.asked(control).control_names(control, says=truth)
            if self.up != "gone":
                _look(scene, control, "silent" if state == "shut out" else self.up,
                      REFUSAL if state == "refused" else page)
        _see(scene, self.here, self.up, page)
        return scene


situations = st.builds(
    Situation, st.sampled_from(URLS), st.sampled_from(UPS), st.sampled_from(HERES), st.booleans(),
    st.booleans(), st.sampled_from(STATES), st.sampled_from(STATES),
)  # fmt: skip


def _look(scene: Scene, who: str, up: str, page: Page, ip: str = SITE) -> None:
    """What *who* meets at the site in state *up*, over both schemes."""
    for url in (HTTPS, HTTP):
        match up:
            case "silent":
                scene.connect(url, ip, by=(who,), tcp=Failure.TIMEOUT)
            case "refuses":
                scene.connect(url, ip, by=(who,), tcp=Failure.CONNECTION_REFUSED)
            case "expired" if url == HTTPS:
                scene.connect(url, ip, by=(who,), bad=Failure.TLS_INVALID_CERTIFICATE)
            case _:
                scene.visit(url, page, ip, by=(who,))


def _see(scene: Scene, here: str, up: str, page: Page) -> None:
    if here in ("lie", "injected"):
        scene.connect(HTTPS, FORGED, bad=Failure.TLS_UNKNOWN_AUTHORITY, leaf="x")
        scene.visit(HTTP, BLOCK, FORGED, by=(PROBE,))
    if up == "gone":
        return
    if up != "up" or here in ("free", "nxdomain", "lie", "injected"):
        _look(scene, PROBE, up, page)
        return
    match here:
        case "silent":
            _look(scene, PROBE, "silent", page)
        case "refused":
            _look(scene, PROBE, "refuses", page)
        case "reset":
            scene.connect(HTTPS, tls=Failure.CONNECTION_RESET, holds=True)
            scene.visit(HTTP, page, by=(PROBE,))
        case "alert":
            scene.connect(HTTPS, tls=Failure.TLS_FAILED_HANDSHAKE, alert=40)
            scene.visit(HTTP, page, by=(PROBE,))
        case "forged":
            scene.connect(HTTPS, bad=Failure.TLS_UNKNOWN_AUTHORITY, leaf="x").page(BLOCK, HTTPS)
            scene.visit(HTTP, page, by=(PROBE,))
        case "blockpage":
            scene.visit(HTTPS, page, by=(PROBE,)).visit(HTTP, BLOCK, by=(PROBE,))
        case "redirect":
            scene.visit(HTTPS, page, by=(PROBE,))
            scene.visit(HTTP, to("http://stop.isp/"), by=(PROBE,))
            scene.visit("http://stop.isp/", BLOCK, FORGED, by=(PROBE,), depth=1)
        case "challenged":
            challenge = Page("<title>Just a moment...</title>", status=503)
            scene.visit(HTTPS, challenge, by=(PROBE,)).visit(HTTP, challenge, by=(PROBE,))


@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("url", URLS)
def test_fewer_controls_are_never_stronger(url: str, up: str) -> None:
    """In every situation: a hole in the rules may show in one of two hundred."""

    def every(states: tuple[str, ...]) -> Iterator[Situation]:
        doubts = product(HERES, (True, False), (True, False), states, states)
        return (Situation(url, up, *doubt) for doubt in doubts)

    seen = list(every((*STATES, ABSENT)))
    verdicts = dict(zip(seen, _judged([s.build() for s in seen]), strict=True))
    for s in every(STATES):
        fewer = (
            replace(s, one=ABSENT), replace(s, two=ABSENT), replace(s, one=ABSENT, two=ABSENT)
        )  # fmt: skip
        _assert_never_stronger(s, verdicts[s], *(verdicts[f] for f in fewer))


@settings(max_examples=8, deadline=None)
@given(st.lists(situations, min_size=8, max_size=30))
def test_every_row_gets_one_outcome_and_only_blocked_and_ok_name_mechanisms(
    seen: list[Situation],
) -> None:
    for verdict in _judged([s.build() for s in seen]):
        assert verdict.rules[0]
        if verdict.mechanisms:
            assert verdict.outcome in ("ok", "blocked")


def test_innocent_situations_are_never_blocked_and_accuse_nobody() -> None:
    names = [name for name in CASES if name.startswith("innocent")]
    assert len(names) >= 12
    for verdict in _judged([CASES[name].build() for name in names]):
        assert (verdict.outcome != "blocked", verdict.mechanisms) == (True, ())


def _duplicated(scene: Scene) -> Scene:
    """Every answer over UDP comes twice, as networks sometimes have it."""
    doubled = [
        msgspec.structs.replace(e, answers=e.answers + e.answers)
        if isinstance(e, DNSExchange) and e.engine == "udp" else e
        for e in scene.evidence
    ]
    scene.evidence = doubled
    return scene


def test_an_innocent_duplicate_of_an_answer_changes_nothing() -> None:
    before = _judged([case.build() for case in CASES.values()])
    after = _judged([_duplicated(case.build()) for case in CASES.values()])
    assert after == before


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_evidence_changes_nothing(seed: int) -> None:
    def shuffled(scene: Scene) -> Scene:
        # Within one kind and place order is time; between kinds and vantage points it is chance.
        chance = random.Random(seed)
        places = dict.fromkeys((type(r), r.vantage) for r in scene.evidence)
        keys = {place: chance.random() for place in places}
        scene.evidence.sort(key=lambda r: keys[type(r), r.vantage])
        return scene

    before = _judged([case.build() for case in CASES.values()])
    after = _judged([shuffled(case.build()) for case in CASES.values()])
    assert after == before


def test_evidence_that_makes_no_sense_is_judged_without_a_crash() -> None:
    scene = Scene("https://news.example/").names(own=("not an address", "::1%lo", ""))
    scene.control_names(says=("999.1.1.1",)).asked(*BOTH)
    scene.connect("https://[bad/", "nowhere", by=(PROBE, *BOTH))
    scene.page(NEWS, "http://news.example:99999/", "nowhere")
    assert scene.verdict().outcome in ("inconclusive", "down")


@pytest.mark.parametrize("name", CASES)
def test_evidence_from_an_empty_measurement_is_never_an_outcome(name: str) -> None:
    scene = CASES[name].build()
    scene.evidence = []
    assert scene.row().measured is False
