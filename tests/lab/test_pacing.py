"""How loud a run is, told by the wire: a capture at the household's end of the line.

The limits are promises about what an operator's scan detector sees, so they are held
against packets and not against what the probe believes to have done. The tolerance is
lateness: a turn is used when the event loop comes by, and a packet is stamped when the
wire's process does, so on a busy machine some may meet those that follow.
"""

from __future__ import annotations

import ipaddress
import struct
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import DEVNULL

import pytest

from lab.packet import ACK, SYN, TCP, UDP, parse
from lab.sites import Article, Redirect, Site
from lab.stage import CONTROLS, DELAYS, Setting, Stage
from lab.topology import HOME_ADDRESSES
from lab.wire import WireSettings
from lab.world import Wire, World
from lab.worlds.fixtures import NEUTRAL, SITES
from lab.worlds.plan import build, known, truly
from probe.config import Limits
from probe.surroundings.resolvers import Resolvers

pytestmark = pytest.mark.lab

LATE = 0.25  # seconds from a turn to the stamp of its packet, at most
WINDOW = 1.0  # seconds
SHARED = "51.38.200.10"
NEIGHBOURS = tuple(f"51.68.200.{n}" for n in range(10, 40))
NAMES_AT_SHARED = 6


@dataclass(frozen=True)
class Sent:
    """A packet that left home: *at* in seconds, *syn* of a new connection."""

    at: float
    to: str
    protocol: int
    port: int
    sport: int
    seq: int
    syn: bool


def sent(capture: Path) -> list[Sent]:
    """What home has sent, in its order. Whatever cannot be read fails the test."""
    data = capture.read_bytes()
    home = {ipaddress.ip_address(address).packed for address in HOME_ADDRESSES}
    found, at = [], 24
    while at < len(data):
        seconds, micro, length, whole = struct.unpack_from("<IIII", data, at)
        assert length == whole
        packet = parse(data[at + 16 : at + 16 + length])
        at += 16 + length
        assert packet is not None
        if packet.source in home:
            syn = packet.protocol == TCP and packet.flags & (SYN | ACK) == SYN
            found.append(
                Sent(
                    seconds + micro / 1e6, str(ipaddress.ip_address(packet.destination)),
                    packet.protocol, packet.dport, packet.sport, packet.seq, syn,
                )
            )  # fmt: skip
    return found


def first_syns(packets: Iterable[Sent]) -> list[Sent]:
    """One for each connection, repetitions left out; not those to the controls."""
    controls = {address for _, _, addresses in CONTROLS for address in addresses}
    seen = set()
    first = []
    for packet in packets:
        key = (packet.to, packet.port, packet.sport, packet.seq)
        if packet.syn and packet.to not in controls and key not in seen:
            seen.add(key)
            first.append(packet)
    return first


def most_in_a_window(times: list[float]) -> int:
    """The most of *times* (sorted) that lie in any window."""
    return max(bisect_left(times, start + WINDOW) - n for n, start in enumerate(times))


def allowed(per_second: float) -> float:
    # One more than the rate fits into a window that is closed at both ends.
    return per_second * (WINDOW + LATE) + 1


def network(ip: str) -> str:
    length = 48 if ":" in ip else 24
    return str(ipaddress.ip_network(f"{ip}/{length}", strict=False))


def at_one_address() -> Iterator[World]:
    """Targets at one address, as behind a content network."""
    names = tuple(f"www.shared-{n}.org" for n in range(NAMES_AT_SHARED))
    for name in names:
        site = Site(
            names=(name,), addresses=(SHARED,), http=Redirect(), https=Article(name), h2=True
        )
        yield World(
            name=name, url=f"https://{name}/", truth=truly("ok"), sites=(site,), zone=(known(site),)
        )


def in_one_network() -> Iterator[World]:
    for ip in NEIGHBOURS:
        name = f"www.neighbour-{ip.rpartition('.')[2]}.org"
        site = Site(names=(name,), addresses=(ip,), http=Redirect(), https=Article(name))
        yield World(
            name=name, url=f"https://{name}/", truth=truly("ok"), sites=(site,), zone=(known(site),)
        )


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Stage]]:
    """A run at the default limits over some 70 targets: many at once, some of them aimed home."""
    folder = tmp_path_factory.mktemp("pacing")
    worlds = [
        *at_one_address(), *in_one_network(),
        *(build("plain_site", n) for n in range(20)),
        *(build("many_addresses", n) for n in range(4)),
        *(build("dns_bogon", n) for n in range(8)),
    ]  # fmt: skip
    line = WireSettings(delay=DELAYS[Wire.LINE], capture=folder / "line.pcap")
    with Stage(worlds, folder, Setting(wires={Wire.LINE: line})) as stage:
        refused = stage.zond(
            "run", "--list", stage.list_file, "--db", folder / "refused.db",
            stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL,
        )  # fmt: skip
        assert 4 == refused.wait()
        assert [] == sent(folder / "line.pcap")  # nothing before consent
        done = stage.run(folder / "zond.db", "--seed", "5", "--concurrency", "50")
        assert 0 == done.returncode, done.stderr
        yield folder / "line.pcap", stage


@pytest.fixture(scope="module")
def syns(capture: tuple[Path, Stage]) -> list[Sent]:
    return first_syns(sent(capture[0]))


def test_connections_a_second_stay_under_the_limit(syns: list[Sent]) -> None:
    rate = Limits().connections_per_second
    most = most_in_a_window([syn.at for syn in syns])
    assert most <= allowed(rate)
    assert most > rate / 2  # the run was in a hurry, and the limit has held it


@pytest.mark.parametrize(
    ("limit", "key"), [("per_address", str), ("per_network", network)], ids=["address", "network"]
)
def test_no_address_and_no_network_is_met_faster_than_its_limit(
    syns: list[Sent], limit: str, key: type[str]
) -> None:
    resolvers = encrypted_resolvers(syns)
    times: dict[str, list[float]] = defaultdict(list)
    for syn in syns:
        if syn.to not in resolvers:
            times[key(syn.to)].append(syn.at)
    rate = getattr(Limits(), limit)
    loud = {k: n for k, v in times.items() if (n := most_in_a_window(v)) > allowed(rate)}
    assert {} == loud
    assert max(map(most_in_a_window, times.values())) >= rate  # some have met the limit


def test_targets_that_share_an_address_take_turns_at_it(syns: list[Sent]) -> None:
    times = [syn.at for syn in syns if syn.to == SHARED]
    # Each is visited over http and https, which is two connections at least.
    assert len(times) >= 2 * NAMES_AT_SHARED
    assert times[-1] - times[0] >= (len(times) - 1) / Limits().per_address - LATE


def test_encrypted_resolvers_are_met_at_their_own_limit(syns: list[Sent]) -> None:
    for resolver in encrypted_resolvers(syns):
        times = [syn.at for syn in syns if syn.to == resolver]
        assert most_in_a_window(times) <= allowed(Limits().per_resolver)


def test_no_packet_goes_to_a_private_address(capture: tuple[Path, Stage]) -> None:
    # The standard library's judgement here, since the probe's own list is on trial.
    packets = sent(capture[0])
    wrong = {p.to for p in packets if not ipaddress.ip_address(p.to).is_global}
    assert set() == wrong
    assert len(packets) > 1000


def test_datagrams_go_to_resolvers_at_their_limits(capture: tuple[Path, Stage]) -> None:
    datagrams = [p for p in sent(capture[0]) if p.protocol == UDP]
    assert {53} == {p.port for p in datagrams}
    # Where no resolver is, the ladder asks as well; more slowly than any resolver.
    assert len({p.to for p in datagrams} - NEUTRAL_ADDRESSES) <= 4
    # Ours have a socket each. The system's resolver sends its two from one, when it
    # likes: we wait for their turn before we ask it, and cannot hold it to that.
    sockets = Counter((p.to, p.sport) for p in datagrams)
    ours = [p for p in datagrams if sockets[p.to, p.sport] == 1]
    # Enough to tell; how many the system's resolver repeats is how busy the machine is.
    assert len(ours) > Limits().datagrams_per_second
    assert most_in_a_window([p.at for p in ours]) <= allowed(Limits().datagrams_per_second)
    for resolver in {p.to for p in ours}:
        times = [p.at for p in ours if p.to == resolver]
        assert most_in_a_window(times) <= allowed(Limits().datagrams_per_resolver)


NEUTRAL_ADDRESSES = {ip for site in SITES if set(site.names) & {*NEUTRAL} for ip in site.addresses}


def encrypted_resolvers(syns: Iterable[Sent]) -> set[str]:
    known_ones = Resolvers()
    return {ip for _, ip in (*known_ones.dot, *known_ones.doh)} & {syn.to for syn in syns}


def test_a_repeated_syn_is_no_new_connection() -> None:
    one = Sent(at=1.0, to=SHARED, protocol=TCP, port=443, sport=40000, seq=7, syn=True)
    again = replace(one, at=2.0)
    other = replace(one, at=3.0, sport=40001, seq=9)
    assert [one, other] == first_syns([one, again, other])
