"""The rungs of QUIC, at a server in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from trio.testing import MockClock

from probe.config import Ladder
from probe.control.client import ControlClient
from probe.evidence import AnyEvidence, CertificateCheck, HTTPExchange, QUICHandshake
from probe.failure import Failure
from probe.ladder.climb import Climb, Tuples, Turns
from probe.ladder.rung import Accused, Layer, Run, rungs
from probe.ladder.rungs import quic as over_quic
from probe.ladder.rungs.again import TRIES, again
from probe.ladder.rungs.elsewhere import elsewhere
from probe.ladder.rungs.quic import quic_instead
from probe.steps.certificate import Verifier
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from probe.wire.url import parse
from tests.certificates import cafile
from tests.fakenet import Resolver, fake_internet
from tests.probe.fakequic import QUICServer

IP, NEUTRAL, NAME = "93.184.216.34", "93.184.217.34", "site.by"
URL = f"https://{NAME}/news"
OFFER = HTTPExchange(
    vantage="control-1", url=URL, ip="93.184.216.99", port=443, tls=True, status=200,
    headers=(("alt-svc", 'h3=":443"'),),
)  # fmt: skip


async def climbed(
    run: Run, folder: Path, *, server: Resolver | None = None, layer: Layer = "tls",
    plain: Sequence[AnyEvidence] = (OFFER,), neutral: Resolver | None = None,
) -> list[AnyEvidence]:  # fmt: skip
    trace = Trace()
    accused = Accused(layer=layer, url=parse(URL), ip=IP, port=443, how=Failure.TIMEOUT)
    async with fake_internet() as net:
        for ip, there in ((IP, server), (NEUTRAL, neutral)):
            if there is not None:
                net.quic[ip, 443] = there
        tools = Tools(net=net, resolvers=Resolvers(own=()), verifier=Verifier(cafile(folder)))
        climb = Climb(
            tools=tools, trace=trace, accused=accused, plain=plain,
            settings=Ladder(residual_seconds=20.0), controls=cast(ControlClient, None),
            neutral=[NEUTRAL], tuples=Tuples(), turns=Turns(1.0),
        )  # fmt: skip
        await run(climb, accused)
        assert [] == net.connections  # all of it went over UDP
    return trace.records


async def test_the_page_comes_over_quic_where_a_control_was_told_of_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    server = QUICServer((NAME,))
    shake, check, page = await climbed(quic_instead, tmp_path, server=server)
    assert isinstance(shake, QUICHandshake) and isinstance(check, CertificateCheck)
    assert isinstance(page, HTTPExchange)
    assert (None, None, 200, "h3") == (shake.failure, check.failure, page.status, page.protocol)
    assert (IP, URL) == (page.ip, page.url)
    assert (b":path", b"/news") in server.requests[0]
    assert 1 == len({shake.transaction, check.transaction, page.transaction})


async def test_a_page_behind_a_bad_certificate_is_not_asked_for(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    server = QUICServer(("other.by",))
    _, check = await climbed(quic_instead, tmp_path, server=server)
    assert Failure.TLS_INVALID_HOSTNAME == check.failure
    assert [] == server.requests


async def test_silence_is_tried_twice(tmp_path: Path, autojump_clock: MockClock) -> None:
    records = await climbed(quic_instead, tmp_path)
    assert [Failure.TIMEOUT] * 2 == [e.failure for e in records]


async def test_nothing_is_tried_where_nobody_was_told_of_http3(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    assert [] == await climbed(quic_instead, tmp_path, server=QUICServer((NAME,)), plain=())
    other = HTTPExchange(
        vantage="control-1", url="https://other.by/", ip=IP, port=443, tls=True, status=200,
        headers=OFFER.headers,
    )  # fmt: skip
    assert [] == await climbed(quic_instead, tmp_path, server=QUICServer((NAME,)), plain=[other])


async def test_nothing_is_tried_without_aioquic(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(over_quic, "available", lambda: False)
    assert [] == await climbed(quic_instead, tmp_path, server=QUICServer((NAME,)))


async def test_a_quic_handshake_is_repeated_as_it_was(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    records = await climbed(again, tmp_path, layer="quic")
    assert [(NAME, IP, Failure.TIMEOUT)] * TRIES == [
        (e.sni, e.ip, e.failure) for e in records if isinstance(e, QUICHandshake)
    ]


async def test_the_name_is_tried_at_a_neutral_site_that_speaks_quic(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    records = await climbed(
        elsewhere, tmp_path, layer="quic", neutral=QUICServer(("neutral.by",))
    )
    shakes = [e for e in records if isinstance(e, QUICHandshake)]
    assert {NEUTRAL} == {e.ip for e in shakes}
    assert ["www.example.org", NAME] == list(dict.fromkeys(e.sni for e in shakes))


def test_the_rungs_of_quic_are_those_that_can_be_asked_of_it() -> None:
    ids = {rung.id for rung in rungs("quic")}
    assert {"again", "elsewhere", "harmless", "no_name", "other_case", "suffix"} <= ids
    assert "quic_instead" not in ids and "split_hello" not in ids
    assert "quic_instead" in {rung.id for rung in rungs("tls")}
