"""What a nettest is run with here: real sockets on loopback under public addresses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from probe import endpoint
from probe.control.client import ControlClient
from probe.evidence import AnyEvidence, Reach
from probe.nettest import Context, discover
from probe.steps.certificate import Verifier
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from testlists.target import target_from_url
from tests.certificates import cafile
from tests.loopback import LoopbackNetwork


class Around:
    """Runs one nettest and gives its records."""

    def __init__(self, folder: Path) -> None:
        self.net = LoopbackNetwork()
        self._folder = folder

    async def measure(self, nettest: str, url: str, **attributes: str) -> list[AnyEvidence]:
        target = replace(target_from_url(url), attributes=tuple(attributes.items()))
        assert discover()[nettest].takes(target), f"{nettest} does not take {url}"
        tools = Tools(
            net=self.net, verifier=Verifier(cafile(self._folder)),
            resolvers=Resolvers(own=(), public=(), dot=(), doh=(), system=True),
        )  # fmt: skip
        trace = Trace()
        async with ControlClient(()) as nobody:
            await discover()[nettest].run(
                Context(tools=tools, trace=trace, controls=nobody), target
            )
        return trace.records

    async def reached(self, nettest: str, url: str, **attributes: str) -> list[Reach]:
        """The records of the whole, one for each try."""
        records = await self.measure(nettest, url, **attributes)
        return [e for e in records if isinstance(e, Reach)]


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Around:
    monkeypatch.setattr(endpoint, "PAUSE", 0.01)
    monkeypatch.setattr(endpoint, "ANSWER", 60.0)
    return Around(tmp_path)


@pytest.fixture
def unanswered(around: Around, monkeypatch: pytest.MonkeyPatch) -> None:
    """For who is not going to be answered, and does not wait long for it."""
    monkeypatch.setattr(endpoint, "ANSWER", 0.5)


def port_of(listener: trio.SocketListener) -> int:
    return int(listener.socket.getsockname()[1])
