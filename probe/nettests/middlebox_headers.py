"""A request with a head spelt as nobody spells it, to a server that says back what reached it.

Its method and the names of its header fields have capitals at random, and it asks for a host
that is none. Who passes packets on leaves all that as it is. After OONI's test (ts-006). The
helper, ``ADDRESS:PORT``, is the list's.
"""

from __future__ import annotations

import secrets
import string

from probe.helper import ask_twice, helper_of
from probe.nettest import Context, nettest
from probe.steps.http import BROWSER_HEADERS
from testlists.target import Target

NAMES = ("user-agent", "accept", "accept-encoding", "accept-language")  # a browser's values


def a_helper_is_named(target: Target) -> bool:
    at = target.scheme, target.hostname
    return at == ("middlebox", "headers") and helper_of(target) is not None


@nettest("middlebox_headers", version="0.1.0", takes=a_helper_is_named, elsewhere=True)
async def middlebox_headers(ctx: Context, target: Target) -> None:
    """Does anybody on the way change the head of a request?"""
    await ask_twice(ctx.tools, ctx.trace, target, head(), form="headers")


def head() -> bytes:
    """The head of a request, spelt anew each time."""
    host = "".join(secrets.choice(string.ascii_lowercase) for _ in range(15))
    values = dict(BROWSER_HEADERS)
    fields = [("host", f"{host}.com"), *((name, values[name]) for name in NAMES)]
    lines = ["GeT / HTTP/1.1", *(f"{_spelt(name)}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, "", ""]).encode()


def _spelt(name: str) -> str:
    return "".join(secrets.choice((c.lower(), c.upper())) for c in name)
