"""dnscheck (ts-028): whether a resolver, over whatever transport, answers at each of its addresses.

The input is the resolver's URL, whose scheme says HTTPS (``https``, ``h3``), TLS, UDP or TCP.
Ours says so without ambiguity: ``doh``, ``doh3``, ``dot``, ``dns``, ``dns-tcp``; ``https``
is a site's. One measurement is of one input; what was tried at an address carries the URL
of that address.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from probe.evidence import AnyEvidence, DNSExchange
from probe.failure import Failure
from probe.formats.ooni.document import MAX_PARTS, MAX_TEXT, Document, Part, Unreadable
from probe.formats.ooni.failures import failure_of
from probe.formats.ooni.registry import reader
from probe.formats.ooni.shared_keys import Operations, Records

_SCHEMES = {
    "https": "doh", "h3": "doh3", "dot": "dot", "udp": "dns", "tcp": "dns-tcp",
}  # fmt: skip
_SERVED = {"doh": "doh", "doh3": "doh", "dot": "dot", "dns": "udp", "dns-tcp": "tcp"}


class CheckKeys(msgspec.Struct):
    bootstrap: Operations | None = None
    bootstrap_failure: str | None = None
    domain: str | None = None
    lookups: dict[str, Operations] | None = None


_keys = msgspec.json.Decoder(CheckKeys | None)


@reader("dnscheck")
def dnscheck(document: Document) -> Iterator[Part]:
    keys = document.keys(_keys)
    if keys is None:
        raise Unreadable("no test_keys")
    lookups = keys.lookups or {}
    if len(lookups) > MAX_PARTS:
        raise Unreadable("too many lookups")
    whole = resolver_url(document.input)
    found: list[AnyEvidence] = []
    addresses = {}
    if keys.bootstrap is not None:
        bootstrap = Records(document, keys.bootstrap, url=whole)
        addresses.update(bootstrap.addresses)
        found += bootstrap.evidence
    for url, operations in lookups.items():
        served = resolver_url(url)
        records = Records(document, operations, url=served).evidence
        found += [_served_by(e, served) for e in records]
        failure, detail = failure_of(operations.failure)
        if not any(isinstance(e, DNSExchange) and not e.own for e in records):
            # The lookup ended before a query was made, or left no record of it.
            found.append(_asked(served, keys.domain or "", failure, detail))
    if found:
        yield Part(url=whole, evidence=tuple(found), addresses=addresses)


def resolver_url(text: str) -> str:
    """The URL of a resolver in our schemes. Raises `Unreadable` for what is none of its."""
    scheme, found, rest = text[:MAX_TEXT].partition("://")
    if not found or scheme.lower() not in _SCHEMES or not rest.strip("/"):
        raise Unreadable("the input is no resolver's URL")
    return f"{_SCHEMES[scheme.lower()]}://{rest}"


def _served_by(e: AnyEvidence, url: str) -> AnyEvidence:
    """*e*, with the URL of the resolver that it served."""
    return msgspec.structs.replace(e, url=url)


def _asked(url: str, name: str, failure: Failure | None, detail: str) -> DNSExchange:
    scheme, _, rest = url.partition("://")
    return DNSExchange(
        url=url, hostname=name[:MAX_TEXT], rdtype="A", engine=_SERVED[scheme],  # type: ignore[arg-type]
        resolver=rest, failure=failure, detail=detail,
    )  # fmt: skip
