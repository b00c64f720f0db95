"""What a control does with a question: refuse it, find an answer kept, or go and look."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

import msgspec
import trio

from probe import __version__
from probe.control import ooni
from probe.control.cache import Cache, Found
from probe.control.guard import CLOSED_PORTS, Guard, GuardedNetwork
from probe.control.limits import Limits
from probe.control.protocol import (
    BadMessage,
    Extra,
    Greeting,
    Hello,
    encode,
    endpoint,
    pack,
    read_nettest_question,
    read_question,
)
from probe.serving.clients import Clients, Refused
from probe.serving.shares import Room
from probe.tools import Tools
from probe.trace import Trace
from probe.visit import Known
from probe.wire.url import URL
from testlists.target import Target, target_from_url
from testlists.url import BadURL as BadTarget

log = logging.getLogger(__name__)

SOFTWARE = f"zond {__version__}"


class Visit(Protocol):
    def __call__(
        self,
        tools: Tools,
        trace: Trace,
        url: str,
        *,
        known: Known | None = None,
        twin: bool = False,
    ) -> Awaitable[None]: ...


class Errand(Protocol):
    """A nettest as a control runs it for a probe, with no controls of its own."""

    @property
    def name(self) -> str: ...
    def takes(self, target: Target) -> bool: ...
    def run(self, tools: Tools, trace: Trace, target: Target) -> Awaitable[None]: ...


class Service:
    """Answers questions with what *visit* finds through *tools*, within *limits*; each visit
    has a place in *room*.

    *errands* is what probes may have run here beside. *asn* tells the AS number of an address
    (0 unknown). No question, URL or address is logged or kept beyond the cache, which does not
    know who asked.
    """

    def __init__(
        self,
        tools: Tools,
        visit: Visit,
        *,
        limits: Limits,
        guard: Guard,
        clients: Clients,
        room: Room,
        asn: Callable[[str], int],
        errands: Iterable[Errand] = (),
    ) -> None:
        self._tools = replace(tools, net=GuardedNetwork(tools.net, guard, tools.resolvers))
        self._visit = visit
        self._limits = limits
        self._guard = guard
        self._clients = clients
        self._asn = asn
        self._errands = {errand.name: errand for errand in errands}
        self._room = room
        self._cache = Cache(
            seconds=limits.cache_seconds,
            entries=limits.cache_entries,
            max_bytes=limits.cache_bytes,
        )

    def greet(self, client: str) -> bytes:
        """The answer to GET: that this control lives, its clock, and whom it sees."""
        hello = Hello(software=SOFTWARE, time=self._now(), client_address=client)
        return encode(Greeting(message="This is a zond control.", x_zond=hello))

    async def answer(self, body: bytes, client: str) -> bytes:
        """The answer to the question in *body*, asked from *client*. Raises `Refused`."""
        self._clients.spend(client, self._limits.questions_per_client)
        try:
            question = read_question(body)
            endpoints = [endpoint(text) for text in question.tcp_connect or ()]
        except BadMessage as exc:
            raise Refused(400, str(exc)) from exc
        url = self._guard.check_url(question.http_request, max_length=self._limits.url_length)
        told = [ip for ip, _ in endpoints if self._guard.may_connect(ip)]
        told = list(dict.fromkeys(told))[: self._limits.addresses]

        async def look() -> Found:
            self._clients.spend_on(f"host {url.host}", client, self._limits.visits_per_host)
            async with self._room.place(self._clients.key(client)):
                return await self._look(url, told, twin)

        twin = question.x_zond is not None and question.x_zond.twin
        key = f"{url.text} and its twin" if twin else url.text
        found = await self._cache.find(key, frozenset(told), look)
        if question.x_zond is None:
            return found.summary
        return found.summary[:-1] + b',"x_zond":' + encode(self._extra(found, client)) + b"}"

    async def answer_nettest(self, body: bytes, client: str) -> bytes:
        """The answer about a target that is no site, asked from *client*. Raises `Refused`."""
        self._clients.spend(client, self._limits.questions_per_client)
        try:
            question = read_nettest_question(body)
            target = replace(target_from_url(question.url), attributes=question.attributes)
        except (BadMessage, BadTarget) as exc:
            raise Refused(400, str(exc)) from exc
        errand = self._errands.get(question.nettest)
        if errand is None or not errand.takes(target):
            raise Refused(400, "no nettest that is run here for others")
        if target.port in CLOSED_PORTS:
            raise Refused(400, "a port that browsers refuse")

        async def look() -> Found:
            about = f"host {target.hostname}"
            self._clients.spend_on(about, client, self._limits.visits_per_host)
            async with self._room.place(self._clients.key(client)):
                return await self._run(errand, target)

        key = f"{errand.name} {target.url} {target.attributes}"
        found = await self._cache.find(key, frozenset(), look)
        return encode(self._extra(found, client))

    def _extra(self, found: Found, client: str) -> Extra:
        return Extra(
            software=SOFTWARE,
            time=self._now(),
            age=round(trio.current_time() - found.began, 3),
            client_address=client,
            complete=found.complete,
            evidence=msgspec.Raw(found.evidence),
        )

    async def _run(self, errand: Errand, target: Target) -> Found:
        began = trio.current_time()
        trace = Trace(vantage="control")
        whole = await self._bounded(errand.run(self._tools, trace, target))
        evidence, fitted = pack(trace.records, max_bytes=self._limits.answer_bytes)
        return Found(
            told=frozenset(), began=began, summary=b"", evidence=evidence,
            complete=fitted and whole,
        )  # fmt: skip

    async def _bounded(self, work: Awaitable[None]) -> bool:
        """Whether *work* came to its end in the time there is. Raises `Refused` for a bug."""
        try:
            with trio.move_on_after(self._limits.visit_seconds) as time_limit:
                await work
        except Exception as exc:  # noqa: BLE001 - logged and answered; one visit is not the server
            # The message of an exception may name what was asked for; its place does not.
            log.error("a visit failed: %s", "; ".join(_where(exc)))
            raise Refused(500, "internal error") from None
        return not time_limit.cancelled_caught

    async def _look(self, url: URL, told: Sequence[str], twin: bool) -> Found:
        began = trio.current_time()
        trace = Trace(vantage="control")

        async def known(at: str, depth: int, addresses: Sequence[str]) -> Sequence[str]:
            return told if depth == 0 else ()

        whole = await self._bounded(
            self._visit(self._tools, trace, url.text, known=known, twin=twin)
        )
        evidence, fitted = pack(trace.records, max_bytes=self._limits.answer_bytes)
        summary = ooni.summary(
            url, trace.records, told, asn=self._asn, is_public=self._guard.may_connect
        )
        # OONI's programs do not know x_zond, so it is not there unless asked for.
        fields = {k: v for k, v in msgspec.to_builtins(summary).items() if k != "x_zond"}
        return Found(
            told=frozenset(told),
            began=began,
            summary=encode(fields),
            evidence=evidence,
            complete=fitted and whole,
        )

    def _now(self) -> float:
        return self._tools.now()


def _where(exc: BaseException) -> list[str]:
    if isinstance(exc, BaseExceptionGroup):
        return [place for inner in exc.exceptions for place in _where(inner)]
    frames = traceback.extract_tb(exc.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return [f"{type(exc).__name__}{place}"]
