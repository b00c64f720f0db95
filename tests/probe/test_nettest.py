from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from probe import nettest as seam
from probe.asn import AddressBook
from probe.control.client import ControlClient
from probe.evidence import AddressInfo, DNSExchange, HTTPExchange, TCPConnect
from probe.nettest import REGISTRY, Context, Nettest, discover, measure, nettest
from probe.steps.certificate import Verifier
from probe.steps.tcp import tcp_connect
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from testlists.target import Target
from tests.certificates import cafile
from tests.fakenet import FakeInternet, Site, fake_internet, response, zone

SITE, OWN = "93.184.216.34", "93.184.216.53"


class FakeControls(ControlClient):
    """No controls; remembers what it was asked."""

    def __init__(self) -> None:
        self.controls = ()
        self.asked: list[tuple[str, int, tuple[str, ...]]] = []

    async def ask(
        self,
        trace: Trace,
        url: str,
        *,
        depth: int,
        addresses: Sequence[str],
        twin: str | None = None,
    ) -> None:
        self.asked.append((url, depth, tuple(addresses)))


class Book(AddressBook):
    """Everything belongs to one."""

    def __init__(self) -> None: ...

    def lookup(self, ip: str) -> AddressInfo:
        return AddressInfo(asn=64500, holder="lab", cc="BY")


def target(url: str) -> Target:
    return Target(url=url, category="NEWS")


def tools(net: FakeInternet, folder: Path) -> Tools:
    return Tools(
        net=net, resolvers=Resolvers(own=(OWN,), public=(), dot=(), doh=()),
        verifier=Verifier(cafile(folder)),
    )


async def run(test: Nettest, net: FakeInternet, folder: Path, **options: Any) -> Any:
    return await measure(
        test, target("http://site.by/"), run_id="r", tools=tools(net, folder),
        controls=options.pop("controls", FakeControls()), book=Book(), **options,
    )


def test_every_nettest_is_found_by_its_file() -> None:
    assert "web_connectivity" in discover()
    assert all(test.doc for test in discover().values())


def test_a_nettest_needs_a_name_of_its_own() -> None:
    async def silent(ctx: Context, target: Target) -> None: ...

    discover()
    with pytest.raises(ValueError, match="two nettests"):
        nettest("web_connectivity", version="1")(silent)
    assert "silent" not in REGISTRY


def test_a_python_that_keeps_no_docstrings_runs_them_too() -> None:
    code = "from probe.nettest import discover; print(*sorted(discover()))"
    done = subprocess.run(
        [sys.executable, "-OO", "-B", "-c", code], capture_output=True, text=True, check=True
    )
    assert "web_connectivity" in done.stdout.split()


async def test_web_connectivity_is_a_measurement(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    controls = FakeControls()
    async with fake_internet() as net:
        net.names["site.by"] = (SITE,)
        net.udp[OWN] = zone({"site.by": [SITE]})
        net.tcp[SITE, 80] = Site({"/": response(b"<title>Home</title>")})
        found = await run(
            discover()["web_connectivity"], net, tmp_path, controls=controls
        )
    assert ("web_connectivity", "http://site.by/", "NEWS", "r") == (
        found.nettest, found.url, found.category, found.run_id,
    )
    assert {SITE: AddressInfo(asn=64500, holder="lab", cc="BY")} == found.addresses
    assert ("http://site.by/", 0, (SITE,)) in controls.asked
    assert ["Home"] == [e.title for e in found.evidence if isinstance(e, HTTPExchange)]
    assert None is found.comparison["differs"]


async def test_the_deadline_keeps_what_was_gathered(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def slow(ctx: Context, target: Target) -> None:
        """Too slow?"""
        await tcp_connect(ctx.tools.net, ctx.trace, SITE, 80)
        await trio.sleep_forever()

    async with fake_internet() as net:
        net.tcp[SITE, 80] = Site()
        found = await run(Nettest("slow", "1", "Too slow?", slow), net, tmp_path, deadline=30)
    assert [None] == [e.failure for e in found.evidence if isinstance(e, TCPConnect)]
    assert 30.0 == found.runtime


async def test_the_deadline_of_a_visit_keeps_its_answers(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with fake_internet() as net:
        net.names["site.by"] = (SITE,)
        net.udp[OWN] = zone({"site.by": [SITE]})
        net.dark.add(SITE)
        found = await run(discover()["web_connectivity"], net, tmp_path, deadline=5)
    assert 4 == sum(isinstance(e, DNSExchange) for e in found.evidence)
    assert not any(isinstance(e, TCPConnect) for e in found.evidence)


async def test_a_bug_in_a_nettest_is_loud(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def broken(ctx: Context, target: Target) -> None:
        """A bug?"""
        raise TypeError("a bug")

    async with fake_internet() as net:
        with pytest.raises(TypeError):
            await run(Nettest("broken", "1", "A bug?", broken), net, tmp_path)


def test_the_seam_knows_no_nettest() -> None:
    assert "web_connectivity" not in (Path(seam.__file__)).read_text()
