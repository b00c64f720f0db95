"""The records of network operations that OONI's nettests share, as they stand in a document.

df-001 (requests), df-002 (queries), df-005 (tcp_connect), df-006 (tls_handshakes). Fields that
probes of some years left out have defaults; those that are not used are passed over.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from probe.formats.ooni.document import MAX_RECORDS, Unreadable

MAX_DEPTH = 64  # redirects; OONI's probes stop at 10


class Binary(msgspec.Struct, gc=False):
    """What is not valid UTF-8: ``{"format": "base64", "data": ...}``."""

    data: str = ""
    format: str = "base64"

    def decoded(self) -> bytes:
        return from_base64(self.data)


Text = str | Binary | None


class Answer(msgspec.Struct, gc=False):
    answer_type: str | None = None
    ipv4: str | None = None
    ipv6: str | None = None
    hostname: str | None = None
    asn: int | None = None
    as_org_name: str | None = None
    ttl: int | float | None = None


class Query(msgspec.Struct):
    hostname: str | None = None
    query_type: str | None = "A"
    engine: str | None = None
    failure: str | None = None
    answers: list[Answer] | None = None
    resolver_address: str | None = None
    t0: float | None = 0.0
    t: float | None = 0.0
    tags: list[str] | None = None
    transaction_id: int | None = 0


class Status(msgspec.Struct, gc=False):
    failure: str | bool | None = None
    success: bool | None = None


class Connect(msgspec.Struct):
    ip: str | None = None
    port: int | None = 0
    status: Status | None = None
    t0: float | None = 0.0
    t: float | None = 0.0
    tags: list[str] | None = None
    transaction_id: int | None = 0


class Handshake(msgspec.Struct):
    network: str | None = "tcp"
    address: str | None = None
    failure: str | None = None
    server_name: str | None = None
    cipher_suite: str | None = None
    tls_version: str | None = None
    negotiated_protocol: str | None = None
    no_tls_verify: bool | None = False
    peer_certificates: list[Binary | str] | None = None
    outer_server_name: str | None = None
    echconfig: str | None = None
    t0: float | None = 0.0
    t: float | None = 0.0
    tags: list[str] | None = None
    transaction_id: int | None = 0


class RequestPart(msgspec.Struct):
    url: str | None = ""
    method: str | None = "GET"
    x_transport: str | None = "tcp"


class ResponsePart(msgspec.Struct):
    body: Text = None
    body_is_truncated: bool | None = False
    code: int | None = 0
    headers: dict[str, Text | list[Text]] | None = None
    headers_list: list[tuple[Text, Text]] | None = None


class Request(msgspec.Struct):
    failure: str | None = None
    address: str | None = None
    alpn: str | None = None
    request: RequestPart | None = None
    response: ResponsePart | None = None
    t0: float | None = 0.0
    t: float | None = 0.0
    tags: list[str] | None = None
    transaction_id: int | None = 0


def from_base64(text: str) -> bytes:
    """The bytes that *text* encodes; those of the text itself where it encodes none.

    Old probes wrote some bodies as base64 that are not: what came is then not known, and
    that something came is.
    """
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return text.encode("utf-8", "replace")


def as_text(value: Text | list[Text]) -> str:
    """Of a list, which probes of 2014 wrote, the first."""
    if isinstance(value, list):
        return as_text(value[0]) if value else ""
    if isinstance(value, Binary):
        return value.decoded().decode("utf-8", "replace")
    return value or ""


def as_bytes(value: Text) -> bytes:
    if isinstance(value, Binary):
        return value.decoded()
    return value.encode() if value else b""


@lru_cache(maxsize=8192)
def endpoint(address: str | None) -> tuple[str, int]:
    """``192.0.2.1:443`` or ``[2001:db8::1]:443`` -> address, port; empty and 0 if it is none."""
    host, _, port = (address or "").rpartition(":")
    if not (port.isascii() and port.isdecimal()) or len(port) > 5 or int(port) > 65535:
        return "", 0
    return host.removeprefix("[").removesuffix("]"), int(port)


@lru_cache(maxsize=8192)
def depth_of(tag: str) -> int:
    """The number in ``depth=3``; -1 for another tag."""
    name, _, number = tag.partition("=")
    if name != "depth" or not (number.isascii() and number.isdecimal()) or len(number) > 3:
        return -1
    if int(number) > MAX_DEPTH:
        raise Unreadable("an impossible depth")
    return int(number)


def depth(tags: list[str] | None) -> int:
    """How many redirects lead to a record, by its tags; 0 where they do not say."""
    for tag in tags or ():
        if (found := depth_of(tag)) >= 0:
            return found
    return 0


def bounded(*lists: Sequence[object] | None) -> None:
    """Raises `Unreadable` for more records than a document may have."""
    if sum(len(found) for found in lists if found) > MAX_RECORDS:
        raise Unreadable("too many records")
