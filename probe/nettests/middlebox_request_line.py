"""Request lines that no server takes, sent to one that says back what reached it.

Who passes packets on passes these too. A proxy on the way, also one that shows itself nowhere,
takes them apart, and what it answers, or makes of them, is not what was sent. The lines are
those of OONI's test (ts-007). The helper, ``ADDRESS:PORT``, is the list's: nobody is connected to
who was not named for it.
"""

from __future__ import annotations

import secrets
import string

from probe.helper import ask_twice, helper_of
from probe.nettest import Context, nettest
from testlists.target import Target


def a_helper_is_named(target: Target) -> bool:
    at = target.scheme, target.hostname
    return at == ("middlebox", "request-line") and helper_of(target) is not None


@nettest("middlebox_request_line", version="0.1.0", takes=a_helper_is_named, elsewhere=True)
async def middlebox_request_line(ctx: Context, target: Target) -> None:
    """Does anybody on the way answer, or change, a request line that no server takes?"""
    for line in lines():
        await ask_twice(ctx.tools, ctx.trace, target, line, form="bytes")


def lines() -> list[bytes]:
    """One of each kind."""
    return [
        f"{_letters(4)} / HTTP/1.1\n\r".encode(),
        f"{_letters(5)} {_letters(5)} {_letters(5)} {_letters(5)}\r\n".encode(),
        f"{_letters(1024)} / HTTP/1.1\r\n".encode(),
        f"GET / HTTP/{_letters(3)}\r\n".encode(),
        b"GET cache_object://localhost/ HTTP/1.0\n\r",
    ]


def _letters(count: int) -> str:
    return "".join(secrets.choice(string.ascii_uppercase) for _ in range(count))
