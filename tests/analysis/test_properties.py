"""What must hold whatever was seen."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.verdict import Verdict, judge
from probe.evidence import PROBE, DNSExchange
from probe.failure import Failure
from tests.analysis.build import BLOCK, BOTH, FORGED, NEWS, SITE, Page, Scene, to
from tests.analysis.worlds import CASES, REFUSAL

HTTPS, HTTP = "https://news.example/", "http://news.example/"
NX = Failure.DNS_NXDOMAIN


def _judged(scenes: list[Scene]) -> list[Verdict]:
    return judge([scene.row() for scene in scenes])


def _fewer(scene: Scene) -> list[Scene]:
    return [scene.without("one"), scene.without("two"), scene.without(*BOTH)]


def _assert_never_stronger(scenes: list[Scene]) -> None:
    verdicts = _judged([s for scene in scenes for s in (scene, *_fewer(scene))])
    for at in range(0, len(verdicts), 4):
        whole, one, two, none = verdicts[at : at + 4]
        if whole.outcome != "blocked":
            assert "blocked" not in (one.outcome, two.outcome), whole.rules
        if "blocked" not in (one.outcome, two.outcome):
            assert none.outcome != "blocked", (one.rules, two.rules, none.rules)


def test_fewer_controls_never_make_a_case_blocked() -> None:
    _assert_never_stronger([case.build() for case in CASES.values()])


@st.composite
def situations(draw: st.DrawFn) -> Scene:
    """Any censor or none before the probe, any state of the site, any state of each control."""
    url = draw(st.sampled_from([HTTPS, HTTP]))
    up = draw(st.sampled_from(["up", "refuses", "silent", "expired", "gone"]))
    here = draw(
        st.sampled_from(
            ["free", "silent", "refused", "reset", "alert", "forged", "blockpage", "redirect",
             "nxdomain", "lie", "injected", "challenged"]
        )
    )
    scene = Scene(url)
    truth = NX if up == "gone" else (SITE,)
    own = {"nxdomain": NX, "lie": (FORGED,), "injected": (FORGED,)}.get(here, truth)
    then = truth if here == "injected" else None
    encrypted = draw(st.sampled_from([truth, None]))
    scene.names(own=own, then=then, public=truth, encrypted=encrypted)
    page = Page(status=500, text="<title>500</title>") if draw(st.booleans()) else NEWS
    for control in BOTH:
        state = draw(st.sampled_from(["works", "dead", "shut out", "refused"]))
        if state == "dead":
            scene.asked(silent=(control,))
            continue
        scene.asked(control).control_names(control, says=truth)
        if up != "gone":
            _look(scene, control, "silent" if state == "shut out" else up,
                  REFUSAL if state == "refused" else page)
    _see(scene, here, up, page)
    return scene


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


@settings(max_examples=12, deadline=None)
@given(st.lists(situations(), min_size=8, max_size=30))
def test_fewer_controls_are_never_stronger(scenes: list[Scene]) -> None:
    _assert_never_stronger(scenes)


@settings(max_examples=8, deadline=None)
@given(st.lists(situations(), min_size=8, max_size=30))
def test_every_row_gets_one_outcome_and_only_blocked_and_ok_name_mechanisms(
    scenes: list[Scene],
) -> None:
    for verdict in _judged(scenes):
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
        keys = {e: chance.random() for e in {(type(r), r.vantage) for r in scene.evidence}}
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
