"""What is a shutdown, and all that looks like one and is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
import pytest

from analysis.run_findings import FEWEST_LOOKS, SHORTEST, RunFinding, run_findings
from probe.evidence import (
    AddressInfo,
    AnyEvidence,
    CanaryCheck,
    ControlQuery,
    Measurement,
    TCPConnect,
)
from probe.failure import Failure
from tests.analysis.build import RUN, STARTED

PERIOD = 10.0
NAMES = {"domestic": ("a.by", "b.by"), "foreign": ("a.org", "b.org")}
ABROAD = ("9.9.9.1", "9.9.9.2", "9.9.9.3", "9.9.9.4", "9.9.9.5", "9.9.9.6")
HOME = "178.124.1.9"


@dataclass
class Looks:
    """Looks at the canaries, one each ten seconds. A letter each: what answers.

    ``+`` all, ``d`` domestic ones only, ``f`` foreign ones only, ``.`` nothing, ``n`` no
    name is resolved, ``1`` one foreign canary and all domestic ones.
    """

    text: str
    contact: list[Measurement] = field(default_factory=list)

    def checks(self) -> Iterator[CanaryCheck]:
        for number, letter in enumerate(self.text):
            for ring, names in NAMES.items():
                for name in names:
                    good = letter == "+" or letter == ring[0] or (
                        letter == "1" and name != "b.org"
                    )
                    dead = Failure.DNS_TEMPORARY if letter == "n" else Failure.TIMEOUT
                    yield CanaryCheck(
                        run_id="run", ring=ring, name=name,  # type: ignore[arg-type]
                        at=STARTED + PERIOD * number, failure=None if good else dead,
                        resolver_failure=Failure.DNS_TEMPORARY if letter == "n" else None,
                    )

    def tried(
        self, at: float, *, answer: Sequence[str] = (), silent: Sequence[str] = ABROAD,
        control: Failure | None = Failure.TIMEOUT,
    ) -> Looks:
        """What a target's measurement, *at* seconds after the first look, met."""
        evidence: list[AnyEvidence] = [
            *(TCPConnect(ip=ip, port=443, t=1.0) for ip in answer),
            *(TCPConnect(ip=ip, port=443, t=1.0, failure=Failure.TIMEOUT) for ip in silent),
            ControlQuery(control="one", control_url="https://one/", t=1.0, failure=control),
        ]
        self.contact.append(
            Measurement(
                id=str(at), run_id="run", nettest="web_connectivity", nettest_version="1",
                url="https://news.example/", started_at=STARTED + at, evidence=tuple(evidence),
                addresses={
                    **{ip: AddressInfo(asn=1, cc="NL") for ip in ABROAD},
                    HOME: AddressInfo(asn=6697, cc="BY"),
                },
            )
        )
        return self

    def found(self) -> list[RunFinding]:
        return run_findings(RUN, list(self.checks()), lambda: self.contact)

    def names(self) -> list[str]:
        return [finding.finding for finding in self.found()]


def utc(look: int) -> str:
    return f"2026-09-21T14:{13 + (20 + 10 * look) // 60:02}:{(20 + 10 * look) % 60:02}Z"


def test_foreign_gone_and_domestic_there_for_long_is_a_shutdown() -> None:
    (finding,) = Looks("++ddddd++").tried(25).found()
    assert (finding.finding, finding.since, finding.until) == ("shutdown", utc(2), utc(7))
    assert (finding.probe_cc, finding.probe_asn, finding.run_id) == ("BY", "AS6697", "run")
    assert "6 addresses" in finding.note


def test_a_shutdown_that_lasts_has_no_end_and_one_that_was_there_no_beginning() -> None:
    (lasting,) = Looks("++dddddd").tried(25).found()
    assert (lasting.since, lasting.until) == (utc(2), None)
    (there,) = Looks("ddddd++").tried(5).found()
    assert (there.finding, there.since, there.until) == ("shutdown", None, utc(5))


def test_domestic_addresses_do_not_speak_against_it() -> None:
    assert Looks("++ddddd").tried(25, answer=(HOME,)).names() == ["shutdown"]


def test_one_cache_within_the_country_does_not_speak_against_it() -> None:
    looks = Looks("++ddddd").tried(25, answer=ABROAD[:1], silent=ABROAD[1:])
    assert looks.names() == ["shutdown"]


@pytest.mark.parametrize(
    "looks",
    [
        Looks("++ddddd").tried(25, control=None),
        Looks("++ddddd").tried(25, answer=ABROAD[:3], silent=ABROAD[3:]),
        Looks("++ddddd").tried(5),  # before it
        Looks("++ddddd"),  # nothing else was tried
    ],
)
def test_canaries_alone_do_not_make_a_shutdown(looks: Looks) -> None:
    assert looks.names() == ["abroad_lost"]


def test_a_short_loss_is_no_shutdown() -> None:
    assert FEWEST_LOOKS == 3 and SHORTEST == 30.0
    assert Looks("++dd+++").tried(25).names() == ["abroad_lost"]
    assert Looks("++d+d+d+").tried(25).names() == ["abroad_lost"] * 3


def test_what_was_measured_after_a_shutdown_does_not_speak_against_it() -> None:
    looks = Looks("++ddddd+++").tried(25).tried(80, answer=ABROAD, silent=(), control=None)
    assert looks.names() == ["shutdown"]


def test_a_dead_line_is_no_shutdown() -> None:
    (finding,) = Looks("++.....++").tried(25).found()
    assert (finding.finding, finding.since, finding.until) == ("line_lost", utc(2), utc(7))


def test_names_that_do_not_resolve_are_no_shutdown() -> None:
    assert Looks("++nnnnnn++").tried(25).names() == []
    # and do not end one either
    assert Looks("++ddnndd++").tried(25).names() == ["shutdown"]


def test_one_foreign_canary_keeps_the_world() -> None:
    assert Looks("++111111").tried(25).names() == []


def test_domestic_sites_gone_alone_are_neither() -> None:
    assert Looks("++ffffff").tried(25).names() == []


def test_a_run_in_which_all_is_well_shows_nothing_and_reads_nothing() -> None:
    def unread() -> list[Measurement]:
        raise AssertionError("the measurements were read for nothing")

    assert run_findings(RUN, list(Looks("+++++").checks()), unread) == []


@pytest.mark.parametrize(
    ("facts", "finding"),
    [
        ({"vpn": True}, "vpn"),
        ({"captive_portal": True}, "captive_portal"),
        ({"clock_offset": -31536000.0}, "wrong_clock"),
    ],
)
def test_what_the_run_learned_of_its_place(facts: dict[str, object], finding: str) -> None:
    run = msgspec.structs.replace(RUN, **facts)
    assert [f.finding for f in run_findings(run, [], list)] == [finding]


def test_who_signs_for_everybody_is_named() -> None:
    problem = Failure.TLS_UNKNOWN_AUTHORITY.value
    greeted = [
        msgspec.structs.replace(c, handshake=True, issuer="CN=Evil", problems=(problem,))
        for c in Looks("+").checks()
    ]
    run = msgspec.structs.replace(RUN, forger_at="machine")
    (finding,) = run_findings(run, greeted, list)
    assert finding.finding == "forger" and "CN=Evil" in finding.note
    assert "on this machine" in finding.note


def test_a_line_about_a_run_says_so() -> None:
    line = msgspec.json.decode(msgspec.json.encode(Looks("++ddddd").tried(25).found()[0]))
    assert list(line) == [
        "kind", "finding", "note", "run_id", "probe_cc", "probe_asn", "since", "until",
    ]
    assert line["kind"] == "run"
