"""A private bridge is measured, and nothing that tells which it is stays or leaves."""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from trio.testing import MockClock

from probe.asn import AddressBook
from probe.control.client import Control, ControlClient
from probe.evidence import Measurement, RelayLink, Run
from probe.failure import Failure
from probe.nettest import discover, measure
from probe.scrubbing.known import Known
from probe.scrubbing.scrub import Choices, Scrubber
from probe.steps.certificate import Verifier
from probe.store import Planned, Store
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.tor.keeping import Keeping, Kept
from probe.tor.ways import Ways
from testlists.target import Target, target_from_url
from tests.certificates import cafile
from tests.fakenet import FakeInternet, Serve, ServerEnd, fake_internet, silence
from tests.tor.relays import Keys, relay

IP, PORT, OBFS4_PORT = "93.184.216.77", 29017, 41873
KEYS = Keys()
CERT = "qUVQ0srL1JIxvO6V6m24anYXiJD3QP2HgzUKQtQ7GRqqUvs7PtG43RtAqdhLOALP7DJQ"
VANILLA = f"{IP}:{PORT} {KEYS.fingerprint}"
OBFS4 = f"obfs4 {IP}:{OBFS4_PORT} {'CDF2E852BF539B82BD10' * 2} cert={CERT} iat-mode=1"


def notations(kept: Kept) -> Iterator[tuple[str, bytes]]:
    """What would tell which bridge it is, as programs write it."""
    bridge = kept.bridge
    address = ip_address(bridge.ip)
    words = {
        "address": bridge.ip,
        "address, hexadecimal": address.packed.hex(),
        "address, a number": str(int(address)),
        "address, reversed": address.reverse_pointer.removesuffix(".in-addr.arpa"),
        "port": f":{bridge.port}",
        "port, in JSON": f'port":{bridge.port}',
        "port, a word": f" {bridge.port}",
        "fingerprint": bridge.fingerprint,
        "fingerprint, in lower case": bridge.fingerprint.lower(),
        "ed25519": KEYS.ed25519,
        "cert": CERT,
        "line": bridge.line,
    }
    for name, word in words.items():
        plain = word.encode()
        yield name, plain
        if len(plain) > 6:
            yield f"{name}, base64", base64.b64encode(plain).rstrip(b"=")[:-1]
            yield f"{name}, hexadecimal", plain.hex().encode()
    for name, raw in (
        ("address, bytes", address.packed),
        ("fingerprint, bytes", bytes.fromhex(bridge.fingerprint)),
        ("TLS certificate", KEYS.tls_der[40:80]),
    ):  # fmt: skip
        yield name, raw
        yield f"{name}, base64", base64.b64encode(raw).rstrip(b"=")[:-1]


def searched(content: bytes, *bridges: Kept) -> list[str]:
    return [name for kept in bridges for name, word in notations(kept) if word in content]


def on_disk(database: Path) -> bytes:
    """The database and all that SQLite keeps beside it."""
    return b"".join(file.read_bytes() for file in database.parent.glob(f"{database.name}*"))


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Kept, Kept]:
    keeping = Keeping(tmp_path / "own" / "bridges")
    return keeping.add(VANILLA, "email"), keeping.add(OBFS4, "telegram")


class Eavesdropper:
    """Stands before the controls, and keeps every byte that they are sent."""

    def __init__(self) -> None:
        self.heard = b""

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.heard += str(request.url).encode() + request.read()
        return httpx2.Response(500)


async def measured(
    net: FakeInternet, folder: Path, target: Target, ways: Ways, ears: Eavesdropper
) -> Measurement:
    tools = Tools(
        net=net, resolvers=Resolvers(own=(), public=(), dot=(), doh=()),
        verifier=Verifier(cafile(folder)), tor=ways,
    )  # fmt: skip
    async with (
        httpx2.AsyncClient(transport=httpx2.MockTransport(ears)) as http,
        ControlClient([Control("one", "https://control.example/")], http=http) as controls,
    ):
        (test,) = (test for test in discover().values() if test.takes(target))
        return await measure(
            test, target, run_id="r", tools=tools, controls=controls, book=AddressBook(None)
        )


@contextmanager
def listening() -> Iterator[list[str]]:
    """All that is logged meanwhile, at every level."""
    said: list[str] = []

    class Keeps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(self.format(record))

    handler, root = Keeps(0), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(0)
    try:
        yield said
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@pytest.mark.parametrize("way", ["works", "resets", "is another", "is closed"])
async def test_nothing_of_a_bridge_is_stored_sent_or_logged(
    way: str, kept: tuple[Kept, Kept], tmp_path: Path, autojump_clock: MockClock
) -> None:
    serve: dict[str, Serve] = {
        "works": relay(KEYS), "resets": ServerEnd.reset, "is another": relay(Keys())
    }  # fmt: skip
    ears, path, found = Eavesdropper(), tmp_path / "zond.db", []
    targets = [target_from_url(each.url, list_name="my-bridges") for each in kept]
    run = Run(id="r", started_at=1.0, probe_asn=6697, probe_cc="BY", lists={"my-bridges": "x"})
    with listening() as said, Store(path, write=True) as store:
        store.begin_run(
            run,
            [Planned(run_id="r", position=n, nettest="tor_bridges", target=t)
             for n, t in enumerate(targets)],
        )  # fmt: skip
        async with fake_internet() as net:
            if way in serve:
                net.tcp[IP, PORT] = net.tcp[IP, OBFS4_PORT] = serve[way]
            for target in targets:
                found.append(await measured(net, tmp_path, target, Ways(kept=kept), ears))
                store.append([found[-1]])
            assert (IP, PORT) in net.connections
        open_still = on_disk(path)
    assert kept[0].name.encode() in open_still  # the search does find what is there
    assert [] == searched(open_still, *kept)
    assert [] == searched(on_disk(path), *kept)
    assert [] == searched("\n".join(said).encode(), *kept)
    assert b"" == ears.heard  # a control is not asked at all
    sent = b"".join(batch(run, found))
    assert b"bridge-" in sent
    assert [] == searched(sent, *kept)
    assert not any(each.name.encode() in sent for each in kept)


def batch(run: Run, measurements: list[Measurement]) -> list[bytes]:
    scrubber = Scrubber(Known(), Choices(personal=True))
    return [scrubber.run(run), *(scrubber.measurement(m) or b"" for m in measurements)]


def test_the_search_finds_a_bridge_in_every_notation(kept: tuple[Kept, Kept]) -> None:
    for each in kept:
        for name, word in notations(each):
            assert name in searched(b"before" + word + b"behind", each)


async def test_what_is_on_record(kept: tuple[Kept, Kept], tmp_path: Path) -> None:
    async with fake_internet() as net:
        net.tcp[IP, PORT], net.tcp[IP, OBFS4_PORT] = relay(KEYS), silence
        one, two = [
            await measured(
                net, tmp_path, target_from_url(each.url), Ways(kept=kept), Eavesdropper()
            )
            for each in kept
        ]
    (link,) = one.evidence
    assert isinstance(link, RelayLink)
    assert ("vanilla_bridge", kept[0].name, "email", None, "proved") == (
        link.relay, link.key, link.channel, link.failure, link.identity,
    )
    assert ("", 0, "", "", (), None, "") == (
        link.ip, link.port, link.fingerprint, link.ed25519, link.versions, link.skew, link.detail,
    )
    (connected,) = two.evidence
    assert isinstance(connected, RelayLink)
    assert ("obfs4", "telegram", None, "") == (
        connected.relay, connected.channel, connected.failure, connected.identity,
    )
    assert {} == one.addresses


async def test_how_it_fails_is_told_without_where(
    kept: tuple[Kept, Kept], tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with fake_internet() as net:
        net.dark.add(IP)
        found = await measured(
            net, tmp_path, target_from_url(kept[0].url), Ways(kept=kept), Eavesdropper()
        )
    assert [(Failure.TIMEOUT, "connect", "")] * 2 == [
        (e.failure, e.operation, e.detail) for e in found.evidence if isinstance(e, RelayLink)
    ]
    assert Failure.TIMEOUT == found.comparison["failure"]


async def test_a_bridge_that_was_removed_since_is_not_measured(
    kept: tuple[Kept, Kept], tmp_path: Path
) -> None:
    async with fake_internet() as net:
        gone = target_from_url("tor://bridge-" + "0" * 32)
        found = await measured(net, tmp_path, gone, Ways(kept=kept), Eavesdropper())
        assert [] == net.connections
    assert () == found.evidence


async def test_a_bridge_at_home_is_not_connected_to(tmp_path: Path) -> None:
    home = Keeping(tmp_path / "bridges").add("192.168.1.1:443")
    async with fake_internet() as net:
        await measured(
            net, tmp_path, target_from_url(home.url), Ways(kept=(home,)), Eavesdropper()
        )
        assert [] == net.connections


def test_two_batches_of_one_person_do_not_name_the_bridge_alike(
    kept: tuple[Kept, Kept],
) -> None:
    def names(lines: list[bytes]) -> list[Any]:
        return [msgspec.json.decode(line)["url"] for line in lines[1:]]

    run = Run(id="r", started_at=1.0)
    records = [
        Measurement(
            id=secrets.token_hex(16), run_id="r", nettest="tor_bridges", nettest_version="1",
            url=each.url, runtime=1.23456, evidence=(
                RelayLink(url=each.url, relay="obfs4", key=each.name),
            ),
        )
        for each in (kept[0], kept[0], kept[1])
    ]  # fmt: skip
    first, second = names(batch(run, records)), names(batch(run, records))
    assert first[0] == first[1] != first[2]  # within a batch it is one
    assert not set(first) & set(second)
    assert all(name.startswith("tor://bridge-") for name in first)
    line = msgspec.json.decode(batch(run, records)[1])
    assert line["evidence"][0]["key"] == line["url"].removeprefix("tor://")
    assert line["evidence"][0]["url"] == line["url"]


def test_without_a_word_from_the_user_nothing_of_bridges_leaves(kept: tuple[Kept, Kept]) -> None:
    scrubber = Scrubber(Known(), Choices())
    scrubber.run(Run(id="r", started_at=1.0))
    about = Measurement(
        id="m", run_id="r", nettest="tor_bridges", nettest_version="1", url=kept[0].url
    )
    assert scrubber.measurement(about) is None
