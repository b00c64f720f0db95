"""QUIC against the controls, and over a run: of a name, or of QUIC itself?"""

from __future__ import annotations

import pytest

from analysis.observe.derive import observe
from analysis.observe.over_run import over_run
from analysis.observe.sight import OK, arrange, quic_manner
from analysis.verdict import Verdict, judge
from probe.evidence import PROBE, QUICHandshake
from probe.failure import Failure
from tests.analysis.build import BOTH, SITE, SITE_6, Scene, site


def over(name: str, **here: object) -> Scene:
    """A site of the run over TCP, with QUIC that works for the controls."""
    url = f"https://{name}.example/"
    scene = Scene(url).names(f"{name}.example").control_names(host=f"{name}.example").asked(*BOTH)
    return scene.visit().quic(by=BOTH).quic(**here)  # type: ignore[arg-type]


def verdicts(*scenes: Scene) -> list[Verdict]:
    measurements = [scene.measurement(ident=scene.url) for scene in scenes]
    whole = over_run(measurements)
    rows = [
        observe(m, scene.run, [], quic_elsewhere=whole.quic.elsewhere(m.url))
        for m, scene in zip(measurements, scenes, strict=True)
    ]
    return judge(rows)


def silent(name: str) -> Scene:
    return over(name, failure=Failure.TIMEOUT)


def test_quic_that_works_nowhere_is_about_the_protocol() -> None:
    found = verdicts(silent("news"), silent("weather"), silent("music"))
    assert ["protocol"] * 3 == [v.trigger for v in found]
    assert [("ok", ("quic.silence",))] * 3 == [(v.outcome, v.mechanisms) for v in found]


def test_one_site_alone_tells_no_trigger() -> None:
    (alone,) = verdicts(silent("news"))
    assert (None, ("quic.silence",)) == (alone.trigger, alone.mechanisms)


def test_two_names_of_one_site_are_one_site() -> None:
    found = verdicts(silent("a.news"), silent("b.news"))
    assert [None, None] == [v.trigger for v in found]


def test_quic_that_works_for_another_site_is_not_about_the_protocol() -> None:
    found = verdicts(silent("news"), silent("weather"), over("music"))
    assert [None, None, None] == [v.trigger for v in found]
    assert [("quic.silence",), ("quic.silence",), ()] == [v.mechanisms for v in found]


def test_sites_whose_quic_works_for_nobody_do_not_condemn_it() -> None:
    dead = Scene("https://dead.example/").names("dead.example").asked(*BOTH).visit()
    dead.quic(by=(PROBE, *BOTH), failure=Failure.TIMEOUT)
    found = verdicts(silent("news"), dead)
    assert [None, None] == [v.trigger for v in found]


def test_a_second_address_that_answers_acquits_the_first() -> None:
    scene = over("news", failure=Failure.TIMEOUT).names("news.example", own=(SITE, "151.101.1.69"))
    scene.quic(ip="151.101.1.69")
    assert () == scene.verdict().mechanisms


def test_what_fails_at_a_forged_address_is_no_finding() -> None:
    forged = "95.46.44.10"
    scene = site().visit().quic(by=BOTH).quic(ip=forged, failure=Failure.TIMEOUT)
    assert 0 == scene.row().quic_silence


def test_a_line_without_ipv6_accuses_nobody_over_ipv6() -> None:
    scene = over("news").quic(ip=SITE_6, by=BOTH).quic(ip=SITE_6, failure=Failure.TIMEOUT)
    assert () == scene.verdict().mechanisms


def test_what_quic_shows_vouches_for_nothing_over_tcp() -> None:
    scene = site().connect(bad=Failure.TLS_UNKNOWN_AUTHORITY).quic()
    sight = arrange(scene.evidence, PROBE, without_ipv6=True)
    assert "bad" == sight.reached("news.example", 443)[SITE].certificate
    assert {SITE: OK} == sight.quic["news.example"]


@pytest.mark.parametrize(
    ("failure", "code", "manner"),
    [
        (None, None, OK),
        (Failure.TIMEOUT, None, "silence"),
        (Failure.EOF, 0x0A, "closed"),
        (Failure.EOF, 0x02, "refused"),
        (Failure.TLS_FAILED_HANDSHAKE, 0x170, "closed"),
        (Failure.TLS_FAILED_HANDSHAKE, None, "closed"),
        (Failure.QUIC_INCOMPATIBLE_VERSION, None, "closed"),
        (Failure.CONNECTION_REFUSED, None, "refused"),
        (Failure.HOST_UNREACHABLE, None, "unreachable"),
        (Failure.UNKNOWN, None, "other"),
    ],
)
def test_each_failure_has_a_manner(
    failure: Failure | None, code: int | None, manner: str
) -> None:
    shake = QUICHandshake(ip=SITE, port=443, failure=failure, error_code=code)
    assert manner == quic_manner(shake)


def test_a_control_that_another_contradicts_accuses_nobody() -> None:
    scene = site(controls=("one", "two", "three")).visit(by=(PROBE, *BOTH))
    closed = Failure.TLS_FAILED_HANDSHAKE
    scene.quic(by=("one",)).quic(by=(PROBE, "two"), failure=closed)
    assert 0 == scene.row().quic_closed
    assert 2 == scene.quic(by=("three",)).quic(by=("four",)).row().quic_closed


def test_one_control_alone_says_nothing_of_quic() -> None:
    scene = site().visit().quic(by=("one",)).quic(failure=Failure.QUIC_INCOMPATIBLE_VERSION)
    assert () == scene.verdict().mechanisms
    assert ("quic.closed",) == scene.quic(by=("two",)).verdict().mechanisms


def test_who_alone_completes_handshakes_does_not_condemn_quic() -> None:
    """Silent to us and another control: dead, or the one that says otherwise lies."""
    scenes = [
        over(name, failure=Failure.TIMEOUT).without("two").asked("two")
        .quic(by=("two",), failure=Failure.TIMEOUT)
        for name in ("news", "weather")
    ]  # fmt: skip
    assert set() == over_run(s.measurement() for s in scenes).quic.lost
