"""The closed vocabulary of ways a network operation can fail.

The strings are OONI's (df-007), so that our rows and theirs can be compared. A
renamed string is a broken dataset: add only what df-007 adds, never edit. What
these strings lack (which TLS alert, which limit was hit) goes into the
``detail`` beside them.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum

import trio


class Failure(StrEnum):
    """Why an operation failed. An end of file, a reset and silence never share a name."""

    CONNECTION_REFUSED = "connection_refused"  # RST in answer to SYN, or ICMP port unreachable
    CONNECTION_RESET = "connection_reset"  # RST after the TCP handshake
    CONNECTION_ABORTED = "connection_aborted"
    HOST_UNREACHABLE = "host_unreachable"
    NETWORK_UNREACHABLE = "network_unreachable"
    NETWORK_DOWN = "network_down"
    ADDRESS_NOT_AVAILABLE = "address_not_available"
    PERMISSION_DENIED = "permission_denied"
    MESSAGE_SIZE = "message_size"
    NO_BUFFER_SPACE = "no_buffer_space"  # this machine has no room: buffers, memory, files
    TIMEOUT = "generic_timeout_error"  # silence until our own deadline
    TIMED_OUT = "timed_out"  # silence until the kernel's
    EOF = "eof_error"  # orderly close where data was due
    INTERRUPTED = "interrupted"
    DNS_NXDOMAIN = "dns_nxdomain_error"
    DNS_REFUSED = "dns_refused_error"
    DNS_SERVFAIL = "dns_servfail_error"
    DNS_NO_ANSWER = "dns_no_answer"  # NOERROR without a record of the type asked for
    DNS_MISBEHAVING = "dns_server_misbehaving"  # an answer that cannot be read, or another rcode
    DNS_TEMPORARY = "dns_temporary_failure"  # EAI_AGAIN: the system's resolver got no answer
    DNS_NON_RECOVERABLE = "dns_non_recoverable_failure"  # EAI_FAIL
    DNS_BOGON = "dns_bogon_error"
    ANDROID_NO_DATA = "android_dns_cache_no_data"
    TLS_INVALID_HOSTNAME = "ssl_invalid_hostname"
    TLS_UNKNOWN_AUTHORITY = "ssl_unknown_authority"
    TLS_INVALID_CERTIFICATE = "ssl_invalid_certificate"  # expired, not yet valid, malformed
    TLS_FAILED_HANDSHAKE = "ssl_failed_handshake"  # an alert, or bytes that are no TLS
    HTTP_INVALID_REDIRECT = "http_invalid_redirect_location_host"
    QUIC_INCOMPATIBLE_VERSION = "quic_incompatible_version"  # Version Negotiation, none of ours
    JSON_PARSE = "json_parse_error"
    UNKNOWN = "unknown_failure"


_BY_ERRNO = {
    errno.ECONNREFUSED: Failure.CONNECTION_REFUSED,
    errno.ECONNRESET: Failure.CONNECTION_RESET,
    errno.EPIPE: Failure.CONNECTION_RESET,
    errno.ECONNABORTED: Failure.CONNECTION_ABORTED,
    errno.EHOSTUNREACH: Failure.HOST_UNREACHABLE,
    errno.ENETUNREACH: Failure.NETWORK_UNREACHABLE,
    errno.ENETDOWN: Failure.NETWORK_DOWN,
    errno.EADDRNOTAVAIL: Failure.ADDRESS_NOT_AVAILABLE,
    errno.EACCES: Failure.PERMISSION_DENIED,
    errno.EPERM: Failure.PERMISSION_DENIED,
    errno.EMSGSIZE: Failure.MESSAGE_SIZE,
    errno.ENOBUFS: Failure.NO_BUFFER_SPACE,
    errno.ENOMEM: Failure.NO_BUFFER_SPACE,
    errno.EMFILE: Failure.NO_BUFFER_SPACE,
    errno.ENFILE: Failure.NO_BUFFER_SPACE,
    errno.ETIMEDOUT: Failure.TIMED_OUT,
}

_BY_GAI = {
    socket.EAI_NONAME: Failure.DNS_NXDOMAIN,
    socket.EAI_NODATA: Failure.DNS_NO_ANSWER,
    socket.EAI_AGAIN: Failure.DNS_TEMPORARY,
    socket.EAI_FAIL: Failure.DNS_NON_RECOVERABLE,
}


class NetworkFailure(Exception):
    """A step found, in what arrived, a failure that no library raises for it."""

    def __init__(self, failure: Failure, detail: str = "") -> None:
        super().__init__(detail or failure.value)
        self.failure = failure
        self.detail = detail


# What a step may record. Anything else is a bug in our code, and a bug in our
# code must never be written down as censorship: it propagates.
NETWORK_ERRORS = (OSError, trio.TooSlowError, trio.BrokenResourceError, NetworkFailure)


def classify(exc: BaseException) -> Failure:
    """Name the failure behind *exc*: what a step said itself, else the deepest known cause.

    trio and HTTP clients wrap the exception we want: an RST during a handshake
    arrives as ``BrokenResourceError`` *from* ``ConnectionResetError``, a refusal
    from httpx2 sits under ``__context__`` inside an ``ExceptionGroup``. So we
    look through causes, contexts and groups.
    """
    found = Failure.UNKNOWN
    for link in causes(exc):
        if isinstance(link, NetworkFailure):
            return link.failure  # it was raised because the library's word does not fit
        if (known := _classify_one(link)) is not None:
            found = known
    return found


def causes(exc: BaseException) -> Iterator[BaseException]:
    """*exc* and what it came from, outermost first, each once."""
    seen: set[int] = set()
    queue: list[BaseException] = [exc]
    while queue:
        link = queue.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            queue.extend(link.exceptions)
        if link.__cause__ is not None:
            queue.append(link.__cause__)
        elif link.__context__ is not None and not link.__suppress_context__:
            # What was only being handled meanwhile (an SSLWantReadError while we waited
            # for bytes) says nothing about an exception that has a name of its own.
            if _classify_one(link) is None:
                queue.append(link.__context__)


def _classify_one(exc: BaseException) -> Failure | None:
    match exc:
        case trio.TooSlowError():
            return Failure.TIMEOUT
        case socket.gaierror():
            return _BY_GAI.get(exc.errno or 0, Failure.DNS_MISBEHAVING)
        case ssl.SSLWantReadError() | ssl.SSLWantWriteError():
            return None  # no failure: OpenSSL asks for more bytes
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return Failure.EOF
        case ssl.SSLError():
            return Failure.TLS_FAILED_HANDSHAKE
        case OSError():
            return _BY_ERRNO.get(exc.errno or 0)
    return None
