"""Resolve one host name by every way at once.

The system's resolver, each resolver that the machine is set to use, one public one in
the clear and one encrypted: whose answers differ, and which of them lie, is the first
evidence there is.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import trio

from probe.steps.dns import system_lookup, udp_lookup
from probe.steps.encrypted import Connection, EncryptedResolver, connect
from probe.tools import Tools
from probe.trace import StepFailed, Trace
from probe.wire.url import URL

SYSTEM_ASKS = ("A", "AAAA")  # what getaddrinfo sends, to the first resolver it is set to use
ENCRYPTED_TRIES = 2  # encrypted resolvers tried until one can be reached


class Resolution:
    """The addresses of a host as they come in, for any number of followers."""

    def __init__(self) -> None:
        self._found: list[tuple[tuple[str, ...], bool]] = []
        self._finished = False
        self._changed = trio.Event()

    @property
    def addresses(self) -> list[str]:
        return list(dict.fromkeys(ip for found, _ in self._found for ip in found))

    def add(self, found: tuple[str, ...], *, own: bool) -> None:
        self._found.append((found, own))
        self._wake()

    def finish(self) -> None:
        """Every way has given its first answer, or will give none."""
        self._finished = True
        self._wake()

    async def follow(self) -> AsyncIterator[tuple[tuple[str, ...], bool]]:
        """Each answer's addresses and whether an own resolver gave them, as they come."""
        position = 0
        while True:
            while position < len(self._found):
                yield self._found[position]
                position += 1
            if self._finished:
                return
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


async def resolve(
    tools: Tools, trace: Trace, url: URL, depth: int, resolution: Resolution
) -> None:
    """Ask every way for *url*'s host; addresses go to *resolution* as they are heard.

    *resolution* is finished when each way has given its first answer; the listening
    for more answers goes on after that, and this function returns when it ends.
    """
    resolvers, net, host = tools.resolvers, tools.net, url.host
    facts: dict[str, Any] = {"url": url.text, "depth": depth}
    # The choice differs from name to name and is the same again for the same seed.
    rng = random.Random(zlib.crc32(f"{tools.seed} {host}".encode()))
    waiting = 0

    async with trio.open_nursery() as nursery:

        def way(own: bool) -> Any:
            """A listener for one lookup's first answer."""
            nonlocal waiting
            waiting += 1
            told = False

            def heard(found: tuple[str, ...]) -> None:
                nonlocal waiting, told
                if told:
                    return
                told = True
                waiting -= 1
                resolution.add(found, own=own)
                if waiting == 0:
                    resolution.finish()

            return heard

        async def over_udp(
            resolver: str, rdtype: str, own: bool, heard: Any, **more: Any
        ) -> None:
            await net.turn(resolver, 53)
            await udp_lookup(
                net, trace, resolver, host, rdtype, heard=heard, own=own,
                transaction=trace.new_transaction(), **facts, **more,
            )

        async def over_system(heard: Any) -> None:
            for _ in SYSTEM_ASKS if resolvers.own else ():
                await net.turn(resolvers.own[0], 53)
            await system_lookup(
                net, trace, host, heard=heard, transaction=trace.new_transaction(), **facts
            )

        if resolvers.system:
            nursery.start_soon(over_system, way(True))
        for resolver in resolvers.own:
            for rdtype in ("A", "AAAA", "HTTPS"):
                nursery.start_soon(over_udp, resolver, rdtype, True, way(True))
        for resolver in resolvers.upstream:
            for rdtype in ("A", "AAAA"):
                ask = partial(over_udp, resolver, rdtype, False, way(False), upstream=True)
                nursery.start_soon(ask)
        others = [ip for ip in resolvers.public if ip not in resolvers.own]
        if others:
            resolver = rng.choice(others)
            for rdtype in ("A", "AAAA"):
                nursery.start_soon(over_udp, resolver, rdtype, False, way(False))
        nursery.start_soon(_encrypted, tools, trace, url, depth, rng, way(False))


async def _encrypted(
    tools: Tools, trace: Trace, url: URL, depth: int, rng: random.Random, heard: Any
) -> None:
    """Ask one DoT or DoH resolver; the next one where the first cannot be reached."""
    ways = [EncryptedResolver("dot", *pair) for pair in tools.resolvers.dot]
    ways += [EncryptedResolver("doh", *pair) for pair in tools.resolvers.doh]
    rng.shuffle(ways)
    found: list[str] = []
    for resolver in ways[:ENCRYPTED_TRIES]:
        try:
            await _ask_encrypted(tools, trace, url, depth, resolver, found)
            break
        except StepFailed:
            continue
    heard(tuple(found))


async def _ask_encrypted(
    tools: Tools, trace: Trace, url: URL, depth: int, resolver: EncryptedResolver, found: list[str]
) -> None:
    transaction = trace.new_transaction()
    connection = await tools.kept.take(resolver)
    if connection is not None:
        connection.repeat_evidence(trace, depth=depth, transaction=transaction)
        if await _put_questions(tools, trace, url, depth, connection, transaction, found):
            return
        found.clear()
        trace.forget(transaction)
    connection = await connect(
        tools.net, tools.verifier, trace, resolver,
        depth=depth, transaction=transaction, at=tools.now(),
        hello=tools.hello,
    )  # fmt: skip
    await _put_questions(tools, trace, url, depth, connection, transaction, found)


async def _put_questions(
    tools: Tools, trace: Trace, url: URL, depth: int, connection: Connection, transaction: int,
    found: list[str],
) -> bool:
    """Whether *connection* has held; it is kept then, and else closed."""
    held = False
    try:
        alive = True
        for rdtype in ("A", "AAAA"):
            if alive or not connection.kept:
                alive &= await connection.ask(
                    trace, url.host, rdtype, heard=found.extend,
                    url=url.text, depth=depth, transaction=transaction,
                )
        held = alive
    finally:
        if not held:
            await connection.close()
    if held:
        await tools.kept.give(connection)
    return held
