"""Sending bytes to a server that says back what reached it (OONI ts-006, ts-007)."""

from __future__ import annotations

from typing import Any, Literal

import h11
import trio

from probe.evidence import Echo
from probe.failure import classify
from probe.net import Network
from probe.steps.tcp import TIMEOUT as CONNECTING
from probe.steps.tcp import tcp_connect
from probe.trace import StepFailed, Trace

TIMEOUT = 6.0  # seconds for what comes back
MAX_RECEIVED = 16 * 1024  # bytes


async def echo(
    net: Network,
    trace: Trace,
    ip: str,
    port: int,
    sent: bytes,
    *,
    form: Literal["bytes", "headers"],
    **facts: Any,
) -> Echo:
    """Send *sent* to *ip* on a connection of its own; the record, which is on the trace.

    Of form ``"headers"`` what is kept is the body of the answer, or all that came where that is
    no answer of HTTP.
    """
    common = {"transaction": trace.new_transaction(), "ip": ip, "port": port, **facts}
    try:
        with trace.operation(
            Echo, timeout=CONNECTING + TIMEOUT + 1, form=form, sent=sent, **common
        ) as learned:
            try:
                stream = await tcp_connect(net, trace, **common)
            except StepFailed as exc:
                assert exc.__cause__ is not None
                learned["failure"] = classify(exc.__cause__)
            else:
                async with stream:
                    await _converse(stream, sent, form, learned)
    except StepFailed:
        pass  # it is on the record
    record = trace.records[-1]
    assert isinstance(record, Echo)
    return record


async def _converse(
    stream: trio.abc.Stream, sent: bytes, form: str, learned: dict[str, Any]
) -> None:
    """Until it is all back, the other side closes, or time is up: neither is a failure."""
    received = b""
    await stream.send_all(sent)
    with trio.move_on_after(TIMEOUT):
        while len(received) < MAX_RECEIVED and not _whole(received, sent, form):
            try:
                piece = await stream.receive_some(4096)
            finally:
                learned["received"] = _of_interest(received, form)
            if not piece:
                break
            received += piece
    learned["received"] = _of_interest(received, form)


def _whole(received: bytes, sent: bytes, form: str) -> bool:
    return len(received) >= len(sent) if form == "bytes" else _body(received)[1]


def _of_interest(received: bytes, form: str) -> bytes:
    return received if form == "bytes" else _body(received)[0]


def _body(received: bytes) -> tuple[bytes, bool]:
    """The body of the response that *received* begins with, and whether that is all of it."""
    if not received:
        return b"", False  # to h11 that would be an end of file
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("host", "helper")]))
    reader.send(h11.EndOfMessage())
    body = b""
    try:
        reader.receive_data(received)
        while True:
            event = reader.next_event()
            if isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return body, True
            elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                return body, False
    except h11.RemoteProtocolError:
        return received, True
