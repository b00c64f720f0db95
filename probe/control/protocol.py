"""What a probe and a control say to each other: one JSON document each way.

The rule: OONI's test-helper protocol, field for field, so that either side can be
swapped for OONI's; what that protocol lacks travels in one extra field, ``x_zond``,
which an OONI program ignores. Whatever arrives is hostile until it has been decoded
here: types are checked, sizes and counts are bounded, and nothing in an answer can
claim to have been seen by somebody else.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from probe.evidence import (
    AnyEvidence,
    CertificateCheck,
    DNSExchange,
    Echo,
    HTTPExchange,
    QUICHandshake,
    Reach,
    RelayLink,
    TCPConnect,
    TLSHandshake,
)
from probe.trace import MAX_DETAIL, Trace

VERSION = 1  # of x_zond; raised when an older probe could not read what is sent

MAX_QUESTION = 64 * 1024  # bytes; 24 addresses and a URL of 4096 characters need 6 KiB
MAX_ANSWER = 2 * 1024 * 1024  # bytes of JSON; an ordinary answer has 20 to 60 KiB
MAX_ADDRESSES = 24  # that a probe may add; big CDNs give 8 to 16 for a name, over both families
MAX_ENDPOINTS = 256  # entries of OONI's tcp_connect: each address once for every port
MAX_RECORDS = 2000  # 20 hops, 30 addresses each, TCP and TLS and certificate: 1800
MAX_HEADERS = 200  # of one HTTP exchange
MAX_ATTRIBUTES = 20  # of a service's endpoint

RemoteEvidence = (
    DNSExchange | TCPConnect | TLSHandshake | QUICHandshake | CertificateCheck | HTTPExchange
    | RelayLink | Reach | Echo
)  # fmt: skip
_WITHOUT_ADDRESS = (HTTPExchange, Reach, Echo)  # of a redirect loop, of a name that has none


class BadMessage(ValueError):
    """What arrived is not of the protocol. The text says why and quotes nothing of it."""


class Control(msgspec.Struct, frozen=True):
    """A control vantage point: the name its evidence gets, and where it answers."""

    name: str
    url: str


class Wants(msgspec.Struct, frozen=True, kw_only=True):
    """A zond probe's part of a question.

    *version* is that of the evidence it can read; *twin* asks to visit the same name over
    the other scheme as well, in the same visit.
    """

    version: int = VERSION
    twin: bool = False


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe asks: OONI's fields, and ``x_zond`` if it can read our evidence.

    *tcp_connect* holds ``"ip:port"`` of the addresses the probe knows. Ports are
    ignored, as OONI's helper ignores them: they follow from the URL.
    *http_request_headers* are sent for OONI's helpers; ours visits as it always does,
    or else two probes could not share an answer.
    """

    http_request: str
    http_request_headers: dict[str, list[str]] | None = None
    tcp_connect: list[str] | None = None
    x_quic_enabled: bool = False
    x_zond: Wants | None = None


class NettestQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe asks at ``/nettests``: to run *nettest* on a target that is no site.

    *url* and *attributes* are the target's (`testlists.target.Target`). The answer is an
    `Extra`.
    """

    nettest: str
    url: str
    attributes: tuple[tuple[str, str], ...] = ()
    version: int = VERSION


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """A zond control's part of the answer to GET: its clock (POSIX) and whom it sees."""

    version: int = VERSION
    software: str = ""
    time: float | None = None
    client_address: str = ""


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    message: str = ""
    x_zond: Hello | None = None


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """A zond control's part of an answer.

    *time* is the control's clock (POSIX), *age* how many seconds ago the evidence was
    gathered, *client_address* the address that the question came from. *complete* is
    false where a limit of the control (time, records, bytes) cut the evidence short.
    """

    version: int = VERSION
    software: str = ""
    time: float | None = None
    age: float = 0.0
    client_address: str = ""
    complete: bool = True
    evidence: msgspec.Raw = msgspec.Raw(b"[]")


class DNSPart(msgspec.Struct, kw_only=True):
    failure: str | None = None
    addrs: list[str] | None = None


class TCPPart(msgspec.Struct, kw_only=True):
    status: bool = False
    failure: str | None = None


class TLSPart(msgspec.Struct, kw_only=True):
    server_name: str = ""
    status: bool = False
    failure: str | None = None


class HTTPPart(msgspec.Struct, kw_only=True):
    """The page at the end of the redirects; -1 and empty where there is none."""

    body_length: int = -1
    discovered_h3_endpoint: str = ""
    failure: str | None = None
    title: str = ""
    headers: dict[str, str] | None = None
    status_code: int = -1


class AddressPart(msgspec.Struct, kw_only=True):
    asn: int = 0
    flags: int = 0


class Answer(msgspec.Struct, kw_only=True):
    """A control's answer: OONI's fields, and ``x_zond`` where the control is one of ours."""

    tcp_connect: dict[str, TCPPart] | None
    tls_handshake: dict[str, TLSPart] | None = None
    quic_handshake: dict[str, Any] | None = None
    http_request: HTTPPart
    http3_request: Any = None
    dns: DNSPart
    ip_info: dict[str, AddressPart] | None = None
    x_zond: Extra | None = None


_question = msgspec.json.Decoder(Question)
_nettest_question = msgspec.json.Decoder(NettestQuestion)
_extra = msgspec.json.Decoder(Extra)
_greeting = msgspec.json.Decoder(Greeting)
_answer = msgspec.json.Decoder(Answer)
_evidence = msgspec.json.Decoder(list[RemoteEvidence])
encode = msgspec.json.Encoder().encode


def _decode(decoder: msgspec.json.Decoder[Any], data: bytes | msgspec.Raw, what: str) -> Any:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        # The library's text names paths and types, not values.
        raise BadMessage(f"not {what}: {exc}"[:MAX_DETAIL]) from exc


def read_question(data: bytes) -> Question:
    """Raises `BadMessage`."""
    question: Question = _decode(_question, data, "a question")
    if len(question.tcp_connect or ()) > MAX_ENDPOINTS:
        raise BadMessage(f"more than {MAX_ENDPOINTS} endpoints in tcp_connect")
    return question


def read_nettest_question(data: bytes) -> NettestQuestion:
    """Raises `BadMessage`."""
    question: NettestQuestion = _decode(_nettest_question, data, "a question about a nettest")
    if len(question.attributes) > MAX_ATTRIBUTES:
        raise BadMessage(f"more than {MAX_ATTRIBUTES} attributes")
    return question


def read_extra(data: bytes) -> Extra:
    """The answer to a `NettestQuestion`. Raises `BadMessage`."""
    extra: Extra = _decode(_extra, data, "an answer about a nettest")
    return extra


def read_greeting(data: bytes) -> Greeting:
    """Raises `BadMessage`."""
    greeting: Greeting = _decode(_greeting, data, "a greeting")
    if greeting.x_zond is None and not greeting.message:
        raise BadMessage("not a greeting: it says nothing")
    return greeting


def read_answer(data: bytes) -> Answer:
    """Raises `BadMessage`."""
    answer: Answer = _decode(_answer, data, "an answer")
    if len(answer.tcp_connect or ()) + len(answer.tls_handshake or ()) > MAX_RECORDS:
        raise BadMessage("too many endpoints")
    if len(answer.dns.addrs or ()) > MAX_ENDPOINTS:
        raise BadMessage("too many addresses")
    return answer


def endpoint(text: str) -> tuple[str, int]:
    """``"192.0.2.1:443"`` or ``"[2001:db8::1]:443"`` -> address, port. Raises `BadMessage`."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and len(port) < 6 and 0 < int(port) < 65536):
        raise BadMessage("an endpoint without a port")
    return address(host.removeprefix("[").removesuffix("]")), int(port)


@lru_cache(maxsize=1024)  # an answer has the same few many times
def address(text: str) -> str:
    """*text* if it is an IP address, in its usual form. Raises `BadMessage`."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise BadMessage("what should be an IP address is none") from None
    if isinstance(found, ipaddress.IPv6Address) and found.scope_id is not None:
        raise BadMessage("an IP address with a zone")
    return str(found)


def join(ip: str, port: int) -> str:
    """The inverse of `endpoint`."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def pack(records: Sequence[AnyEvidence], *, max_bytes: int) -> tuple[bytes, bool]:
    """*records* as a JSON array for an answer, and whether all of them fitted.

    Pages, certificates and raw messages stay behind: their digests are enough to
    compare by, and a control should not carry content about. What does not fit
    is cut at the end, where the last redirects are.
    """
    parts: list[bytes] = []
    size = 2
    for record in records:
        data = encode(_light(record))
        size += len(data) + 1
        if size > max_bytes or len(parts) == MAX_RECORDS:
            return b"[" + b",".join(parts) + b"]", False
        parts.append(data)
    return b"[" + b",".join(parts) + b"]", True


def _light(record: AnyEvidence) -> AnyEvidence:
    match record:
        case HTTPExchange():
            return msgspec.structs.replace(record, body=None, headers=record.headers[:MAX_HEADERS])
        case TLSHandshake() | QUICHandshake():
            digests = tuple(hashlib.sha256(der).hexdigest() for der in record.chain)
            return msgspec.structs.replace(
                record, chain=(), chain_sha256=record.chain_sha256 or digests
            )
        case DNSExchange():
            answers = tuple(msgspec.structs.replace(a, raw=b"") for a in record.answers)
            return msgspec.structs.replace(record, answers=answers)
        case _:
            return record


def unpack(data: msgspec.Raw) -> list[RemoteEvidence]:
    """The evidence of an answer, checked. Raises `BadMessage`.

    Addresses are addresses, counts are bounded. Strict, all or nothing: evidence
    that had to be repaired is no evidence.
    """
    records: list[RemoteEvidence] = _decode(_evidence, data, "evidence")
    if len(records) > MAX_RECORDS:
        raise BadMessage(f"more than {MAX_RECORDS} records")
    for record in records:
        if not 0 <= record.depth <= 100:
            raise BadMessage("an impossible depth")
        if isinstance(record, DNSExchange):
            if len(record.answers) > MAX_ENDPOINTS:
                raise BadMessage("too many answers to one query")
            for answer in record.answers:
                if len(answer.addresses) + len(answer.cnames) > MAX_ENDPOINTS:
                    raise BadMessage("too many addresses in one answer")
                for ip in answer.addresses:
                    address(ip)
        else:
            if record.ip or not isinstance(record, _WITHOUT_ADDRESS):
                address(record.ip)
            if not 0 <= record.port < 65536:
                raise BadMessage("an impossible port")
        if isinstance(record, HTTPExchange) and len(record.headers) > MAX_HEADERS:
            raise BadMessage("too many headers")
    return records


def adopt(
    records: Sequence[RemoteEvidence], trace: Trace, *, control: str, depth: int
) -> list[RemoteEvidence]:
    """*records* as evidence of *control*, whatever they say themselves.

    The vantage is the control's name; its redirects count on from our *depth*; its
    transactions get numbers of our own, since two answers would use the same ones.
    """
    transactions: dict[int, int] = {0: 0}
    adopted: list[RemoteEvidence] = []
    for record in records:
        if record.transaction not in transactions:
            transactions[record.transaction] = trace.new_transaction()
        changes: dict[str, Any] = {
            "vantage": control,
            "depth": record.depth + depth,
            "transaction": transactions[record.transaction],
            "detail": record.detail[:MAX_DETAIL],
        }
        adopted.append(_light(msgspec.structs.replace(record, **changes)))  # type: ignore[arg-type]
    return adopted
