"""What a control says before anything is asked: its clock, its software, who we are to it."""

from __future__ import annotations

import time
from typing import Any

import httpx2
import msgspec
import trio

from probe.control.protocol import BadMessage, Control, address, read_greeting
from probe.control.transport import CONNECT, check_status, date, fetch
from probe.failure import Failure, NetworkFailure
from probe.trace import MAX_DETAIL

TIMEOUT = 2 * CONNECT


class Introduction(msgspec.Struct, frozen=True, kw_only=True):
    """One control's words about itself and about us.

    *failure* is None where it answered. *server_time* is its clock (POSIX) at the
    moment *at* of ours, give or take half of *runtime* seconds. *client_addresses* are
    our own as it sees them, at most one of each family; none through a proxy, whose
    address that would be.
    """

    control: str
    control_url: str
    failure: Failure | None = None
    detail: str = ""
    at: float = 0.0
    runtime: float = 0.0
    server_time: float | None = None
    software: str = ""
    client_addresses: tuple[str, ...] = ()

    @property
    def client_address(self) -> str | None:
        return self.client_addresses[0] if self.client_addresses else None

    @property
    def clock_offset(self) -> float | None:
        """Seconds to add to this machine's clock, by that control."""
        return None if self.server_time is None else self.server_time - self.at


async def greet(
    control: Control, http: httpx2.AsyncClient, *, hidden: bool = False
) -> Introduction:
    """GET *control*. *hidden*: the way leads through a proxy. Failures are in the result."""
    began, at = trio.current_time(), time.time()
    facts: dict[str, Any] = {}
    try:
        with trio.fail_after(TIMEOUT):
            reply = await fetch(http, "GET", control.url)
        at += (trio.current_time() - began) / 2
        check_status(reply)
        hello = read_greeting(reply.body).x_zond
        facts["server_time"] = date(reply)
        if hello is None:
            facts["software"] = "ooni"
        else:
            facts["software"] = hello.software[:MAX_DETAIL]
            if hello.time is not None:
                facts["server_time"] = hello.time
            if hello.client_address and not hidden:
                facts["client_addresses"] = (address(hello.client_address),)
    except NetworkFailure as exc:
        facts |= {"failure": exc.failure, "detail": exc.detail}
    except trio.TooSlowError:
        facts |= {"failure": Failure.TIMEOUT}
    except BadMessage as exc:
        facts |= {"failure": Failure.JSON_PARSE, "detail": str(exc)}
    return Introduction(
        control=control.name,
        control_url=control.url,
        at=at,
        runtime=trio.current_time() - began,
        **facts,
    )
