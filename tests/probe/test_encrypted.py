"""A connection to an encrypted resolver serves one target after another, on record in each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from probe.evidence import CertificateCheck, DNSExchange, TCPConnect, TLSHandshake
from probe.failure import Failure
from probe.resolve import Resolution, resolve
from probe.steps.certificate import Verifier
from probe.steps.encrypted import MAX_AGE, MAX_IDLE, Kept
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from probe.wire.url import parse
from tests.certificates import cafile, server_context
from tests.fakenet import (
    FakeInternet,
    Serve,
    ServerEnd,
    dns_answer,
    fake_internet,
    over_tcp,
    tls,
    zone,
)

IP, TRUE = "93.184.216.53", "93.184.216.34"
NAMES = over_tcp(zone({"site.by": [TRUE], "other.by": [TRUE]}))


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    return Verifier(cafile(tmp_path_factory.mktemp("trust")))


@asynccontextmanager
async def resolver(
    verifier: Verifier, serve: Serve = NAMES, limit: int = 8
) -> AsyncIterator[tuple[Tools, FakeInternet]]:
    """Tools that know one resolver, over TLS, which *serve* is."""
    async with fake_internet() as net, Kept(limit) as kept:
        net.tcp[IP, 853] = tls(server_context("dns.by"), serve)
        chosen = Resolvers(public=(), dot=(("dns.by", IP),), doh=(), system=False)
        yield Tools(net=net, resolvers=chosen, verifier=verifier, kept=kept), net


async def asked(tools: Tools, host: str = "site.by") -> Trace:
    trace = Trace()
    await resolve(tools, trace, parse(f"https://{host}/"), 0, Resolution())
    return trace


def answers(trace: Trace) -> list[Failure | None]:
    return [e.failure for e in trace.records if isinstance(e, DNSExchange)]


GOOD = [None, Failure.DNS_NO_ANSWER]  # A, and there is no AAAA


async def test_the_next_target_asks_on_the_same_connection(
    verifier: Verifier, autojump_clock: MockClock
) -> None:
    async with resolver(verifier) as (tools, net):
        first, second = await asked(tools), await asked(tools, "other.by")
    assert 1 == len(net.connections)
    assert GOOD == answers(first) == answers(second)


async def test_how_it_was_made_is_on_record_again_at_its_true_time(
    verifier: Verifier, autojump_clock: MockClock
) -> None:
    async with resolver(verifier) as (tools, _):
        first = await asked(tools)
        await trio.sleep(5)
        second = await asked(tools)
    made = [e for e in first.records if not isinstance(e, DNSExchange)]
    again = [e for e in second.records if not isinstance(e, DNSExchange)]
    assert [TCPConnect, TLSHandshake, CertificateCheck] == [type(e) for e in again]
    for one, other in zip(made, again, strict=True):
        assert one.t0 + first.zero == pytest.approx(other.t0 + second.zero)
        assert other.t0 <= other.t < 0
        assert {"dot://dns.by"} == {one.url, other.url}
    (one_chain, other_chain) = (
        e.chain for e in (*made, *again) if isinstance(e, TLSHandshake)
    )
    assert one_chain == other_chain != ()
    assert 1 == len({e.transaction for e in second.records})


async def test_two_targets_at_once_have_a_connection_each(
    verifier: Verifier, autojump_clock: MockClock
) -> None:
    async with resolver(verifier) as (tools, net):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asked, tools)
            nursery.start_soon(asked, tools, "other.by")
        await asked(tools)
    assert 2 == len(net.connections)


@pytest.mark.parametrize("wait", [MAX_IDLE + 1, MAX_AGE + 1])
async def test_one_that_has_rested_too_long_is_not_used(
    wait: float, verifier: Verifier, autojump_clock: MockClock
) -> None:
    async with resolver(verifier) as (tools, net):
        await asked(tools)
        await trio.sleep(wait)
        await asked(tools)
    assert 2 == len(net.connections)


async def test_none_grows_old(verifier: Verifier, autojump_clock: MockClock) -> None:
    async with resolver(verifier) as (tools, net):
        for _ in range(int(MAX_AGE / 5) + 1):
            await asked(tools)
            await trio.sleep(5)
        await asked(tools)
    assert 2 == len(net.connections)


async def test_without_room_every_target_connects_for_itself(
    verifier: Verifier, autojump_clock: MockClock
) -> None:
    async with resolver(verifier, limit=0) as (tools, net):
        await asked(tools)
        await asked(tools)
    assert 2 == len(net.connections)


@pytest.mark.parametrize("silent", [False, True])
async def test_a_kept_connection_that_has_died_is_replaced_and_leaves_no_record(
    silent: bool, verifier: Verifier, autojump_clock: MockClock
) -> None:
    async def two_questions(stream: ServerEnd) -> None:
        for _ in range(2):
            question = await stream.receive_some()
            said = dns_answer(question[2:], TRUE)
            await stream.send_all(len(said).to_bytes(2) + said)
        if silent:
            await trio.sleep_forever()

    async with resolver(verifier, two_questions) as (tools, net):
        await asked(tools)
        second = await asked(tools)
    assert 2 == len(net.connections)
    assert GOOD == answers(second)
    (connect,) = [e for e in second.records if isinstance(e, TCPConnect)]
    assert connect.t0 >= 0


async def test_a_new_connection_that_fails_is_on_record_and_not_kept(
    verifier: Verifier, autojump_clock: MockClock
) -> None:
    async def leaves(stream: ServerEnd) -> None:
        await stream.receive_some()

    async with resolver(verifier, leaves) as (tools, net):
        first = await asked(tools)
        await asked(tools)
    assert 2 == len(net.connections)
    assert Failure.EOF == answers(first)[0]
    assert None not in answers(first)


async def test_an_impostor_is_not_asked(
    verifier: Verifier, autojump_clock: MockClock
) -> None:
    async with resolver(verifier) as (tools, net):
        net.tcp[IP, 853] = tls(server_context("dns.by", signed_by="nobody"), NAMES)
        trace = await asked(tools)
        again = await asked(tools)
    assert [] == answers(trace) == answers(again)
    assert 2 == len(net.connections)
