"""What relays, directories and people with bridges hand to the part about Tor."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from bench.fuzzing.target import target
from probe.tor import bootstrap_log, bridges, cells, circuit, consensus, first_seen
from probe.tor.bootstrap_torrc import BadNetwork, read_network
from probe.tor.certificates import Unproved, prove
from tests.tor import consensuses, relays


@cache
def _keys() -> relays.Keys:
    return relays.Keys()


def links() -> Iterator[bytes]:
    yield relays.said(_keys().certificates(), clock=1_795_000_000.0)
    yield relays.versions(3, 4)


@target("tor_link", "probe.tor.cells", seeds=links, refuses=(cells.BadLink,))
def tor_link(data: bytes) -> None:
    """What a relay says until it has introduced itself, and its certificates."""
    link = cells.Link()
    link.hello()
    half = len(data) // 2
    introduced = link.receive(data[:half]) or link.receive(data[half:])
    if introduced is not None:
        _proved(introduced.certificates, _keys().tls_der)


@target(
    "tor_certificates", "probe.tor.certificates", "probe.tor.cells",
    seeds=lambda: [relays.certs_body(_keys().certificates())],
    refuses=(cells.BadLink, Unproved), most=4096,
)  # fmt: skip
def tor_certificates(data: bytes) -> None:
    """The certificates of a relay's CERTS cell."""
    prove(cells._certificates(data), _keys().tls_der)


def _proved(certificates: object, der: bytes) -> None:
    try:
        prove(certificates, der)  # type: ignore[arg-type]
    except Unproved:
        pass


@target(
    "tor_circuit", "probe.tor.circuit", "probe.tor.cells", refuses=(cells.BadLink,),
    seeds=lambda: (bytes(509), b"\x02" + bytes(600), b"\x03\0\0\0\x01\0\0\0\0\0\x10" + b"x" * 500),
)  # fmt: skip
def tor_circuit(data: bytes) -> None:
    """Relay cells of a circuit that stands; their digests are right, what is in them is not."""
    tunnel = circuit.Tunnel()
    tunnel.begin()
    seed = tunnel._seed + bytes(20)
    stretched = _stretched(seed)
    body = (bytes(20) + stretched[:20]).ljust(509, b"\0")
    tunnel.receive(cells.Cell(circuit.CIRCUIT, circuit.CREATED_FAST, body))
    server = circuit._Side(stretched[40:60], stretched[76:92])
    for at in range(0, min(len(data), 4 * 509), 509):
        plain = data[at : at + 509].ljust(509, b"\0")
        plain = plain[:1] + b"\0\0" + plain[3:5] + bytes(4) + plain[9:]
        digest = server.count(plain)[:4]
        cell = cells.Cell(
            circuit.CIRCUIT, circuit.RELAY, server.crypt(plain[:5] + digest + plain[9:])
        )
        _, brought = tunnel.receive(cell)
        assert len(brought) <= circuit.MAX_DATA


def _stretched(seed: bytes) -> bytes:
    import hashlib

    return b"".join(hashlib.sha1(seed + bytes([i])).digest() for i in range(5))


@cache
def _authorities() -> tuple[consensuses.Authority, ...]:
    return tuple(consensuses.Authority() for _ in range(2))


def documents() -> Iterator[bytes]:
    entries = [
        consensuses.entry(1, more=("[2001:db8::1]:9001",)),
        consensuses.entry(2, dir_port=80, flags="Authority Guard"),
    ]
    yield consensuses.consensus(_authorities(), entries).encode()
    micro = [consensuses.entry(1, micro=True)]
    yield consensuses.consensus(_authorities(), micro, micro=True).encode()
    yield "".join(a.certificate() for a in _authorities()).encode()


@target(
    "tor_consensus", "probe.tor.consensus", seeds=documents, most=16384,
    refuses=(consensus.BadConsensus, Unproved),
    words=(b"\nr ", b"\ns ", b"\na [", b"\ndirectory-signature ",
    b"\nvalid-after 9999-12-31 23:59:59\n"),
)  # fmt: skip
def tor_consensus(data: bytes) -> None:
    """Consensuses and key certificates."""
    keys = consensus.read_keys("".join(a.certificate() for a in _authorities()).encode())
    named = [a.v3ident for a in _authorities()]
    for read in (
        lambda: consensus.read_keys(data),
        lambda: consensus.unverified(data),
        lambda: consensus.read_consensus(data, keys, named),
    ):
        _refusable(read)


def _refusable(read: Callable[[], object]) -> None:
    try:
        read()
    except (consensus.BadConsensus, Unproved):
        pass


def onionoo() -> Iterator[bytes]:
    yield (
        b'{"relays":[{"fingerprint":"%s","first_seen":"2016-12-20 00:00:00","last_seen":'
        b'"2026-11-01 00:00:00","or_addresses":["[2001:db8::1]:443"],"dir_address":"192.0.2.1:80",'
        b'"flags":["Authority"]}],"bridges":[{"hashed_fingerprint":"%s","first_seen":'
        b'"2020-01-01 00:00:00","last_seen":"2020-01-01","transports":["obfs4"],'
        b'"bridgedb_distributor":"moat"}]}' % (b"A" * 40, b"B" * 40)
    )
    yield next(documents())


@target(
    "tor_first_seen", "probe.tor.first_seen", seeds=onionoo, json=True,
    refuses=(first_seen.BadDocument,),
)  # fmt: skip
def tor_first_seen(data: bytes) -> None:
    """Onionoo's details, and CollecTor's consensuses."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        first_seen.read([Path(file.name)])


LINE = f"obfs4 192.0.2.7:443 {'A' * 40} cert=abc/+def iat-mode=0"


@target(
    "bridge_lines", "probe.tor.bridges", refuses=(bridges.BadBridges,),
    seeds=lambda: (LINE.encode(), f"# mine\nBridge [2001:db8::1]:1\n{LINE}\n".encode()),
    words=(b" url=https://x/", b"\n", b'"', b"#", b"\\", b" " * 500, b"=" * 500),
)  # fmt: skip
def bridge_lines(data: bytes) -> None:
    """A file of bridge lines."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        for bridge in bridges.read(Path(file.name)):
            assert bridge == bridges.parse(bridge.line)
            assert not set(bridge.line) & set('\n\r"#\\')


@target(
    "torrc_network", "probe.tor.bootstrap_torrc", refuses=(BadNetwork,),
    seeds=lambda: (b"# a lab\nTestingTorNetwork 1\nDirAuthority a 192.0.2.1:80 AAAA\n",),
)  # fmt: skip
def torrc_network(data: bytes) -> None:
    """The file that describes a Tor network."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        for line in read_network(Path(file.name)):
            assert "\n" not in line and "\r" not in line


@target(
    "tor_log", "probe.tor.bootstrap_log",
    seeds=lambda: (
        b"Nov 22 [notice] Tor 0.4.9.11 (a) running on Linux\nx [notice] Bootstrapped 5% (conn):",
        b"Nov 22 [warn] Problem bootstrapping. Stuck at 5% (conn): C. (R; CONNECTREFUSED; count 3;",
        b"Nov 22 [err] Could not launch managed proxy executable at '/x'",
    ),
    words=(b" Bootstrapped ", b"; ", b" [warn] Managed proxy ", b" running on ", b"A" * 300),
)  # fmt: skip
def tor_log(data: bytes) -> None:
    """What `tor` says in its log."""
    progress = bootstrap_log.Progress()
    for line in data.decode("utf-8", "replace").splitlines():
        progress.take(line)
    assert len(progress.complaint) <= bootstrap_log.MAX_COMPLAINT
    assert len(progress.troubles) <= bootstrap_log.MAX_TROUBLES and progress.percent <= 100
