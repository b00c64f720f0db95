"""Real relays, in the lab: each proves to be itself, and who pretends does not."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio

from lab.country import Country, Ready
from lab.stage import ZOND
from lab.tor.network import PLACE, TorNetwork
from lab.tor.plan import AUTHORITIES, RELAYS, SMALL, by_kind
from lab.world import Place
from probe.control.client import ControlClient
from probe.evidence import AnyEvidence, HTTPExchange, RelayLink
from probe.failure import Failure
from probe.net import TrioNetwork
from probe.nettest import Context, discover
from probe.steps.certificate import Verifier
from probe.steps.engine import engine
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.tor.consensus import MAX_CERTIFICATES, MAX_CONSENSUS, read_consensus, read_keys
from probe.tor.directory import Directory, NoDocument, fetch
from probe.trace import Trace
from probe.wire.ja4 import ja4
from probe.wire.tls import client_hello, handshake_message
from testlists import Shelf
from testlists.target import Target
from tests.certificates import authority
from tests.tor.relays import Keys, said

pytestmark = pytest.mark.lab

PUBLIC = by_kind(SMALL, "authority", "relay")
UNUSED = RELAYS[-1].address  # of a relay that is not in the network
PATIENCE = 120.0  # seconds for what takes some; on a busy machine, many


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Country, TorNetwork]]:
    with Country() as country, TorNetwork(
        country, tmp_path_factory.mktemp("tor"), PUBLIC
    ) as tor:
        yield country, tor


def listed(tor: TorNetwork) -> dict[str, Target]:
    """Every authority and relay of the network, as a list has them, by name."""
    found = {}
    for daemon in PUBLIC:
        known = tor.identity(daemon)
        kind = "or_port_dirauth" if daemon.kind == "authority" else "or_port"
        found[daemon.name] = Target(
            url=f"tor://{daemon.address}:{daemon.or_port}",
            attributes=(
                ("relay", kind), ("nickname", daemon.name), ("fingerprint", known.fingerprint),
                ("ed25519", known.ed25519), ("dir_port", str(daemon.dir_port)),
            ),
        )  # fmt: skip
    return found


def look(ready: Ready, targets: list[Target], folder: Path, vantage: str = "probe") -> None:
    """Measure *targets* at once, and write down the records of each. Says that it is ready twice:
    when it begins and when all is written."""
    ready()

    async def one(number: int, target: Target) -> None:
        tools = Tools(
            net=TrioNetwork(), resolvers=Resolvers(own=(), public=(), dot=(), doh=()),
            verifier=Verifier(None), ipv6=True,
        )  # fmt: skip
        trace = Trace(vantage=vantage)
        async with ControlClient(()) as nobody:
            context = Context(tools=tools, trace=trace, controls=nobody)
            await discover()["tor_reachability"].run(context, target)
        (folder / f"{number}.json").write_bytes(msgspec.json.encode(trace.records))

    async def everything() -> None:
        async with trio.open_nursery() as nursery:
            for number, target in enumerate(targets):
                nursery.start_soon(one, number, target)

    trio.run(everything)
    ready()


def seen(
    country: Country, targets: list[Target], folder: Path, vantage: str = "probe"
) -> list[list[AnyEvidence]]:
    """The records of each of *targets*, from the volunteer's home."""
    folder.mkdir(exist_ok=True)
    country.start(Place.HOME, look, targets, folder, vantage).await_ready(PATIENCE)
    read = partial(msgspec.json.decode, type=list[AnyEvidence])
    return [read((folder / f"{n}.json").read_bytes()) for n, _ in enumerate(targets)]


def pretend(ready: Ready, ip: str, certificate: bytes) -> None:
    """A TLS server that says what a relay would say first, and cannot prove it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority("good").issue_cert("www.example.org").configure_cert(context)

    async def serve(stream: trio.SocketStream) -> None:
        inside = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        await inside.do_handshake()
        if await inside.receive_some(100):
            await inside.send_all(certificate)

    async def listen() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(trio.serve_tcp, serve, 9001, host=ip))
            ready()

    trio.run(listen)


def links(records: list[AnyEvidence], kind: str) -> list[RelayLink]:
    return [e for e in records if isinstance(e, RelayLink) and e.relay == kind]


def test_every_relay_of_the_network_proves_to_be_itself(
    network: tuple[Country, TorNetwork], tmp_path: Path
) -> None:
    country, tor = network
    targets = listed(tor)
    found = dict(zip(targets, seen(country, list(targets.values()), tmp_path), strict=True))
    for name, records in found.items():
        first = next(e for e in records if isinstance(e, RelayLink))
        assert (name, None, "proved") == (first.name, first.failure, first.identity)
        assert tor.identity(next(d for d in PUBLIC if d.name == name)).ed25519 == first.ed25519
        assert first.skew is not None
        assert abs(first.skew) < 10
    for daemon in AUTHORITIES:
        assert [None] == [e.failure for e in links(found[daemon.name], "dir_port")]


def test_a_relay_under_anothers_name_is_another(
    network: tuple[Country, TorNetwork], tmp_path: Path
) -> None:
    country, tor = network
    one, two = listed(tor)["zwiebelfreunde"], listed(tor)["scaleway"]
    mixed = Target(url=one.url, attributes=two.attributes)
    (records,) = seen(country, [mixed], tmp_path)
    assert [(Failure.TLS_INVALID_HOSTNAME, "other")] * 2 == [
        (e.failure, e.identity) for e in links(records, "or_port")
    ]
    assert one.attribute("fingerprint") == links(records, "or_port")[0].fingerprint
    # What lies beside it: a real relay's directory answers, and its port takes any TLS.
    assert [None] == [e.failure for e in links(records, "dir_port")]
    assert [None] == [e.failure for e in links(records, "non_tor_tls")]
    assert [Failure.CONNECTION_REFUSED] == [
        e.failure for e in links(records, "relay_other_port")
    ]
    (page,) = (e for e in records if isinstance(e, HTTPExchange))
    assert 200 == page.status


def test_a_tls_server_that_pretends_is_told_from_a_relay(
    network: tuple[Country, TorNetwork], tmp_path: Path
) -> None:
    country, tor = network
    told = listed(tor)["zwiebelfreunde"]
    country.start(PLACE, pretend, UNUSED, said(Keys().certificates()))
    target = Target(url=f"tor://{UNUSED}:9001", attributes=told.attributes)
    (records,) = seen(country, [target], tmp_path)
    first = links(records, "or_port")[0]
    assert (Failure.TLS_INVALID_CERTIFICATE, "unproved", "identity") == (
        first.failure, first.identity, first.operation,
    )


def test_zond_tor_refresh_draws_a_list_in_the_country(
    network: tuple[Country, TorNetwork], tmp_path: Path
) -> None:
    country, tor = network
    idents = dict(re.findall(r"DirAuthority (\S+) .*?v3ident=(\S+)", tor.torrc))
    lines = [
        f"tor://{d.address}:{d.or_port},or_port_dirauth,{d.name},"
        f"{tor.identity(d).fingerprint},{d.dir_port},{idents[d.name]}"
        for d in AUTHORITIES
    ]
    listed = tmp_path / "authorities.csv"
    listed.write_text("\n".join(["url,relay,nickname,fingerprint,dir_port,v3ident", *lines]))
    env = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")}
    relays = by_kind(PUBLIC, "relay")
    wanted = (0, "", {"relays": len(relays), "signers": 3, "authorities": 3})
    end = time.monotonic() + PATIENCE
    while True:  # a vote that one of the three has missed is not signed by it, or lacks somebody
        with country.command(
            Place.HOME, [ZOND, "tor", "refresh", "--authorities", listed, "--yes", "--json"],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as command:  # fmt: skip
            said, complaints = command.communicate(timeout=PATIENCE)
        facts = json.loads(said or "{}")
        found = (command.returncode, complaints, {name: facts.get(name) for name in wanted[2]})
        if found == wanted or time.monotonic() > end:
            break
        time.sleep(1)
    assert wanted == found
    targets, problems = Shelf(tmp_path / "data" / "zond" / "lists").book("tor-consensus").targets()
    assert [] == problems
    listed_at = {t.url for t in targets}
    for daemon in relays:
        assert f"tor://{daemon.address}:{daemon.or_port}" in listed_at
        assert not daemon.address6 or f"tor://[{daemon.address6}]:9001" in listed_at


def ask(ready: Ready, ways: list[Directory], ending: str, folder: Path) -> None:
    """Get the keys and the consensus by each of *ways*. Says that it is ready as `look` does."""
    ready()

    async def everything() -> None:
        net = TrioNetwork()
        for number, way in enumerate(ways):
            for name, path, most in (
                ("keys", "/tor/keys/all.z", MAX_CERTIFICATES),
                ("consensus", f"/tor/status-vote/current/consensus{ending}.z", MAX_CONSENSUS),
            ):
                document = await patiently(net, way, path, most)
                (folder / f"{number}.{name}").write_bytes(document)

    trio.run(everything)
    ready()


async def patiently(net: TrioNetwork, way: Directory, path: str, most: int) -> bytes:
    """The document, once it is there and everybody's: a network that votes each few seconds has
    moments without, and votes that somebody missed."""
    with trio.fail_after(PATIENCE / 2):
        while True:
            with suppress(NoDocument):
                document = await fetch(net, way, path, max_bytes=most)
                if "consensus" not in path or is_everybodys(document):
                    return document
            await trio.sleep(0.5)


def is_everybodys(consensus: bytes) -> bool:
    listed = {line.split()[1].decode() for line in consensus.splitlines() if line[:2] == b"r "}
    return consensus.count(b"\ndirectory-signature ") == 3 and listed >= {d.name for d in PUBLIC}


@pytest.mark.parametrize("ending", ["", "-microdesc"])
def test_the_consensus_comes_from_any_directory_and_is_verified(
    network: tuple[Country, TorNetwork], tmp_path: Path, ending: str
) -> None:
    country, tor = network
    one, relay = AUTHORITIES[0], RELAYS[0]
    ways = [
        Directory(name="port", ip=one.address, dir_port=one.dir_port),
        Directory(
            name="tunnel", ip=one.address, or_port=one.or_port,
            fingerprint=tor.identity(one).fingerprint,
        ),
        Directory(
            name="relay", ip=relay.address, or_port=relay.or_port,
            ed25519=tor.identity(relay).ed25519,
        ),
    ]  # fmt: skip
    country.start(Place.HOME, ask, ways, ending, tmp_path).await_ready(PATIENCE)
    for number, _ in enumerate(ways):
        keys = read_keys((tmp_path / f"{number}.keys").read_bytes())
        authorities = {key.v3ident for key in keys}
        assert 3 == len(authorities)
        consensus = read_consensus(
            (tmp_path / f"{number}.consensus").read_bytes(), keys, authorities
        )
        assert authorities == consensus.signers
        assert {d.name: tor.identity(d).fingerprint for d in PUBLIC} == {
            r.nickname: r.fingerprint for r in consensus.relays
        }
        # Nobody but an authority tells of a directory port any more.
        assert {
            (d.address, d.or_port, d.dir_port if d.kind == "authority" else 0) for d in PUBLIC
        } == {(r.ip, r.or_port, r.dir_port) for r in consensus.relays}


def overhear(ready: Ready, ip: str, port: int, file: Path) -> None:
    """Take what a client says first, and write it down."""
    with socket.create_server((ip, port)) as server:
        ready()
        there, _ = server.accept()
        with there:
            hello = b""
            while True:
                hello += there.recv(65536)
                with suppress(ValueError):
                    handshake_message(hello)
                    break
            file.with_suffix(".new").write_bytes(hello)
            file.with_suffix(".new").rename(file)


def test_our_hello_is_the_one_of_the_tor_on_this_machine(
    network: tuple[Country, TorNetwork], tmp_path: Path
) -> None:
    country, _ = network
    country.start(PLACE, overhear, UNUSED, 9005, tmp_path / "hello")
    (tmp_path / "torrc").write_text(
        f"DataDirectory {tmp_path}/client\nSocksPort 0\nUseBridges 1\nBridge {UNUSED}:9005\n"
    )
    argv = ["tor", "--hush", "-f", str(tmp_path / "torrc"), "--defaults-torrc", "/dev/null"]
    client = country.command(Place.HOME, argv, stdout=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE
    while not (tmp_path / "hello").exists() and time.monotonic() < end:
        time.sleep(0.1)
    client.kill()
    theirs = client_hello(handshake_message((tmp_path / "hello").read_bytes()))
    ours = client_hello(handshake_message(engine("www.example.com", hello="tor").hello()))
    assert ja4(theirs) == ja4(ours)
    # TLS 1.3's three suites come first, and in an order of their own.
    assert theirs.ciphers[3:] == ours.ciphers[3:]
    assert [kind for kind, _ in theirs.extensions] == [kind for kind, _ in ours.extensions]


def test_a_tunnel_carries_more_than_a_relay_sends_without_being_asked_for_more(
    network: tuple[Country, TorNetwork], tmp_path: Path
) -> None:
    country, tor = network
    page = b"<p>some words</p>" + random.Random(1).randbytes(300_000).hex().encode()
    (tmp_path / "page").write_bytes(page)
    (tmp_path / "torrc").write_text(
        f"{tor.torrc}DataDirectory {tmp_path}/data\nNickname big\nSocksPort 0\n"
        f"ORPort {UNUSED}:443\nAddress {UNUSED}\nOutboundBindAddress {UNUSED}\n"
        f"DirPort {UNUSED}:80\nDirPortFrontPage {tmp_path}/page\nExitRelay 0\n"
    )
    argv = ["tor", "--hush", "-f", str(tmp_path / "torrc"), "--defaults-torrc", "/dev/null"]
    with country.command(PLACE, argv, stdout=subprocess.DEVNULL) as relay:
        country.start(Place.HOME, ask_patiently, UNUSED, tmp_path / "got").await_ready(PATIENCE)
        relay.kill()
    assert page == (tmp_path / "got").read_bytes()


def ask_patiently(ready: Ready, ip: str, file: Path) -> None:
    """Get the front page by a tunnel, once there is somebody to ask. Ready as `look` is."""
    ready()

    async def page() -> bytes:
        way = Directory(name="big", ip=ip, or_port=443)
        with trio.fail_after(PATIENCE / 2):
            while True:
                try:
                    return await fetch(TrioNetwork(), way, "/", max_bytes=1_000_000)
                except NoDocument:
                    await trio.sleep(0.2)  # it is starting

    file.write_bytes(trio.run(page))
    ready()
