"""OONI's names of failures, of all its years, in our words.

df-007's names are ours. Probes before 2019 (Twisted's) and measurement_kit had others, and
some mean less than ours: what a name does not tell stays `Failure.UNKNOWN`, with the name
as the detail.
"""

from __future__ import annotations

from functools import lru_cache

from probe.failure import Failure

MAX_DETAIL = 100

_KNOWN = {failure.value: failure for failure in Failure}
_OLD = {
    "dns_name_error": Failure.DNS_NXDOMAIN,
    "dns_server_failure": Failure.DNS_SERVFAIL,
    "dns_reply_with_wrong_query_id": Failure.DNS_MISBEHAVING,
    "connection_refused_error": Failure.CONNECTION_REFUSED,
    "connection_reset_error": Failure.CONNECTION_RESET,
    "generic_timeout": Failure.TIMEOUT,
    "deferred_timeout_error": Failure.TIMEOUT,
    "tcp_timed_out_error": Failure.TIMEOUT,
    "tcp_timeout_error": Failure.TIMEOUT,
    "network_timeout_error": Failure.TIMEOUT,
    "http_invalid_redirect_url": Failure.HTTP_INVALID_REDIRECT,
}
CERTIFICATE = frozenset(
    {
        Failure.TLS_INVALID_HOSTNAME,
        Failure.TLS_UNKNOWN_AUTHORITY,
        Failure.TLS_INVALID_CERTIFICATE,
    }
)
OF_NAMES = frozenset(f for f in Failure if f.value.startswith("dns_")) | {Failure.ANDROID_NO_DATA}


# How Go's TLS names the alerts of the other side (RFC 8446, 6), after "remote error: tls: ".
_ALERTS = {
    "unexpected message": 10,
    "bad record MAC": 20,
    "handshake failure": 40,
    "bad certificate": 42,
    "certificate required": 116,
    "illegal parameter": 47,
    "access denied": 49,
    "error decoding message": 50,
    "protocol version not supported": 70,
    "insufficient security level": 71,
    "internal error": 80,
    "user canceled": 90,
    "unrecognized name": 112,
    "no application protocol": 120,
}
_SAID = {number: name for name, number in _ALERTS.items()}
_NO_TLS = "tls: first record does not look like a TLS handshake"


def alert_of(detail: str) -> int | None:
    """The number of the TLS alert that *detail* of an unknown failure tells of; None: of none."""
    said, _, name = detail.partition("remote error: tls: ")
    return _ALERTS.get(name) if not said else None


def alert_name(alert: int | None) -> str:
    """The inverse of `alert_of`; empty for an alert that has no name there."""
    name = _SAID.get(alert or 0, "")
    return f"remote error: tls: {name}" if name else ""


def is_no_tls(detail: str) -> bool:
    """Whether *detail* says that what came in answer to a hello was no TLS."""
    return detail == _NO_TLS


@lru_cache(maxsize=4096)
def failure_of(name: str | None) -> tuple[Failure | None, str]:
    """Our failure, and what it does not say of *name*."""
    if name is None:
        return None, ""
    known = _KNOWN.get(name) or _OLD.get(name)
    if known is not None and known is not Failure.UNKNOWN:
        return known, ""
    return Failure.UNKNOWN, name.removeprefix("unknown_failure: ")[:MAX_DETAIL]
