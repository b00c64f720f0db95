"""Censors that are choosy about hellos, and what a split one is on the wire."""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from lab import packet
from lab.censors import SNIReset
from lab.packet import RST, TCP
from lab.stage import Setting, Stage
from lab.wire import WireSettings
from lab.world import Wire, World
from lab.worlds.plan import Plan, build, truly
from probe.evidence import PROBE, Measurement, TLSHandshake
from probe.failure import Failure
from probe.steps import browser
from probe.steps.engine import Hello, engine
from probe.store import Store
from probe.wire.tls import name_in
from probe.wire.url import parse
from tests.lab.test_censors import NAME, Talk

ALPN = ("h2", "http/1.1")
HELLOS: tuple[Hello, ...] = ("browser", "python")

needs_browser = pytest.mark.skipif(not browser.available(), reason="utls is not installed")


def resets(talk: Talk, *pieces: bytes) -> bool:
    """Whether any of *pieces*, sent one after the other, is answered by a reset."""
    return any(RST & answer.flags for piece in pieces for answer in talk.out(piece))


@needs_browser
@pytest.mark.parametrize("hello", HELLOS)
def test_a_box_that_reads_single_packets_misses_a_name_cut_in_two(hello: Hello) -> None:
    said = engine(NAME, ALPN, hello=hello).hello()
    at = name_in(said, NAME)
    assert at is not None
    cut = sum(at) // 2
    for reassembles in (True, False):
        rule = SNIReset(names=(NAME,), reassembles=reassembles)
        assert resets(Talk(rule).shake(), said)
        assert reassembles == resets(Talk(rule).shake(), said[:cut], said[cut:])


@needs_browser
def test_a_box_that_reads_single_packets_finds_a_name_in_the_first_of_two() -> None:
    said = engine(NAME, ALPN, hello="browser").hello()
    rule = SNIReset(names=(NAME,), reassembles=False)
    assert resets(Talk(rule).shake(), said[: browser.EARLY])


@needs_browser
@pytest.mark.parametrize("reassembles", [True, False])
def test_a_box_may_mind_one_kind_of_hello_only(reassembles: bool) -> None:
    for minded in HELLOS:
        rule = SNIReset(names=(NAME,), hellos=minded, reassembles=reassembles)
        for sent in HELLOS:
            said = engine(NAME, ALPN, hello=sent).hello()
            assert (minded == sent) == resets(Talk(rule).shake(), said)


def test_no_bytes_break_the_reader_at_a_glance() -> None:
    said = engine(NAME, ALPN, hello="python").hello()
    at = name_in(said, NAME)
    assert at is not None
    for size in range(len(said)):
        seen = packet.client_hello_at_a_glance(said[:size])
        assert (size >= at[1]) == (seen is not None and seen.name == NAME)


def minds_python(seed: int) -> World:
    """A world whose censor resets what has Python's hello, and no other."""
    plan = Plan("reset_by_name_in_pythons_hellos", 500, seed)
    plan.scheme = "https"
    censors = plan.censors(SNIReset(names=(plan.host,), hellos="python"), at=(Wire.LINE,))
    return plan.world_of(truly("ok"), plan.site(), censors=censors)


def follow_ups(store: Store, url: str) -> dict[str, list[TLSHandshake]]:
    """The handshakes of each rung that *url* was followed up with."""
    found: dict[str, list[TLSHandshake]] = defaultdict(list)
    for plain in measured(store, url):
        for follow_up in store.follow_ups(plain.id):
            for e in follow_up.evidence:
                if isinstance(e, TLSHandshake):
                    found[e.step].append(e)
    return found


def measured(store: Store, url: str) -> list[Measurement]:
    return [m for m in store.measurements() if m.url == url]


def hellos_sent(capture: Path, name: str) -> list[list[bytes]]:
    """The segments of each ClientHello with *name* that left home, in their order."""
    data, at = capture.read_bytes(), 24
    flows: dict[tuple[bytes, int], dict[int, bytes]] = defaultdict(dict)
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        seen = packet.parse(data[at + 16 : at + 16 + length])
        at += 16 + length
        if seen and (seen.protocol, seen.dport) == (TCP, 443) and seen.data:
            flows[seen.destination, seen.sport].setdefault(seen.seq, seen.data)
    found = []
    for segments in flows.values():
        hello: list[bytes] = []
        wanted = 1
        for _, segment in sorted(segments.items()):
            if len(b"".join(hello)) >= wanted:
                break
            hello.append(segment)
            wanted = 5 + int.from_bytes(hello[0][3:5], "big")
        if name_in(b"".join(hello), name) is not None:
            found.append(hello)
    return found


@pytest.mark.lab
@needs_browser
def test_the_ladder_tells_what_kind_of_hello_is_minded(tmp_path: Path) -> None:
    alone = build("reset_by_name_in_one_packet", 3)
    browsers = build("reset_by_name_in_browsers_hellos", 4)
    pythons = minds_python(5)
    setting = Setting(wires={Wire.LINE: WireSettings(delay=0.004, capture=tmp_path / "line.pcap")})
    database = tmp_path / "zond.db"
    with Stage([alone, browsers, pythons], tmp_path, setting) as stage:
        stage.run(database)
        results = stage.results(database)
    assert [] == [r for r in results if not r.right]
    with Store(database) as store:
        ends = {
            step: {(e.hello, e.failure) for e in found}
            for step, found in follow_ups(store, alone.url).items()
        }
        assert {("chrome-152", Failure.CONNECTION_RESET)} == ends["again"]
        assert {("chrome-152", None)} == ends["split_hello"]
        assert {("python", Failure.CONNECTION_RESET)} == ends["other_hello"]
        split = follow_ups(store, alone.url)["split_hello"]

        ends = {
            step: {(e.hello, e.failure) for e in found}
            for step, found in follow_ups(store, browsers.url).items()
        }
        assert {("chrome-152", Failure.CONNECTION_RESET)} == ends["again"] == ends["split_hello"]
        assert {("python", None)} == ends["other_hello"]

        assert {} == follow_ups(store, pythons.url)
        (plain,) = measured(store, pythons.url)
        here = [
            e
            for e in plain.evidence
            if isinstance(e, TLSHandshake) and e.vantage == PROBE and e.url == pythons.url
        ]
        assert {("chrome-152", None)} == {(e.hello, e.failure) for e in here}
    # What the records say of segments is what the wire saw.
    name = parse(alone.url).host
    cut = [
        hello
        for hello in hellos_sent(tmp_path / "line.pcap", name)
        if not any(name.encode() in segment for segment in hello)
    ]
    assert Counter(e.segments for e in split) == Counter(len(hello) for hello in cut)
    assert cut


@pytest.mark.lab
@needs_browser
def test_who_sends_pythons_hello_meets_who_minds_it(tmp_path: Path) -> None:
    world = replace(minds_python(6), truth=truly("blocked", "tls.reset", trigger="name"))
    database = tmp_path / "zond.db"
    with Stage([world], tmp_path, Setting(config='hello = "python"\n')) as stage:
        stage.run(database)
        results = stage.results(database)
    assert [] == [r for r in results if not r.right]
    with Store(database) as store:
        found = follow_ups(store, world.url)
    assert {("chrome-152", None)} == {(e.hello, e.failure) for e in found["other_hello"]}
    assert {("python", 2)} == {(e.hello, e.segments) for e in found["split_hello"]}
