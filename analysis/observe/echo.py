"""What came back from a server that says back what reached it: was it changed on the way?

Three answers are told apart. *altered*: it is ours and not as we sent it, so somebody
between has read and rewritten it. *other*: something else, from whoever answers there; a
helper that is no more answers so to everybody. *silence*: nothing, which is no tampering.

Sources: OONI ts-006 and ts-007; Reis et al., NSDI 2008, for how often proxies rewrite.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from analysis.observe.sight import manner
from probe.evidence import Echo

WORKS, ECHO = "works", "echo"
_NOT_CONNECTED = ("refused", "unreachable")
SHORTEST_MARK = 8  # bytes of what we sent that nobody writes by chance
MOST_MARKS = 64
# Headers that an HTTP library adds below what the probe has written down.
_OUR_OWN = frozenset({"connection", "content-length", "accept-encoding", "transfer-encoding"})


class _Head(msgspec.Struct):
    """What OONI's header helper answers: the head of the request as it came."""

    request_headers: list[tuple[str, str]] | None = None
    headers_dict: dict[str, list[str] | str] | None = None
    request_line: str | None = None


_head = msgspec.json.Decoder(_Head)


def echo_end(echoes: Sequence[Echo]) -> tuple[str, str]:
    """Where the way to the helper ends, and how: the worst that is certain wins."""
    results = [_result(e) for e in echoes]
    for how in ("altered", "other"):
        if how in results:
            return ECHO, how
    if "same" in results:
        return WORKS, ""
    failed = [e for e in echoes if e.failure is not None]
    if failed:
        how = manner(failed[0].failure)
        return "tcp" if how in _NOT_CONNECTED else ECHO, how
    return ECHO, "silence"


def _result(e: Echo) -> str:
    """``same``, ``altered``, ``other`` or ``none``."""
    if not e.received:
        return "none"
    return _of_head(e) if e.form == "headers" else _of_bytes(e)


def _of_bytes(e: Echo) -> str:
    if e.received == e.sent:
        return "same"
    if e.sent.startswith(e.received):
        return "none"  # our time was up before the rest came
    low = e.received.lower()
    return "altered" if any(mark in low for mark in _marks(e.sent)) else "other"


def _marks(sent: bytes) -> list[bytes]:
    """Pieces of *sent* by which it is known again; random, so that nobody else writes them."""
    words = [w for w in sent.lower().replace(b"/", b" ").split() if w not in (b"http", b"get")]
    long = [w for w in words if len(w) >= SHORTEST_MARK]
    line = sent.strip().lower()
    return [*long[:MOST_MARKS], *([line] if len(line) >= SHORTEST_MARK else [])]


def _of_head(e: Echo) -> str:
    try:
        head = _head.decode(e.received)
    except (msgspec.MsgspecError, UnicodeError):
        return "other"
    if head.request_line is None and head.headers_dict is None and head.request_headers is None:
        return "other"
    line, sent = _parsed(e.sent)
    if head.request_line is not None and head.request_line.strip() != line:
        return "altered"
    if head.request_headers is not None:
        came = {name: value.strip() for name, value in head.request_headers}
    else:
        names = head.headers_dict or {}
        came = {n: (v if isinstance(v, str) else ", ".join(v)).strip() for n, v in names.items()}
    if any(came.get(name) != value for name, value in sent.items()):
        return "altered"  # one is gone, was spelt otherwise, or says something else
    added = {name.lower() for name in came} - {name.lower() for name in sent}
    return "altered" if added - _OUR_OWN else "same"


def _parsed(sent: bytes) -> tuple[str, dict[str, str]]:
    """Request line and headers of the head *sent*."""
    lines = sent.decode("utf-8", "replace").split("\r\n")
    headers = [line.partition(":") for line in lines[1:] if ":" in line]
    return lines[0].strip(), {name: value.strip() for name, _, value in headers}
