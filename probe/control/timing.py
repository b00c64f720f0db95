"""Asking the controls how fast: a download from each, and each one's own of a page.

The rule of `client` holds: a control that cannot tell is a record that says so, and
only a bug of ours is raised. Downloads are on connections of their own, since what is
compared with them is.
"""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import trio

from probe.control.protocol import BadMessage, Control, encode
from probe.control.speed import MAX_ANSWER, Wanted, read_timed
from probe.control.transport import check_status, fetch, named_failures
from probe.evidence import Transfer
from probe.failure import Failure, NetworkFailure
from probe.steps.transfer import Progress
from probe.tcpinfo import TCPInfo, tcp_info
from probe.trace import MAX_DETAIL, StepFailed, Trace

ASKING = 45.0  # seconds; a control takes 40 for its transfers


async def download(
    http: httpx2.AsyncClient,
    trace: Trace,
    control: Control,
    *,
    size: int,
    timeout: float,
    **facts: Any,
) -> None:
    """*size* bytes from *control* over *http*, which has no connection yet; one `Transfer`."""
    laps = _Laps()
    try:
        with trace.operation(
            Transfer, timeout=timeout, what="control", source=control.name, asked=size, **facts
        ) as learned:
            try:
                await _download(http, control, size, laps, learned)
            finally:
                learned.update(laps.facts())
    except StepFailed:
        return  # it is on the record


async def _download(
    http: httpx2.AsyncClient, control: Control, size: int, laps: _Laps, learned: dict[str, Any]
) -> None:
    url = httpx2.URL(control.url).join(f"bytes?n={size}")
    with named_failures():
        async with http.stream(
            "GET", url, headers={"accept-encoding": "identity"}, extensions={"trace": laps.note}
        ) as response:
            laps.head()
            learned["status"] = response.status_code
            progress = Progress()
            stream = response.extensions["network_stream"]
            sock = stream.get_extra_info("socket")
            learned["ip"], learned["port"] = (stream.get_extra_info("server_addr") or ("", 0))[:2]
            info = TCPInfo()
            try:
                if response.status_code != 200:
                    raise NetworkFailure(Failure.UNKNOWN, f"status {response.status_code}")
                # Ended from within, as in `transport`.
                with trio.CancelScope() as reading:
                    async for chunk in response.aiter_raw():
                        progress.note(len(chunk))
                        info = tcp_info(sock)  # once it is over, the socket is closed
                        if progress.received > size:
                            reading.cancel()
                learned["whole"] = progress.received >= size
            finally:
                learned.update(progress.facts())
                learned.update(info._asdict())


class _Laps:
    """When the parts of an exchange ended, by what httpcore2 tells of it."""

    def __init__(self) -> None:
        self._began = self._last = trio.current_time()
        self._facts: dict[str, float] = {}

    async def note(self, event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            self._last = trio.current_time()
        elif event == "connection.connect_tcp.complete":
            self._lap("connect")
        elif event == "connection.start_tls.complete":
            self._lap("handshake")

    def head(self) -> None:
        self._lap("wait")

    def facts(self) -> dict[str, float]:
        return self._facts

    def _lap(self, name: str) -> None:
        now = trio.current_time()
        self._facts[name] = round(now - self._last, 6)
        self._last = now


async def time_page(
    http: httpx2.AsyncClient, trace: Trace, control: Control, wanted: Wanted, **facts: Any
) -> None:
    """*control*'s own transfers of the page, with its name as vantage; one that says why not
    where it did not make any."""
    began = trace.now()
    try:
        with trio.fail_after(ASKING):
            url = str(httpx2.URL(control.url).join("transfers"))
            reply = await fetch(http, "POST", url, encode(wanted))
        check_status(reply)
        if len(reply.body) > MAX_ANSWER:
            raise NetworkFailure(Failure.MESSAGE_SIZE, f"longer than {MAX_ANSWER} bytes")
        found = read_timed(reply.body)
        if any(e.ip != wanted.ip for e in found):
            raise NetworkFailure(Failure.JSON_PARSE, "transfers from another address")
    except (trio.TooSlowError, NetworkFailure, BadMessage) as exc:
        failure, said = Failure.JSON_PARSE, str(exc)
        if isinstance(exc, NetworkFailure):
            failure = exc.failure
        elif isinstance(exc, trio.TooSlowError):
            failure = Failure.TIMEOUT
        trace.append(
            Transfer, began, facts | {
                "what": "asked", "source": control.name, "failure": failure,
                "detail": said[:MAX_DETAIL],
            },
        )  # fmt: skip
        return
    # Whose word it is, is ours to say; so is what it is about.
    ours: dict[str, Any] = {
        "url": wanted.url, "what": "accused", "source": wanted.ip, **facts,
        "vantage": control.name, "step": trace.step,
    }  # fmt: skip
    trace.records.extend(
        msgspec.structs.replace(e, detail=e.detail[:MAX_DETAIL], **ours) for e in found
    )
