"""Our own addresses are in no measurement that is written down, whoever says them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from probe.control.client import ControlClient
from probe.control.introduction import Introduction
from probe.evidence import (
    PROBE,
    AddressInfo,
    DNSAnswer,
    DNSExchange,
    HTTPExchange,
    Measurement,
    Run,
)
from probe.scrubbing.ahead import Ahead
from probe.scrubbing.eraser import Eraser
from probe.scrubbing.known import Known
from probe.scrubbing.scrub import Choices, Scrubber
from probe.store import Store
from probe.writer import Record, Writer
from testlists import Target
from tests.probe.test_session import bench, surroundings

__all__ = ["surroundings"]  # virtual time and no threads, for all tests here

OURS, LINE = "93.85.101.20", "2a02:d247:1234:5600::1"
BODY = f"<p>Your address is {OURS}, Chrome/119.0.0.0</p>".encode()
RUN = Run(id="00ff", started_at=1_790_000_017.0)


def measurement() -> Measurement:
    page = HTTPExchange(
        ip="178.172.160.2", port=80, url="http://site.example/", status=200, body=BODY,
        body_length=len(BODY), body_sha256=hashlib.sha256(BODY).hexdigest(), sketch="00ff",
        headers=(("X-Client-IP", OURS), ("Server", "nginx")), title=f"Hello {OURS}",
        location=f"http://site.example/?ip={OURS}",
    )  # fmt: skip
    lookup = DNSExchange(
        hostname="me.example", rdtype="A", engine="udp",
        answers=(DNSAnswer(addresses=(OURS, LINE), raw=b"\0\4" + bytes([93, 85, 101, 20])),),
    )  # fmt: skip
    return Measurement(
        id="aa", run_id=RUN.id, nettest="web_connectivity", nettest_version="1",
        url="http://site.example/", evidence=(page, lookup),
        addresses={OURS: AddressInfo(asn=6697), "178.172.160.2": AddressInfo(asn=6697)},
    )  # fmt: skip


def test_what_a_site_says_of_us_is_gone_and_the_rest_is_there() -> None:
    clean = Ahead([OURS, LINE]).without_us(measurement())
    line = msgspec.json.encode(clean)
    assert OURS.encode() not in line
    assert b"2a02:d247:1234" not in line
    page, lookup = clean.evidence
    assert isinstance(page, HTTPExchange) and isinstance(lookup, DNSExchange)
    assert page.body == BODY.replace(OURS.encode(), b"192.0.2.0")
    assert page.body_length == len(page.body)
    assert page.body_sha256 == hashlib.sha256(page.body).hexdigest()
    assert page.sketch != "00ff"
    assert page.headers == (("X-Client-IP", "192.0.2.0"), ("Server", "nginx"))
    assert lookup.answers[0].addresses == ("192.0.2.0", "2001:db8::")
    assert lookup.answers[0].raw == bytes(2)[:1] + b"\4" + bytes(4)
    assert clean.addresses["178.172.160.2"].asn == 6697


def test_a_measurement_without_us_is_itself() -> None:
    plain = measurement()
    assert Ahead(["5.6.7.8"]).without_us(plain) is plain
    assert Ahead([]).without_us(plain) is plain
    assert Ahead(["127.0.0.1", "::1"]).without_us(plain) is plain


def test_a_neighbours_address_is_kept_as_a_fact_and_not_in_a_text() -> None:
    """However often the same words were met before as the other of the two."""
    neighbour = OURS.rpartition(".")[0] + ".7"
    eraser = Eraser(Known(addresses=(OURS,)))
    for _ in range(2):
        assert eraser.address(neighbour) == neighbour
        assert eraser.text(neighbour) == "192.0.2.0"


def test_the_hash_of_a_page_that_named_us_does_not_leave() -> None:
    """Who knows the page but for the address could try all addresses."""
    clean = Ahead([OURS, LINE]).without_us(measurement())
    scrubber = Scrubber(Known(), Choices(personal=True))
    scrubber.run(RUN)
    line = scrubber.measurement(clean)
    assert line is not None
    assert hashlib.sha256(BODY).hexdigest().encode() not in line


def in_files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_the_database_never_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "zond.db"
    with Store(path, write=True) as store:
        store.begin_run(RUN, [])
        writer = Writer(store, lambda m: None)
        writer.ahead = Ahead([OURS, LINE])
        send, receive = trio.open_memory_channel[Record](10)
        async with send:
            await send.send(measurement())
        await writer.run(receive)
        assert writer.refused == 0
        (stored,) = store.measurements()
    assert stored.evidence[0].vantage == PROBE
    assert OURS.encode() not in in_files(tmp_path)
    assert OURS.encode() not in msgspec.json.encode(stored)


async def test_a_session_takes_out_what_its_controls_told_it(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told(self: ControlClient) -> list[Introduction]:
        return [
            Introduction(control=name, control_url="https://c.example/", client_addresses=(OURS,))
            for name in ("one", "two")
        ]

    async def seen(test: object, target: Target, **given: Any) -> Measurement:
        page = measurement().evidence[0]
        return msgspec.structs.replace(
            measurement(), id=target.url, run_id=given["run_id"], url=target.url, evidence=(page,)
        )

    monkeypatch.setattr(ControlClient, "introduce", told)
    async with bench(tmp_path) as session:
        session.measure = seen  # type: ignore[method-assign]
        await session.run(3)
        stored = session.stored()
    assert len(stored) == 3
    assert OURS.encode() not in msgspec.json.encode(stored)
