"""Who rewrites requests: http_header_field_manipulation, http_invalid_request_line.

Both send what no browser sends to a helper that says back what reached it. Each round is an
`Echo`: what was sent beside what came back. Formats: ts-006, ts-007.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any
from urllib.parse import urlsplit

import msgspec

from probe.evidence import Echo
from probe.formats.ooni.archival import Text, as_bytes, as_text
from probe.formats.ooni.document import Document, Part, Unreadable, seconds
from probe.formats.ooni.failures import failure_of
from probe.formats.ooni.registry import reader
from probe.formats.ooni.shared_keys import SentRequest, said, target_of

MAX_ROUNDS = 100
MAX_BYTES = 64 * 1024  # of what was sent, or came, in one round


class HeaderKeys(msgspec.Struct):
    requests: list[SentRequest] | None = None
    tampering: dict[str, Any] | None = None


class LineKeys(msgspec.Struct):
    sent: list[Text] | None = None
    received: list[Text] | None = None
    failure_list: list[str | None] | None = None
    tampering: bool | None = None


_headers = msgspec.json.Decoder(HeaderKeys | None)
_lines = msgspec.json.Decoder(LineKeys | None)


@reader("http_header_field_manipulation")
def http_header_field_manipulation(document: Document) -> Iterator[Part]:
    keys = document.keys(_headers)
    if keys is None:
        raise Unreadable("no test_keys")
    rounds = tuple(_round(request) for request in (keys.requests or ())[:MAX_ROUNDS])
    total = (keys.tampering or {}).get("total")
    facts = {"ooni_tampering": total} if isinstance(total, bool) else {}
    if rounds:
        yield Part(url="middlebox://headers", evidence=rounds, facts=dict(facts))


def _round(request: SentRequest) -> Echo:
    part, failure = request.request, failure_of(request.failure)
    pairs = (part.headers_list or list((part.headers or {}).items())) if part else []
    parts = _place((part.url if part else "") or "")
    ip, port = target_of(f"{parts[0]}:{parts[1]}")
    method = (part.method if part else "") or "GET"
    lines = [f"{method} {parts[2]} HTTP/1.1", *(f"{as_text(k)}: {as_text(v)}" for k, v in pairs)]
    body = request.response.body if request.response else None
    return Echo(
        transaction=request.transaction_id or 0,
        t0=seconds(request.t0),
        t=seconds(request.t),
        failure=failure[0],
        detail=failure[1],
        ip=ip,
        port=port,
        form="headers",
        sent="\r\n".join(lines).encode()[:MAX_BYTES],
        received=as_bytes(body)[:MAX_BYTES],
    )


def _place(url: str) -> tuple[str, int, str]:
    """Host, port and path of *url*, as far as it has them."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or 80, parts.path or "/"
    except ValueError:
        return "", 0, "/"


@reader("http_invalid_request_line")
def http_invalid_request_line(document: Document) -> Iterator[Part]:
    keys = document.keys(_lines)
    if keys is None:
        raise Unreadable("no test_keys")
    backend = (document.envelope.test_helpers or {}).get("backend")
    ip, port = target_of(f"{backend}:80" if isinstance(backend, str) else "")
    rounds = zip_longest(
        (keys.sent or ())[:MAX_ROUNDS],
        (keys.received or ())[:MAX_ROUNDS],
        (keys.failure_list or ())[:MAX_ROUNDS],
    )
    echoes = []
    for sent, received, failed in rounds:
        failure, detail = failure_of(failed)
        echoes.append(
            Echo(
                failure=failure, detail=detail, ip=ip, port=port,
                sent=as_bytes(sent)[:MAX_BYTES], received=as_bytes(received)[:MAX_BYTES],
            )
        )  # fmt: skip
    if echoes:
        facts = said(keys, "tampering")
        yield Part(url="middlebox://request-line", evidence=tuple(echoes), facts=facts)
