"""What `zond doctor` says of what was seen on the line, where no country of the lab shows it.

The others are tried with real packets: tests/lab/test_doctor.py.
"""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from probe.config import Config, ControlServer, Upload
from probe.control.introduction import Introduction
from probe.doctor.finding import Finding
from probe.doctor.line import Looked, ask_collector, judge, packets
from probe.evidence import CanaryCheck
from probe.failure import Failure
from probe.surroundings.arrival import Arrival
from probe.surroundings.canary import Line
from probe.surroundings.resolvers import Resolvers
from tests.probe.test_doctor import local

TWO = Config(controls=tuple(
    ControlServer(name=f"control-{n}", url=f"https://c{n}.example/") for n in (1, 2)
))  # fmt: skip
FACTS = {
    "ipv4": True, "ipv6": True, "captive_portal": False, "vpn": False, "way_out": "plain",
    "clock_offset": 1.5, "probe_asn": 6697, "probe_network": "Beltelecom", "probe_cc": "BY",
}  # fmt: skip
SITES = ("www.belta.by", "www.debian.org")


class Alive:
    """A line after its looks."""

    def __init__(self) -> None:
        self.alive = {"home": True, "domestic": True, "foreign": True}
        self.lost = False


def answers(*failures: Failure | None) -> list[Introduction]:
    return [
        Introduction(control=f"control-{n}", control_url=f"https://c{n}.example/", failure=failure)
        for n, failure in enumerate(failures, 1)
    ]


def checks(*failures: Failure | None) -> list[CanaryCheck]:
    return [
        CanaryCheck(run_id="", ring="foreign", name=name, at=0.0, resolver_failure=failure)
        for name, failure in zip(SITES, failures, strict=True)
    ]


def looked(**facts: Any) -> Looked:
    arrival = Arrival(line=cast(Line, Alive()), facts={**FACTS, **facts})
    own = Resolvers(own=("192.168.1.1",))
    return Looked(
        arrival, answers(None, None), checks=checks(None, None), resolvers=own, collector="ok"
    )


def said(seen: Looked, about: str, config: Config = TWO) -> Finding:
    (finding,) = [finding for finding in judge(config, seen) if finding.about == about]
    return finding


def state(seen: Looked, about: str, config: Config = TWO) -> str:
    return said(seen, about, config).state


def test_where_all_is_well_every_line_says_so() -> None:
    findings = list(judge(TWO, looked()))
    assert {"ok"} == {finding.state for finding in findings}
    assert len(findings) == len({finding.about for finding in findings}) == 11


@pytest.mark.parametrize(
    ("about", "facts", "expected"),
    [
        ("ipv4", {"ipv4": False}, "warning"),
        ("ipv6", {"ipv6": False}, "warning"),
        ("portal", {"captive_portal": None}, "unknown"),
        ("vpn", {"vpn": True}, "fault"),
        ("vpn", {"vpn": None}, "warning"),
        ("vpn", {"vpn": None, "way_out": "tunnel"}, "warning"),
        ("vpn", {"vpn": None, "way_out": ""}, "unknown"),
        ("clock", {"clock_offset": 61.0}, "warning"),
        ("clock", {"clock_offset": -61.0}, "warning"),
        ("clock", {"clock_offset": 3601.0}, "fault"),
        ("clock", {"clock_offset": None}, "unknown"),
        ("certificates", {"forger_at": "machine"}, "fault"),
        ("place", {"probe_asn": 0}, "warning"),
    ],
)
def test_a_fact_turns_its_line(about: str, facts: dict[str, Any], expected: str) -> None:
    assert expected == state(looked(**facts), about)


def test_a_family_without_a_route_is_missing_and_not_broken() -> None:
    only4 = replace(looked(ipv6=False), routes=(True, False))
    assert ("ok", "warning") == (
        state(only4, "ipv6"), state(replace(looked(ipv4=False), routes=(False, True)), "ipv4"),
    )  # fmt: skip


def test_a_vpn_that_is_meant_is_no_fault() -> None:
    assert "ok" == state(looked(vpn=True), "vpn", Config(vpn_ok=True))


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ((None, None), "ok"),
        ((None, Failure.CONNECTION_REFUSED), "warning"),
        ((Failure.TIMEOUT, Failure.CONNECTION_REFUSED), "fault"),
    ],
)
def test_controls_that_do_not_answer_turn_theirs(failures: Any, expected: str) -> None:
    assert expected == state(replace(looked(), introductions=answers(*failures)), "controls")


def test_no_control_and_one_are_less_than_two() -> None:
    none = replace(looked(), introductions=())
    one = replace(looked(), introductions=answers(None))
    assert ("warning", "warning") == (state(none, "controls", Config()), state(one, "controls"))


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ((None, Failure.DNS_NXDOMAIN), "warning"),
        ((Failure.DNS_SERVFAIL, Failure.DNS_SERVFAIL), "fault"),
    ],
)
def test_names_that_do_not_resolve_turn_theirs(failures: Any, expected: str) -> None:
    finding = said(replace(looked(), checks=checks(*failures)), "dns")
    assert (expected, True) == (finding.state, "192.168.1.1" in finding.seen)


def test_of_a_dead_line_nothing_else_is_said() -> None:
    seen = looked()
    seen.arrival.line.lost = True
    assert ["portal", "line"] == [finding.about for finding in judge(TWO, seen)]


@pytest.fixture
def full() -> Iterator[str]:
    """A collector whose disk is full."""

    class Full(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503 if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Full)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_collector_that_cannot_store_is_told(full: str) -> None:
    assert "direct: HTTP 503" == await ask_collector(Config(upload=Upload(collector=full)))
    finding = said(replace(looked(), collector="direct: HTTP 503"), "collector")
    assert ("fault", "direct: HTTP 503") == (finding.state, finding.seen)


async def test_a_collector_is_asked_by_the_users_ways_and_no_other(full: str) -> None:
    dead = Upload(collector=full, ways=("tor",), tor="socks5h://127.0.0.1:1")
    assert (await ask_collector(Config(upload=dead))).startswith("tor: ")
    carried = Upload(collector=full, ways=("file",), file="carry.zond")
    assert "batches go by a carried file" == await ask_collector(Config(upload=carried))
    assert "" == await ask_collector(Config())


def test_the_collector_is_among_the_packets_only_where_sharing_was_agreed_to() -> None:
    config = Config(upload=Upload(collector="https://collector.example/"))
    asked = [who for who, _ in packets(config, sharing=True)]
    assert "https://collector.example/" in asked
    assert asked[:-1] == [who for who, _ in packets(config, sharing=False)]


def test_without_authorities_to_judge_by_nothing_is_sent() -> None:
    """In a network namespace of its own, where it could send nothing anyway."""
    alone = ("unshare", "--net", *(() if os.geteuid() == 0 else ("--map-root-user",)))
    found = local(*alone, arguments=("--yes",), SSL_CERT_FILE="/nowhere/roots.pem")
    assert ("fault", True) == (found["certificates"]["state"], found["certificates"]["stops"])
    assert "dns" not in found


def test_a_machine_without_a_network_is_told_so() -> None:
    alone = ("unshare", "--net", *(() if os.geteuid() == 0 else ("--map-root-user",)))
    found = local(*alone)
    assert ("fault", True) == (found["network"]["state"], found["network"]["stops"])
