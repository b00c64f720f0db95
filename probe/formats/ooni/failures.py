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


@lru_cache(maxsize=4096)
def failure_of(name: str | None) -> tuple[Failure | None, str]:
    """Our failure, and what it does not say of *name*."""
    if name is None:
        return None, ""
    known = _KNOWN.get(name) or _OLD.get(name)
    if known is not None and known is not Failure.UNKNOWN:
        return known, ""
    return Failure.UNKNOWN, name.removeprefix("unknown_failure: ")[:MAX_DETAIL]
