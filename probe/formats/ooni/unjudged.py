"""Nettests whose documents are kept as evidence, and on which there is no rule to give a verdict.

Older ones (http_requests, dns_consistency), others' tools (VPNs, pings) and what asks another
question. What of their records has the form that most share is read, one by one; a
record of another form is left to the document, which is kept whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from probe.formats.ooni.archival import Connect, Handshake, Query
from probe.formats.ooni.document import MAX_RECORDS, MAX_TEXT, Document, Part, Unreadable
from probe.formats.ooni.registry import reader
from probe.formats.ooni.shared_keys import Fact, Operations, Records, SentRequest

NETTESTS = (
    "bridge_reachability", "browser_web", "captiveportal", "dash", "dns_consistency",
    "dns_injection", "dns_spoof", "dnsping", "echcheck", "http_filtering_bypass", "http_host",
    "http_host_header", "http_requests", "http_trix", "imap_openrelay", "lantern",
    "meek_fronted_requests_test", "multi_protocol_traceroute", "ndt", "openvpn", "openvpn_client",
    "portfiltering", "psiphon", "quicping", "riseupvpn", "simplequicping", "sni_blocking",
    "stunreachability", "tcp_connect", "tcpping", "tlsmiddlebox", "tlsping", "tlstool",
    "traceroute", "urlgetter",
)  # fmt: skip
MAX_FACTS = 50

_KINDS: dict[str, Any] = {
    "queries": Query, "tcp_connect": Connect, "tls_handshakes": Handshake, "requests": SentRequest,
}  # fmt: skip
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_decoders = {name: msgspec.json.Decoder(kind) for name, kind in _KINDS.items()}
_fact = msgspec.json.Decoder(str | bool | int | float | None)


def _read(document: Document) -> Iterator[Part]:
    keys = document.keys(_keys)
    if keys is None:
        raise Unreadable("no test_keys")
    lists: dict[str, Any] = {name: _records(name, keys[name]) for name in _KINDS if name in keys}
    found = Records(document, Operations(**lists))
    facts: dict[str, Fact] = {}
    for name, raw in list(keys.items())[:MAX_FACTS]:
        try:
            value = _fact.decode(raw)
        except msgspec.MsgspecError:
            continue  # no scalar
        facts[f"ooni_{name[:MAX_TEXT]}"] = value[:MAX_TEXT] if isinstance(value, str) else value
    yield Part(
        url=document.input or f"ooni://{document.nettest}",
        evidence=tuple(found.evidence), addresses=found.addresses, facts=facts,
    )  # fmt: skip


def _records(name: str, raw: msgspec.Raw) -> list[Any]:
    """The records that have the usual form; a single one may stand without a list."""
    decoder: Callable[[msgspec.Raw], Any] = _decoders[name].decode
    try:
        items = _list.decode(raw)
    except msgspec.MsgspecError:
        items = [raw]
    if len(items) > MAX_RECORDS:
        raise Unreadable("too many records")
    found = []
    for item in items:
        try:
            found.append(decoder(item))
        except (msgspec.MsgspecError, UnicodeError):
            continue  # of another form
    return found


for _nettest in NETTESTS:
    reader(_nettest)(_read)
