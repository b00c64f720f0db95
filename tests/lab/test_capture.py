"""Packets on real wires: what a censor forged is on record as it was sent, and nobody else's."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from analysis.observe.ends import FREE, SAME, Test
from analysis.observe.packets import packet_columns
from lab.censors import HTTPInjectPage, SNIClose, SNIReset, a_censor
from lab.certificates import Authorities
from lab.country import Country
from lab.middlebox import Rule
from lab.namespace import explain_if_impossible
from lab.serving import run_sites
from lab.sites import Article, Site
from lab.topology import HOME_ADDRESSES
from lab.wire import WireSettings
from lab.world import Place, Wire
from probe.evidence import Measurement, PacketCapture, PacketFacts
from probe.formats import pcap

pytestmark = pytest.mark.lab

# A site for each visit: what comes late of one connection belongs to no other visit.
SITES = tuple(f"46.4.1.{last}" for last in range(1, 21))
SITE_6 = "2a01:4f8:1:7::7"
FREE_NAME = "www.example.org"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nstop"
SENT_TTL, HOPS_BEFORE = 77, 2  # the censor is at the third hop
FORGED: dict[str, Any] = {"ttl": SENT_TTL, "window": 1400, "ip_id": 7}
RULES: dict[str, Callable[[str], Rule]] = {
    "reset-beside.example": lambda n: SNIReset(names=(n,), acknowledging=True, **FORGED),
    "reset-between.example": lambda n: SNIReset(names=(n,), drop_original=True, **FORGED),
    "reset-both.example": lambda n: SNIReset(names=(n,), to_server=True, **FORGED),
    "fin-beside.example": lambda n: SNIClose(names=(n,), mutes=False, **FORGED),
    "fin-between.example": lambda n: SNIClose(names=(n,), drop_original=True, **FORGED),
    "page-beside.example": lambda n: HTTPInjectPage(
        names=(n,), mutes=False, payload=PAGE, **FORGED
    ),
}

# Says a name to the site, several times, and captures; prints the captures.
VISITOR = """
import ctypes, json, os, sys
sites, names, may_capture = json.loads(sys.argv[1])
if not may_capture and "WITHOUT" not in os.environ:
    ctypes.CDLL(None).prctl(24, 13, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_NET_RAW
    os.execve(sys.executable, [sys.executable, "-c", SOURCE, sys.argv[1]],
              dict(os.environ, WITHOUT="1", SOURCE=SOURCE))
import msgspec, trio
from probe.capture import capturing
from probe.evidence import PacketCapture
from probe.net import OwnPorts, TrioNetwork
from probe.steps.http import http_fetch
from probe.steps.tcp import tcp_connect
from probe.steps.tls import tls_handshake
from probe.trace import StepFailed, Trace
from probe.wire.url import URL

async def say(trace, net, site, name):
    port = 80 if name.startswith("page") else 443
    try:
        stream = await tcp_connect(net, trace, site, port)
        try:
            if port == 443:
                await tls_handshake(trace, stream, ip=site, port=port, sni=name)
            else:
                url = URL(text=f"http://{name}/", scheme="http", host=name, port=80, target="/")
                await http_fetch(trace, stream, url, ip=site, port=port)
        finally:
            await trio.aclose_forcefully(stream)
    except StepFailed:
        return

async def main():
    ports = OwnPorts()
    net = TrioNetwork(ports)
    async with capturing(ports=ports) as captures:
        for site, name in zip(sites, names):
            trace = Trace()
            trace.step = name
            port = 80 if name.startswith("page") else 443
            async with captures.following(trace, site, port):
                await say(trace, net, site, name)
            for record in trace.records:
                if isinstance(record, PacketCapture):
                    sys.stdout.buffer.write(msgspec.json.encode(record) + b"\\n")

trio.run(main)
"""
VISITOR = f"import os\nSOURCE = os.environ['SOURCE']\n{VISITOR}"


def visit(
    country: Country, names: list[str], *, at: Sequence[str] = SITES, may_capture: bool = True
) -> list[PacketCapture]:
    assert len(names) <= len(at)
    asked = json.dumps([at, names, may_capture])
    visitor = country.command(
        Place.HOME, [sys.executable, "-c", VISITOR, asked],
        env=dict(os.environ, SOURCE=VISITOR), stdout=subprocess.PIPE,
    )  # fmt: skip
    output, _ = visitor.communicate(timeout=300)
    assert 0 == visitor.returncode
    return [msgspec.json.decode(line, type=PacketCapture) for line in output.splitlines()]


@pytest.fixture(scope="module")
def country() -> Iterator[Country]:
    why = explain_if_impossible()
    if why is not None:
        pytest.skip(why)
    censor = a_censor(*(rule(name) for name, rule in RULES.items()))
    wires = {wire: WireSettings(delay=0.005) for wire in Wire}
    for wire in (Wire.BORDER_1, Wire.BORDER_2):
        wires[wire] = WireSettings(delay=0.005, censors=(censor(),))
    authorities = Authorities()
    site = Site(
        names=(FREE_NAME, *RULES), addresses=(*SITES, SITE_6), http=Article("a"),
        https=Article("a"),
    )
    with Country(wires) as country:
        country.start(Place.ABROAD, run_sites, [site], authorities)
        yield country


@pytest.fixture(scope="module")
def captures(country: Country) -> list[PacketCapture]:
    return visit(country, [*RULES, *RULES, FREE_NAME])


def of(captures: list[PacketCapture], name: str) -> list[PacketCapture]:
    found = [capture for capture in captures if capture.step == name]
    assert all("captured" == capture.status for capture in found), found
    return found


def forged(capture: PacketCapture) -> PacketFacts:
    (packet, *_) = (p for p in capture.packets if p.way == "back" and set(p.flags) & set("RF"))
    return packet


@pytest.mark.parametrize(
    ("name", "flags", "payload"),
    [
        ("reset-beside.example", "RA", 0), ("reset-between.example", "R", 0),
        ("reset-both.example", "R", 0), ("fin-beside.example", "FA", 0),
        ("fin-between.example", "FA", 0), ("page-beside.example", "FPA", len(PAGE)),
    ],
)
def test_what_was_forged_is_on_record_as_it_was_sent(
    captures: list[PacketCapture], name: str, flags: str, payload: int
) -> None:
    for capture in of(captures, name):
        packet = forged(capture)
        assert (flags, SENT_TTL - HOPS_BEFORE, 1400, 7, payload, 1, capture.ip) == (
            packet.flags, packet.ttl, packet.window, packet.ip_id, packet.payload, packet.seq,
            packet.source,
        )


def test_a_connection_that_nobody_disturbs_is_whole(captures: list[PacketCapture]) -> None:
    (capture,) = of(captures, FREE_NAME)
    anew = {(p.way, p.flags, p.seq): p for p in reversed(capture.packets)}  # and not repeated
    first = sorted(anew.values(), key=lambda p: p.t)[:3]
    assert ["S", "SA", "A"] == [p.flags for p in first]
    assert [0, 0, 1] == [p.seq for p in first]
    times = [p.t for p in capture.packets]
    assert capture.t0 <= times[0]
    assert times[-1] <= capture.t
    assert 0.03 < first[1].t - first[0].t, "six wires of 5 ms, there and back"
    assert {SENT_TTL - HOPS_BEFORE}.isdisjoint(p.ttl for p in capture.packets)
    assert 0 == capture.dropped


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("reset-beside.example", "on-path"), ("reset-both.example", "on-path"),
        ("fin-beside.example", "on-path"), ("page-beside.example", "on-path"),
        ("reset-between.example", "in-path"), ("fin-between.example", "in-path"),
    ],
)
def test_beside_the_path_or_in_it(
    captures: list[PacketCapture], name: str, position: str
) -> None:
    met = of(captures, name)
    port = met[0].port
    results = [
        (Test(step=name, ip=e.ip, port=port, began=e.t0, ended=e.t, end="tls reset"), SAME)
        for e in met
    ]
    results += [
        (Test(step=FREE_NAME, ip=e.ip, port=port, began=0, ended=1), FREE) for e in met
    ]
    assert position == packet_columns(met, results, "tls")["position"]


def test_over_ipv6_there_is_no_identification_and_all_else_is_the_same(country: Country) -> None:
    (capture,) = visit(country, ["reset-beside.example"], at=[SITE_6])
    packet = forged(capture)
    assert ("RA", SENT_TTL - HOPS_BEFORE, 1400, None, SITE_6) == (
        packet.flags, packet.ttl, packet.window, packet.ip_id, packet.source
    )
    met = Test(step=capture.step, ip=SITE_6, port=443, began=capture.t0, ended=capture.t)
    assert "on-path" == packet_columns([capture], [(met, SAME)], "tls")["position"]
    home_6 = ipaddress.ip_address(HOME_ADDRESSES[1]).packed
    assert not [raw for raw in capture.raw if home_6 in raw]


def test_no_byte_of_the_households_address_is_kept(captures: list[PacketCapture]) -> None:
    kept = msgspec.json.encode(captures) + b"".join(raw for e in captures for raw in e.raw)
    for address in HOME_ADDRESSES:
        assert address.encode() not in kept
        assert ipaddress.ip_address(address).packed not in kept
    assert ipaddress.ip_address(captures[0].ip).packed in kept


def test_another_programs_visit_at_the_same_time_is_not_kept(country: Country) -> None:
    sites = " ".join(f"-o /dev/null https://{site}/" for site in SITES[:5])
    busy = f"while :; do curl -sk --max-time 2 {sites}; done"
    other = country.command(Place.HOME, ["sh", "-c", busy])
    try:
        captures = visit(country, [FREE_NAME] * 5)
    finally:
        other.kill()
        other.wait()
    assert 5 == len(captures)
    kept = [capture for capture in captures if capture.packets]
    assert kept  # beyond a thousand packets in a second, some of the other's, none is read
    for capture in kept:
        ours = {p.sport if p.way == "out" else p.dport for p in capture.packets}
        assert 1 == len(ours), ours
        assert 1 == sum("S" == p.flags for p in capture.packets)


def test_without_the_capability_the_record_says_so(country: Country) -> None:
    said = visit(country, ["reset-beside.example", FREE_NAME], may_capture=False)
    assert [("not_captured", ())] * 2 == [(e.status, e.packets) for e in said]
    assert all("Operation not permitted" in e.detail for e in said)


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump")
def test_tcpdump_reads_what_was_captured(captures: list[PacketCapture], tmp_path: Path) -> None:
    measurement = Measurement(
        id="m", run_id="r", nettest="diagnosis", nettest_version="1", url="", evidence=(*captures,)
    )
    file = tmp_path / "p.pcap"
    file.write_bytes(pcap.HEADER + b"".join(pcap.records(measurement)))
    read = subprocess.run(
        ["tcpdump", "-n", "-r", file], capture_output=True, text=True, check=True
    )
    assert sum(len(e.packets) for e in captures) == len(read.stdout.splitlines())
