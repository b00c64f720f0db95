"""Asking the control vantage points.

The rule: every control is asked at the same time and every answer is kept apart; a
control that is down, blocked, slow, overloaded or talks rubbish is one `ControlQuery`
that says so, and never an exception. Only a bug of ours is raised.

Reaching the controls may itself be watched, so a proxy (or Tor) given by the user
serves all of it: there is no way round it, also not when it fails.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

import httpx2
import msgspec
import trio

from probe.control import ooni, timing
from probe.control.introduction import Introduction, greet
from probe.control.protocol import (
    MAX_ADDRESSES,
    BadMessage,
    Control,
    Extra,
    NettestQuestion,
    Question,
    RemoteEvidence,
    Wants,
    adopt,
    encode,
    join,
    read_answer,
    read_extra,
    unpack,
)
from probe.control.speed import Wanted
from probe.control.transport import (
    Reply,
    check_status,
    date,
    fetch,
    make_client,
    make_trust,
    retry_after,
)
from probe.evidence import ControlQuery
from probe.failure import Failure, NetworkFailure
from probe.steps.http import BROWSER_HEADERS
from probe.trace import MAX_DETAIL, StepFailed, Trace
from probe.wire.url import BadURL, parse
from testlists.target import Target

MAX_AGE = 3600.0  # seconds; an older answer may show yesterday's site
OPEN_QUESTIONS = 64  # to one control at a time, each on its connection; the rest wait
TRIES = 4  # of one question, while its time lasts
MAX_PAUSE = 15.0  # seconds; a busy control (429, 503) that wants more is not asked again
TIMING = 4  # downloads to compare with at once: those who time must not slow each other
SILENCES = 3  # in a row, after which a control is asked only now and then
REST = 20.0  # seconds between such attempts: a dead control must not slow every target

# What our own visits send, of the headers that an OONI helper passes on.
_HEADERS = {
    name: [value]
    for name, value in BROWSER_HEADERS
    if name in ("accept", "accept-language", "user-agent")
}

OONI = "ooni"  # what the software of a control is called that is not ours

__all__ = ["Control", "ControlClient", "Introduction"]


class _Line:
    """The way to one control: how many questions are open, and has it been silent?"""

    def __init__(self) -> None:
        self.limit = trio.CapacityLimiter(OPEN_QUESTIONS)
        self._silences = 0
        self._next_try = 0.0

    def rests(self) -> bool:
        """Whether to spare a question. One goes through every `REST` seconds."""
        if self._silences < SILENCES:
            return False
        if trio.current_time() < self._next_try:
            return True
        self._next_try = trio.current_time() + REST
        return False

    def heard(self, anything: bool) -> None:
        self._silences = 0 if anything else self._silences + 1
        self._next_try = trio.current_time() + REST


class ControlClient:
    """Asks *controls*, through *proxy* if given (``socks5h://`` or ``http://``).

    *http* replaces the client made here, and stays the caller's to close. *timeout* is
    in seconds for one question to one control, all tries together; *max_age*, in
    seconds, how old an answer may be.
    """

    def __init__(
        self,
        controls: Sequence[Control],
        *,
        proxy: str | None = None,
        http: httpx2.AsyncClient | None = None,
        timeout: float = 45.0,
        max_age: float = MAX_AGE,
    ) -> None:
        self.controls = tuple(controls)
        self._proxy = proxy
        self._timeout = timeout
        self._max_age = max_age
        self._urls = [control.url for control in self.controls]
        self._owned = http is None
        self._trust = make_trust((*self._urls, proxy or "")) if self._owned else None
        self._http = http or make_client(self._urls, proxy=proxy, trust=self._trust)
        self._lines = {control.name: _Line() for control in self.controls}
        self.timing = trio.CapacityLimiter(TIMING)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._owned:
            await self._http.aclose()

    async def ask(
        self,
        trace: Trace,
        url: str,
        *,
        depth: int,
        addresses: Sequence[str],
        twin: str | None = None,
    ) -> None:
        """Ask every control at the same time about *url*, telling it the *addresses* we know.

        *depth* is how many redirects led us to *url*. With *twin*, the same URL over the
        other scheme, the control is to visit that too: one of ours does so in one visit,
        and another is asked again. Each answer's evidence is appended
        to ``trace.records`` under its control's name, beside one `ControlQuery` for
        each control. Returns when all have answered or failed; raises nothing.
        """
        question = self._question(url, addresses, twin=twin is not None)

        async def ask_one(control: Control) -> None:
            software = await self._ask_one(control, trace, url, depth, question)
            if twin is not None and software == OONI:
                again = self._question(twin, addresses)
                await self._ask_one(control, trace, twin, depth, again)

        async with trio.open_nursery() as nursery:
            for control in self.controls:
                nursery.start_soon(ask_one, control)

    async def ask_nettest(self, trace: Trace, nettest: str, target: Target) -> None:
        """Ask every control to run *nettest* on *target*; as `ask`. OONI's helpers cannot."""
        question = encode(
            NettestQuestion(nettest=nettest, url=target.url, attributes=target.attributes)
        )
        async with trio.open_nursery() as nursery:
            for control in self.controls:
                nursery.start_soon(
                    self._ask_one, control, trace, target.url, 0, question, "nettests"
                )

    def _question(self, url: str, addresses: Sequence[str], *, twin: bool = False) -> bytes:
        try:
            where = parse(url)
            ports = [80, 443] if where.scheme == "http" and where.default_port else [where.port]
        except BadURL:
            ports = [443]  # for the control to refuse, on the record
        known = list(dict.fromkeys(addresses))[:MAX_ADDRESSES]
        return encode(
            Question(
                http_request=url,
                http_request_headers=_HEADERS,
                tcp_connect=[join(ip, port) for ip in known for port in ports],
                x_zond=Wants(twin=twin),
            )
        )

    async def _ask_one(
        self, control: Control, trace: Trace, url: str, depth: int, question: bytes, at: str = ""
    ) -> str:
        """Put *question* to *control*, *at* a place below its URL; the software that answered,
        empty if none did."""
        line = self._lines[control.name]
        spared = line.rests()
        facts = {
            "control": control.name,
            "control_url": control.url,
            "via": "proxy" if self._proxy else "direct",
            "url": url,
            "depth": depth,
        }
        async with line.limit:
            learned: dict[str, Any] = {}
            try:
                with trace.operation(ControlQuery, timeout=self._timeout, **facts) as learned:
                    if spared:
                        raise NetworkFailure(Failure.TIMEOUT, "spared: it has been silent lately")
                    where = str(httpx2.URL(control.url).join(at)) if at else control.url
                    reply = await self._exchange(where, question, learned)
                    check_status(reply)
                    if at:
                        records = self._ours(_extra(reply), learned)
                    else:
                        records = self._read(reply, url, learned)
            except StepFailed:
                if not spared:
                    line.heard("status" in learned or learned["failure"] is not Failure.TIMEOUT)
                return ""
        line.heard(True)
        trace.records.extend(adopt(records, trace, control=control.name, depth=depth))
        return str(learned["software"])

    async def _exchange(self, where: str, question: bytes, learned: dict[str, Any]) -> Reply:
        """Put the question until it is answered. Raises `NetworkFailure`."""
        for attempt in range(1, TRIES + 1):
            try:
                reply = await fetch(self._http, "POST", where, question)
            except NetworkFailure as exc:
                # A kept connection may have been closed just as we used it, which looks
                # like a censor's reset. Once more, on a new one.
                if attempt == 1 and exc.failure in (Failure.EOF, Failure.CONNECTION_RESET):
                    continue
                raise
            learned["status"] = reply.status
            asked = retry_after(reply)
            pause = asked if asked is not None else 2.0**attempt
            if reply.status not in (429, 503) or attempt == TRIES or pause > MAX_PAUSE:
                break
            await trio.sleep(pause)
        return reply

    def _read(self, reply: Reply, url: str, learned: dict[str, Any]) -> list[RemoteEvidence]:
        """The evidence in *reply*. Raises `NetworkFailure` if it cannot be used."""
        try:
            answer = read_answer(reply.body)
            if answer.x_zond is None:
                learned["software"] = OONI
                learned["server_time"] = date(reply)
                return ooni.evidence(parse(url), answer, now=time.time())
        except (BadMessage, BadURL) as exc:
            raise NetworkFailure(Failure.JSON_PARSE, str(exc)) from exc
        return self._ours(answer.x_zond, learned)

    def _ours(self, extra: Extra, learned: dict[str, Any]) -> list[RemoteEvidence]:
        """The evidence of a control of ours. Raises `NetworkFailure` if it cannot be used."""
        learned["software"] = extra.software[:MAX_DETAIL]
        learned["server_time"] = extra.time
        learned["age"] = extra.age
        if not 0 <= extra.age <= self._max_age:
            raise NetworkFailure(Failure.UNKNOWN, f"the answer is {extra.age:.0f} s old")
        if not extra.complete:
            learned["detail"] = "cut short by a limit of the control"
        try:
            return unpack(extra.evidence)
        except BadMessage as exc:
            raise NetworkFailure(Failure.JSON_PARSE, str(exc)) from exc

    @property
    def direct(self) -> bool:
        """Whether controls are reached over the line that is measured."""
        return not self._proxy

    async def download(
        self, trace: Trace, control: Control, *, size: int, timeout: float, **facts: Any
    ) -> None:
        """Get *size* bytes from *control* on a new connection; one `Transfer` on *trace*.

        Whoever compares holds `timing` meanwhile.
        """
        if not self._owned:
            await timing.download(
                self._http, trace, control, size=size, timeout=timeout, **facts
            )
            return
        async with make_client([control.url], proxy=self._proxy, trust=self._trust) as client:
            await timing.download(client, trace, control, size=size, timeout=timeout, **facts)

    async def time_page(self, trace: Trace, wanted: Wanted, **facts: Any) -> None:
        """Every control's own transfers of a page, as `Transfer` records under its name."""
        async with trio.open_nursery() as nursery:
            for control in self.controls:
                nursery.start_soon(
                    partial(timing.time_page, self._http, trace, control, wanted, **facts)
                )

    async def introduce(self) -> list[Introduction]:
        """Ask each control for its clock and our addresses. In the order of *controls*."""
        found: dict[str, Introduction] = {}

        async def one(control: Control) -> None:
            found[control.name] = await self._introduce(control)

        async with trio.open_nursery() as nursery:
            for control in self.controls:
                nursery.start_soon(one, control)
        return [found[control.name] for control in self.controls]

    async def _introduce(self, control: Control) -> Introduction:
        if not self._owned or self._proxy:
            return await greet(control, self._http, hidden=bool(self._proxy))
        # Once over each family, since each has an address of its own.
        heard: list[Introduction] = []

        async def over(any_address: str) -> None:
            client = make_client([control.url], trust=self._trust, local_address=any_address)
            async with client:
                heard.append(await greet(control, client))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(over, "0.0.0.0")  # noqa: S104 - to connect from, not to listen on
            nursery.start_soon(over, "::")
        heard.sort(key=_telling)
        seen = {ip for said in heard for ip in said.client_addresses}
        return msgspec.structs.replace(
            heard[0], client_addresses=tuple(sorted(seen, key=_v4_first))
        )


def _extra(reply: Reply) -> Extra:
    try:
        return read_extra(reply.body)
    except BadMessage as exc:
        raise NetworkFailure(Failure.JSON_PARSE, str(exc)) from exc


def _telling(said: Introduction) -> tuple[bool, bool, float]:
    # That there is no such family, here or there, says nothing about the control.
    no_family = said.failure in (
        Failure.UNKNOWN,
        Failure.NETWORK_UNREACHABLE,
        Failure.ADDRESS_NOT_AVAILABLE,
    )
    return said.failure is not None, no_family, said.runtime


def _v4_first(ip: str) -> bool:
    return ":" in ip
