"""The seam: what a nettest is, how one is found, and what it may touch.

A nettest is one file in ``probe.nettests`` with one decorated coroutine. Its author
writes no timeouts, no try/except, no JSON, no columns, no flags.
"""

from __future__ import annotations

import importlib
import pkgutil
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import trio

from probe import __version__
from probe.asn import AddressBook
from probe.compare import compare, compare_service, drop_bodies
from probe.control.client import ControlClient
from probe.evidence import (
    AddressInfo,
    AnyEvidence,
    ControlQuery,
    DNSExchange,
    HopProbe,
    Measurement,
    TCPConnect,
)
from probe.tools import Tools
from probe.trace import Trace
from probe.visit import visit
from probe.wire.url import parse
from testlists.target import Target

Run = Callable[["Context", Target], Awaitable[None]]
Takes = Callable[[Target], bool]


def a_site(target: Target) -> bool:
    """Whether *target* is a page to visit."""
    return target.scheme in ("http", "https")


@dataclass(frozen=True)
class Nettest:
    """*doc* is the question that it answers, in a sentence; *takes* says of which targets.

    *elsewhere*: the controls run it on the same target at the same time, and what they saw is
    in the measurement under their names. A visit asks them by itself, as it goes.
    """

    name: str
    version: str
    doc: str
    run: Run
    takes: Takes = a_site
    elsewhere: bool = False


REGISTRY: dict[str, Nettest] = {}


def nettest(
    name: str, *, version: str, takes: Takes = a_site, elsewhere: bool = False
) -> Callable[[Run], Run]:
    """Register the decorated coroutine function as the nettest *name* (see `Nettest`)."""

    def register(run: Run) -> Run:
        if name in REGISTRY:
            raise ValueError(f"two nettests are named {name!r}")
        doc = (run.__doc__ or "").strip().partition("\n")[0]  # Python's -OO leaves none
        REGISTRY[name] = Nettest(name, version, doc, run, takes, elsewhere)
        return run

    return register


@dataclass(frozen=True)
class Elsewhere:
    """*test* as a control runs it for a probe (`probe.control.service.Errand`)."""

    test: Nettest

    @property
    def name(self) -> str:
        return self.test.name

    def takes(self, target: Target) -> bool:
        return self.test.takes(target)

    async def run(self, tools: Tools, trace: Trace, target: Target) -> None:
        async with ControlClient(()) as nobody:
            await self.test.run(Context(tools=tools, trace=trace, controls=nobody), target)


def errands() -> list[Elsewhere]:
    """What a control can be asked to run."""
    return [Elsewhere(test) for test in discover().values() if test.elsewhere]


def discover() -> dict[str, Nettest]:
    """Import every module in ``probe.nettests`` and return the registry."""
    package = importlib.import_module("probe.nettests")
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    return dict(sorted(REGISTRY.items()))


@dataclass(frozen=True, kw_only=True)
class Context:
    """All a nettest may touch."""

    tools: Tools
    trace: Trace
    controls: ControlClient

    async def visit(self, url: str, *, twin: bool = False) -> None:
        """Measure *url* here, ask every control about it, and about where else it leads."""
        asking = _Asking(self, parse(url).text, twin_of(url) if twin else None)
        await visit(self.tools, self.trace, url, known=asking.known, twin=twin)


class _Asking:
    """The questions of one visit to the controls: as few as tell what is to be known.

    The first one is about the target and its twin. A control follows redirects itself, so
    a hop is asked about only where it was not there, or did not meet all our addresses.
    """

    def __init__(self, context: Context, url: str, twin: str | None) -> None:
        self._context = context
        self._url, self._twin = url, twin
        self._first_asked = False
        self._first_answered = trio.Event()

    async def known(self, url: str, depth: int, addresses: Sequence[str]) -> Sequence[str]:
        """The addresses that controls know of *url*'s host, asking them if need be."""
        context, trace = self._context, self._context.trace
        if not self._first_asked:
            self._first_asked = True
            await context.controls.ask(
                trace, self._url, depth=0, addresses=addresses, twin=self._twin
            )
            self._first_answered.set()
        else:
            await self._first_answered.wait()
            if depth and not self._covered(url, addresses):
                await context.controls.ask(trace, url, depth=depth, addresses=addresses)
        host = parse(url).host
        return [
            ip
            for e in trace.records
            if isinstance(e, DNSExchange) and e.vantage != trace.vantage and e.hostname == host
            for answer in e.answers
            for ip in answer.addresses
        ]

    def _covered(self, url: str, addresses: Sequence[str]) -> bool:
        """Whether every control that answers has been at *url* and at our *addresses* for it."""
        records = self._context.trace.records
        answering = {
            e.control for e in records if isinstance(e, ControlQuery) and e.failure is None
        }
        wanted = {ip for ip in addresses if self._context.tools.usable(ip)}

        def covers(control: str) -> bool:
            there = [e for e in records if e.vantage == control and e.url == url]
            met = {e.ip for e in there if isinstance(e, TCPConnect)}
            return bool(there) and wanted <= met

        return all(covers(control) for control in answering)


def twin_of(url: str) -> str | None:
    """*url* over the other scheme; None where a port is named, which speaks only one."""
    at = parse(url)
    return at.with_scheme("http" if at.tls else "https").text if at.default_port else None


async def measure(
    test: Nettest,
    target: Target,
    *,
    run_id: str,
    tools: Tools,
    controls: ControlClient,
    book: AddressBook,
    deadline: float = 120.0,
) -> Measurement:
    """Run *test* on *target*; all that was seen within *deadline* seconds is in the result."""
    started_at = tools.now()
    trace = Trace()
    context = Context(tools=tools, trace=trace, controls=controls)
    with trio.move_on_after(deadline):
        if not test.elsewhere:
            await test.run(context, target)
        else:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(controls.ask_nettest, trace, test.name, target)
                await test.run(context, target)
    names = [control.name for control in controls.controls]
    return Measurement(
        id=secrets.token_hex(16),
        run_id=run_id,
        nettest=test.name,
        nettest_version=test.version,
        url=target.url,
        category=target.category,
        risk=target.risk,
        list_name=target.list_name,
        started_at=started_at,
        runtime=round(trace.now(), 6),
        software_version=__version__,
        evidence=drop_bodies(trace.records),
        comparison=(
            compare(trace.records, target.url, names)
            if a_site(target)
            else compare_service(trace.records, names)
        ),
        addresses=whose(trace.records, book),
    )


def whose(evidence: Sequence[AnyEvidence], book: AddressBook) -> dict[str, AddressInfo]:
    """AS, holder and country of every address in *evidence*."""
    found: set[str] = set()
    for e in evidence:
        if isinstance(e, DNSExchange):
            found.update(ip for answer in e.answers for ip in answer.addresses)
        elif ip := getattr(e, "ip", ""):  # a control's download may have had none yet
            found.add(ip)
        if isinstance(e, HopProbe) and e.router:
            found.add(e.router)
    return {ip: book.lookup(ip) for ip in sorted(found)}
