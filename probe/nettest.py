"""The seam: what a nettest is, how one is found, and what it may touch.

A nettest is one file in ``probe.nettests`` with one decorated coroutine. Its author
writes no timeouts, no try/except, no JSON, no columns, no flags.
"""

from __future__ import annotations

import importlib
import pkgutil
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import trio

from probe import __version__
from probe.asn import AddressBook
from probe.compare import compare, drop_bodies
from probe.control.client import ControlClient
from probe.evidence import AddressInfo, AnyEvidence, DNSExchange, Measurement
from probe.tools import Tools
from probe.trace import Trace
from probe.visit import visit
from testlists.target import Target

Run = Callable[["Context", Target], Awaitable[None]]


@dataclass(frozen=True)
class Nettest:
    """*doc* is the question that it answers, in a sentence."""

    name: str
    version: str
    doc: str
    run: Run


REGISTRY: dict[str, Nettest] = {}


def nettest(name: str, *, version: str) -> Callable[[Run], Run]:
    """Register the decorated coroutine function as the nettest *name*."""

    def register(run: Run) -> Run:
        if name in REGISTRY:
            raise ValueError(f"two nettests are named {name!r}")
        if not run.__doc__:
            raise ValueError(f"nettest {name!r} must have a docstring")
        REGISTRY[name] = Nettest(name, version, run.__doc__.strip().splitlines()[0], run)
        return run

    return register


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
        """Measure *url* here and ask every control about it and about where it leads."""

        async def known(at: str, depth: int, addresses: Sequence[str]) -> Sequence[str]:
            before = len(self.trace.records)
            await self.controls.ask(self.trace, at, depth=depth, addresses=addresses)
            return [
                ip
                for e in self.trace.records[before:]
                if isinstance(e, DNSExchange) and e.vantage != self.trace.vantage
                if e.url == at
                for answer in e.answers
                for ip in answer.addresses
            ]

        await visit(self.tools, self.trace, url, known=known, twin=twin)


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
    started_at = time.time() + tools.clock_offset
    trace = Trace()
    with trio.move_on_after(deadline):
        await test.run(Context(tools=tools, trace=trace, controls=controls), target)
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
        comparison=compare(trace.records, target.url, names),
        addresses=whose(trace.records, book),
    )


def whose(evidence: Sequence[AnyEvidence], book: AddressBook) -> dict[str, AddressInfo]:
    """AS, holder and country of every address in *evidence*."""
    found: set[str] = set()
    for e in evidence:
        if isinstance(e, DNSExchange):
            found.update(ip for answer in e.answers for ip in answer.addresses)
        elif (ip := getattr(e, "ip", None)) is not None:
            found.add(ip)
    return {ip: book.lookup(ip) for ip in sorted(found)}
