"""How fast: bytes to download, and how fast this control gets a page itself.

``GET /bytes?n=N`` answers with N bytes (at most `MAX_BYTES`) that no box between can
compress. ``POST /transfers`` takes a `Wanted` and answers with a `Timed`: the same
transfers that the probe makes (`probe.steps.transfer`), from here. So a page that is slow
at the probe can be told from a server that is slow for everybody, and from a slow line.

Either counts as a question of the client's; a site is timed a few times in a window, for
whoever asks, so that many volunteers are no load on it. Errors are as in `server`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import trio

from probe.control.guard import BAD_PORTS, Guard, GuardedNetwork
from probe.control.limits import Limits
from probe.control.protocol import BadMessage, address, encode
from probe.evidence import Transfer
from probe.serving.clients import Clients, Refused
from probe.serving.shares import Room
from probe.steps.transfer import MAX_BYTES as PAGE_BYTES
from probe.steps.transfer import MAX_SAMPLES, transfer
from probe.tools import Tools
from probe.trace import MAX_DETAIL, Trace
from probe.wire.url import URL

MAX_BYTES = 128 * 1024
MAX_COUNT = 8  # transfers for one question
MAX_ANSWER = 64 * 1024  # bytes of JSON; a transfer with all its samples has 2 KiB


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Get *url* from *ip* *count* times, *limit* bytes of it each time."""

    url: str
    ip: str
    count: int = 5
    limit: int = PAGE_BYTES


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """The transfers that were made in the time there was, in order."""

    transfers: list[Transfer] = []


_wanted = msgspec.json.Decoder(Wanted)
_timed = msgspec.json.Decoder(Timed)


def read_timed(data: bytes) -> list[Transfer]:
    """What a control answered, checked. Raises `BadMessage`."""
    try:
        found: list[Transfer] = _timed.decode(data).transfers
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise BadMessage(f"not transfers: {exc}"[:MAX_DETAIL]) from exc
    if len(found) > MAX_COUNT or any(len(e.samples) > MAX_SAMPLES for e in found):
        raise BadMessage("too many transfers or samples")
    for e in found:
        address(e.ip)
        if min(e.connect, e.handshake, e.wait, e.seconds, e.received, e.t - e.t0) < 0:
            raise BadMessage("a transfer that ends before it begins")
    return found


class Speed:
    """Serves both, through *tools*, within *limits*; who times a page has a place in *room*."""

    def __init__(
        self, tools: Tools, *, limits: Limits, guard: Guard, clients: Clients, room: Room
    ) -> None:
        self._tools = replace(tools, net=GuardedNetwork(tools.net, guard, tools.resolvers))
        self._limits = limits
        self._guard = guard
        self._clients = clients
        self._room = room
        self._filling = secrets.token_bytes(MAX_BYTES)

    def filling(self, n: str, client: str) -> bytes:
        """*n* bytes for *client*. Raises `Refused`."""
        self._clients.spend(client, self._limits.questions_per_client)
        if not (n.isascii() and n.isdecimal()) or not 0 < int(n[:9]) <= MAX_BYTES:
            raise Refused(400, f"n is not a number from 1 to {MAX_BYTES}")
        return self._filling[: int(n)]

    async def transfers(self, body: bytes, client: str) -> bytes:
        """The answer to the `Wanted` in *body*. Raises `Refused`."""
        self._clients.spend(client, self._limits.questions_per_client)
        wanted, url = self._read(body)
        self._clients.spend_on(f"timed {url.host}", client, self._limits.timings_per_host)
        async with self._room.place(self._clients.key(client)):
            found: Sequence[Transfer] = await self._time(wanted, url)
        return encode(Timed(transfers=list(found)))

    def _read(self, body: bytes) -> tuple[Wanted, URL]:
        try:
            wanted: Wanted = _wanted.decode(body)
            ip = address(wanted.ip)
        except (msgspec.MsgspecError, UnicodeDecodeError, BadMessage) as exc:
            raise Refused(400, "not a question about transfers") from exc
        url = self._guard.check_url(wanted.url, max_length=self._limits.url_length)
        if url.port in BAD_PORTS or not self._guard.may_connect(ip):
            raise Refused(400, "the address is not public")
        if not 0 < wanted.count <= MAX_COUNT or not 0 < wanted.limit <= PAGE_BYTES:
            raise Refused(400, f"more than {MAX_COUNT} transfers, or of {PAGE_BYTES} bytes")
        return wanted, url

    async def _time(self, wanted: Wanted, url: URL) -> Sequence[Transfer]:
        trace = Trace(vantage="control")
        found: list[Transfer] = []
        with trio.move_on_after(self._limits.visit_seconds):
            for number in range(wanted.count):
                await self._tools.net.turn(wanted.ip, url.port)
                found.append(
                    await transfer(
                        self._tools.net, trace, url, what="accused", ip=wanted.ip,
                        hello=self._tools.hello,
                        port=url.port, sni=None if url.ip_literal else url.host,
                        limit=wanted.limit, round=number,
                    )
                )
        return found
