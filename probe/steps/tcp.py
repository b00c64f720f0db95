"""TCP connect to one address."""

from __future__ import annotations

from typing import Any

import trio

from probe.evidence import TCPConnect
from probe.net import Network
from probe.trace import StepFailed, Trace

TIMEOUT = 10.0  # SYNs are sent again after 1, 3 and 7 s, so one lost packet is no silence
HOLD = 1.5


async def tcp_connect(
    net: Network, trace: Trace, ip: str, port: int, **facts: Any
) -> trio.abc.Stream:
    """An open stream. *facts* go into the record. Raises `StepFailed`."""
    with trace.operation(TCPConnect, timeout=TIMEOUT, ip=ip, port=port, **facts):
        stream = await net.connect_tcp(ip, port)
    return stream


async def tcp_hold(net: Network, trace: Trace, ip: str, port: int, **facts: Any) -> None:
    """Connect and say nothing for `HOLD` seconds.

    A reset in that time was not provoked by anything we said. Where a first
    connection was reset after our first bytes, this tells the two apart.
    """
    try:
        with trace.operation(
            TCPConnect, timeout=TIMEOUT + HOLD, ip=ip, port=port, held=HOLD, **facts
        ):
            stream = await net.connect_tcp(ip, port)
            async with stream:
                with trio.move_on_after(HOLD):
                    await stream.receive_some(1)
    except StepFailed:
        return  # it is on the record
