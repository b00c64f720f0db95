"""A nettest of ours has controls: what fails there too is down, and what fails only here needs
as many of them as it needs to be no accident."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from analysis.observe.services import service_rows
from analysis.service_trials import service_trials
from analysis.verdict import Verdict, judge
from probe.evidence import (
    AnyEvidence,
    Bootstrap,
    CanaryCheck,
    ControlQuery,
    Measurement,
    Reach,
    RelayLink,
    Run,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure

RELAY = "192.99.11.54"
URL = f"tor://{RELAY}:9001"
STARTED = 1795168800.0
RUN = Run(id="r", started_at=STARTED, probe_cc="BY", probe_asn=6697)
SILENT, RESET, REFUSED = Failure.TIMEOUT, Failure.CONNECTION_RESET, Failure.CONNECTION_REFUSED
FINE = None


def link(
    failure: Failure | None, vantage: str = "probe", *, relay: str = "or_port", port: int = 9001,
    operation: str = "connect", transaction: int = 0,
) -> RelayLink:  # fmt: skip
    return RelayLink(
        relay=relay, ip=RELAY, port=port, url=URL, failure=failure, vantage=vantage,
        operation=operation if failure else "", transaction=transaction,
    )


def asked(control: str, failure: Failure | None = None) -> ControlQuery:
    return ControlQuery(control=control, control_url="https://c.example/", url=URL, failure=failure)


def of(*evidence: AnyEvidence, nettest: str = "tor_reachability", url: str = URL) -> Measurement:
    return Measurement(
        id="m", run_id="r", nettest=nettest, nettest_version="1.0.0", url=url,
        started_at=STARTED, evidence=evidence,
    )


def judged(
    measurement: Measurement, canaries: Sequence[CanaryCheck] = ()
) -> dict[str, Verdict]:
    rows = service_rows(measurement, RUN, canaries)
    return {row.url: verdict for row, verdict in zip(rows, judge(rows), strict=True)}


def elsewhere(*ends: Failure | None) -> list[AnyEvidence]:
    found: list[AnyEvidence] = []
    for number, failure in enumerate(ends):
        found += [asked(f"c{number}"), link(failure, f"c{number}")]
    return found


CASES: dict[str, tuple[list[AnyEvidence], str, tuple[str, ...]]] = {
    "it works": ([link(FINE), *elsewhere(FINE, FINE)], "ok", ()),
    "the second try works": ([link(RESET), link(FINE), *elsewhere(FINE, FINE)], "ok", ()),
    "dead for everybody": (
        [link(SILENT), link(SILENT), *elsewhere(SILENT, SILENT)], "down", (),
    ),
    "silent here, and two get through": (
        [link(SILENT), link(SILENT), *elsewhere(FINE, FINE)], "blocked", ("tcp.silence",),
    ),
    "silent here, and one gets through": (
        [link(SILENT), link(SILENT), *elsewhere(FINE)], "inconclusive", (),
    ),
    "silent here once": (
        [link(SILENT), *elsewhere(FINE, FINE)], "inconclusive", (),
    ),
    "reset here twice, and two get through": (
        [link(RESET), link(RESET), *elsewhere(FINE, FINE)], "blocked", ("tcp.reset",),
    ),
    "reset here twice, and one says that it gets through": (
        [link(RESET), link(RESET), *elsewhere(FINE)], "inconclusive", (),
    ),
    "reset here once": ([link(RESET), *elsewhere(FINE, FINE)], "inconclusive", ()),
    "the controls do not agree": (
        [link(RESET), link(RESET), *elsewhere(FINE, SILENT)], "inconclusive", (),
    ),
    "another's keys, here only": (
        [
            link(Failure.TLS_INVALID_CERTIFICATE, operation="certificates"),
            link(Failure.TLS_INVALID_CERTIFICATE, operation="certificates"),
            *elsewhere(FINE, FINE),
        ],
        "blocked", ("tls.forged",),
    ),
    "a relay that changed its keys": (
        [
            link(Failure.TLS_INVALID_HOSTNAME, operation="identity"),
            link(Failure.TLS_INVALID_HOSTNAME, operation="identity"),
            *elsewhere(Failure.TLS_INVALID_CERTIFICATE),
        ],
        "down", (),
    ),
    "another relay than the list's, here only": (
        [
            link(Failure.TLS_INVALID_HOSTNAME, operation="identity"),
            link(Failure.TLS_INVALID_HOSTNAME, operation="identity"),
            *elsewhere(FINE, FINE),
        ],
        "blocked", ("tls.forged",),
    ),
    "a control that did not answer is none": (
        [link(RESET), link(RESET), asked("c0", SILENT)], "inconclusive", (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_a_relay_is_judged(name: str) -> None:
    evidence, outcome, mechanisms = CASES[name]
    verdict = judged(of(*evidence))[URL]
    assert outcome == verdict.outcome, verdict.rules
    assert mechanisms == tuple(verdict.mechanisms)


def test_the_layer_is_that_of_the_try_itself() -> None:
    """The first try met a silent port and the second a reset: each is of its own connection."""
    facts = {"ip": RELAY, "port": 9001, "url": URL}
    evidence: list[AnyEvidence] = [
        TCPConnect(**facts, transaction=1),  # type: ignore[arg-type]
        TLSHandshake(**facts, transaction=1, failure=RESET),  # type: ignore[arg-type]
        link(RESET, transaction=1, operation="tls_handshake"),
        TCPConnect(**facts, transaction=2, failure=SILENT),  # type: ignore[arg-type]
        link(SILENT, transaction=2),
    ]
    verdict = judged(of(*evidence, *elsewhere(FINE, FINE)))[URL]
    assert ("blocked", ("tls.reset",)) == (verdict.outcome, tuple(verdict.mechanisms))


def refused(*vantages: str) -> list[RelayLink]:
    return [link(REFUSED, vantage, relay="relay_other_port", port=443) for vantage in vantages]


BESIDE: dict[str, tuple[list[RelayLink], str | None]] = {
    "nothing else was tried": ([], None),
    "the directory port works": ([link(FINE, relay="dir_port", port=9030)], "port"),
    "a port refuses here as it does elsewhere": (
        [link(FINE, relay="dir_port", port=9030), *refused("probe", "c0", "c1")], "port",
    ),
    "a port refuses here only": (
        [link(FINE, relay="dir_port", port=9030), *refused("probe")], None,
    ),
    "no port works": ([link(SILENT, relay="relay_other_port", port=22)], "address"),
    "TLS that is not Tor's comes through": (
        [link(FINE, relay="non_tor_tls"), link(FINE, relay="dir_port", port=9030)], "protocol",
    ),
    "TLS that is not Tor's does not either": (
        [link(RESET, relay="non_tor_tls", operation="tls_handshake"),
         link(FINE, relay="dir_port", port=9030)],
        "port",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
def test_what_was_tried_beside_tells_the_trigger(name: str) -> None:
    beside, trigger = BESIDE[name]
    operation = "connect" if name == "no port works" else "tls_handshake"
    lost = [link(RESET, operation=operation)] * 2
    verdict = judged(of(*lost, *beside, *elsewhere(FINE, FINE)))[URL]
    assert ("blocked", trigger) == (verdict.outcome, verdict.trigger)


def test_a_port_that_refuses_everybody_is_no_blocked_address() -> None:
    """Nothing listens there, and the host says so: to us as to the controls."""
    facts = {"relay": "relay_other_port", "port": 443}
    beside: list[AnyEvidence] = [
        msgspec.structs.replace(link(REFUSED, who, **facts), url=f"tor://{RELAY}:443")  # type: ignore[arg-type]
        for who in ("probe", "c0", "c1")
    ]
    lost = [link(SILENT)] * 2
    verdict = judged(of(*lost, *beside, *elsewhere(FINE, FINE)))[URL]
    assert ("blocked", "port") == (verdict.outcome, verdict.trigger)
    refused_here = [e for e in beside if e.vantage == "probe"]
    verdict = judged(of(*lost, *refused_here, *elsewhere(FINE, FINE)))[URL]
    assert ("blocked", "address") == (verdict.outcome, verdict.trigger)


def test_each_look_is_a_test_for_the_hypotheses() -> None:
    lost = [link(RESET)] * 2
    beside = [link(FINE, relay="non_tor_tls"), link(FINE, relay="dir_port", port=9030)]
    rows = service_rows(of(*lost, *beside, *elsewhere(FINE)), RUN, [])
    found = {(t.test, t.port, t.result) for row in rows for t in service_trials(row)}
    assert {
        ("or_port", 9001, "fails"), ("non_tor_tls", 9001, "works"), ("dir_port", 9030, "works"),
    } == found  # fmt: skip


def test_a_dead_line_accuses_nobody() -> None:
    line = [
        CanaryCheck(run_id="r", ring=ring, name=ring, at=STARTED + at, failure=how)
        for ring in ("domestic", "foreign")
        for at, how in ((-5.0, None), (1.0, SILENT))
    ]  # fmt: skip
    verdict = judged(of(link(RESET), link(RESET), *elsewhere(FINE, FINE)), line)[URL]
    assert "local_fault" == verdict.outcome


def test_a_bootstrap_is_named_by_its_transport() -> None:
    url = "tor://obfs4"
    done = Bootstrap(transport="obfs4", progress=100, stage="done", url=url)
    stuck = Bootstrap(
        transport="obfs4", progress=10, stage="conn_done", url=url, failure=Failure.TIMEOUT
    )
    assert "ok" == judged(of(done, nettest="tor_bootstrap", url=url))[url].outcome
    assert "inconclusive" == judged(of(stuck, nettest="tor_bootstrap", url=url))[url].outcome
    absent = Bootstrap(transport="obfs4", stage="absent", url=url, failure=Failure.UNKNOWN)
    assert "not_measured" == judged(of(absent, nettest="tor_bootstrap", url=url))[url].outcome
    late = msgspec.structs.replace(stuck, stage="loading_status", troubles=("CLOCK_SKEW",))
    assert "local_fault" == judged(of(late, nettest="tor_bootstrap", url=url))[url].outcome
    (row,) = service_rows(of(stuck, nettest="tor_bootstrap", url=url), RUN, [])
    assert ["obfs4"] == [t.test for t in service_trials(row)]


def test_a_resolver_or_messenger_of_ours_is_judged_by_its_record_of_the_whole() -> None:
    url = "telegram://149.154.167.51:443"

    def reach(failure: Failure | None, vantage: str = "probe") -> Reach:
        return Reach(
            service="telegram", part="dc", ip="149.154.167.51", port=443, url=url,
            failure=failure, vantage=vantage, operation="connect" if failure else "",
        )  # fmt: skip

    lost = of(
        reach(SILENT), reach(SILENT), asked("c0"), asked("c1"), reach(FINE, "c0"),
        reach(FINE, "c1"), nettest="messenger", url=url,
    )  # fmt: skip
    verdict = judged(lost)[url]
    assert ("blocked", ("tcp.silence",)) == (verdict.outcome, tuple(verdict.mechanisms))
