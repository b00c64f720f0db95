"""OONI documents as its probes write them, made up: small, and only what a test is about.

Names and addresses are nobody's in earnest: the site is news.example at `SITE`, its proxy
or forgery elsewhere. `Visit` is a web_connectivity of 0.5, `Old` one of before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

SITE, SITE_2, FORGED, OTHER = "93.184.216.34", "93.184.216.35", "130.192.182.17", "83.224.65.41"
SITE_6 = "2606:2800:220:1::1"
HELPER = "https://0.th.ooni.org/"
ASN = {SITE: 15133, SITE_2: 15133, FORGED: 137, OTHER: 137, SITE_6: 15133}
PAGE = "<html><title>The News of Today</title><body>" + "words of the day " * 40 + "</body></html>"
HEADERS = {"Content-Type": "text/html", "Content-Length": str(len(PAGE)), "Server": "x"}
Json = dict[str, Any]


def document(keys: Json | None, **envelope: Any) -> bytes:
    """A document; *envelope* replaces fields, or with ``...`` leaves them out."""
    whole: Json = {
        "data_format_version": "0.2.0",
        "input": "https://news.example/",
        "measurement_start_time": "2024-02-12 20:33:47",
        "test_start_time": "2024-02-12 20:33:40",
        "probe_asn": "AS137",
        "probe_cc": "IT",
        "probe_network_name": "GARR",
        "resolver_asn": "AS137",
        "software_name": "ooniprobe-android",
        "software_version": "5.0.6",
        "report_id": "20240212T203340Z_webconnectivity_IT_137_n1_abc",
        "annotations": {"network_type": "mobile", "platform": "android"},
        "test_helpers": {"backend": {"address": HELPER, "type": "https"}},
        "test_name": "web_connectivity",
        "test_version": "0.5.28",
        "test_runtime": 2.5,
        "test_keys": keys,
    } | envelope
    return json.dumps({k: v for k, v in whole.items() if v is not ...}).encode()


def query(
    engine: str, said: Sequence[str] | str, host: str = "news.example", depth: int = 0,
    number: int = 1, resolver: str = "1.1.1.1:53",
) -> Json:  # fmt: skip
    """A lookup that gave addresses, or failed in the way that *said* names."""
    failed = isinstance(said, str)
    kinds = {"getaddrinfo": ("ANY", "", 10000), "system": ("A", "", 10000)}
    rdtype, at, base = kinds.get(engine, ("A", resolver, 20000))
    if engine == "doh":
        at, base = "https://dns.google/dns-query", 30000
    answers = None if failed else [
        {"answer_type": "AAAA", "ipv6": ip, "asn": ASN[ip], "ttl": None} if ":" in ip
        else {"answer_type": "A", "ipv4": ip, "asn": ASN[ip], "ttl": None}
        for ip in said
    ]  # fmt: skip
    return {
        "answers": answers, "engine": engine, "failure": said if failed else None,
        "hostname": host, "query_type": rdtype, "resolver_address": at, "t": 0.01,
        "tags": [f"depth={depth}"], "transaction_id": base + number,
    }  # fmt: skip


def connect(
    ip: str, port: int, failure: str | None = None, depth: int = 0, number: int = 1
) -> Json:
    return {
        "ip": ip, "port": port, "status": {"failure": failure, "success": failure is None},
        "t0": 0.1, "t": 0.2, "tags": [f"depth={depth}"], "transaction_id": number,
    }  # fmt: skip


def handshake(
    ip: str, failure: str | None = None, name: str = "news.example", depth: int = 0,
    number: int = 1, certificates: Sequence[str] = (),
) -> Json:  # fmt: skip
    return {
        "network": "tcp", "address": f"[{ip}]:443" if ":" in ip else f"{ip}:443",
        "failure": failure, "server_name": name, "no_tls_verify": False, "t0": 0.2, "t": 0.3,
        "cipher_suite": "TLS_AES_128_GCM_SHA256", "tls_version": "TLSv1.3",
        "negotiated_protocol": "h2", "tags": [f"depth={depth}"], "transaction_id": number,
        "peer_certificates": [{"data": c, "format": "base64"} for c in certificates],
    }  # fmt: skip


def request(
    url: str, ip: str | None = None, status: int = 200, body: Any = PAGE,
    headers: Mapping[str, Any] = HEADERS, failure: str | None = None, depth: int = 0,
    number: int = 1, cut: bool = False,
) -> Json:  # fmt: skip
    port = 443 if url.startswith("https") else 80
    found: Json = {
        "failure": failure, "request": {"method": "GET", "url": url, "x_transport": "tcp"},
        "response": {
            "body": body, "body_is_truncated": cut, "code": status, "headers": dict(headers),
            "headers_list": [[n, v] for n, v in headers.items()],
        },
        "t0": 0.3, "t": 0.5, "tags": [f"depth={depth}"], "transaction_id": number,
    }  # fmt: skip
    return found if ip is None else found | {"address": f"{ip}:{port}", "network": "tcp"}


def control(
    *endpoints: str, addresses: Sequence[str] | None = (SITE,), status: int = 200,
    title: str = "The News of Today", failure: str | None = None, dns: str | None = None,
    tls: str | None = None, down: str | None = None, length: int = len(PAGE),
    headers: Mapping[str, str] = HEADERS,
) -> Json:  # fmt: skip
    """A helper's answer; *down* and *tls* are how it fails at the endpoints."""
    at = endpoints or (f"{SITE}:443", f"{SITE}:80")
    good = failure is None
    return {
        "tcp_connect": {e: {"status": down is None, "failure": down} for e in at},
        "tls_handshake": {
            e: {"server_name": "news.example", "status": tls is None, "failure": tls}
            for e in at if e.endswith(":443") and down is None
        },
        "http_request": {
            "body_length": length if good else -1, "failure": failure,
            "title": title if good else "", "headers": dict(headers) if good else {},
            "status_code": status if good else -1,
        },
        "dns": {"failure": dns, "addrs": list(addresses or ())},
        "ip_info": {ip: {"asn": ASN[ip], "flags": 11} for ip in addresses or ()},
    }  # fmt: skip


def keys(
    queries: Sequence[Json] = (), connects: Sequence[Json] = (), handshakes: Sequence[Json] = (),
    requests: Sequence[Json] = (), helper: Json | None = None, **more: Any,
) -> Json:  # fmt: skip
    """test_keys; *requests* in the order they were made, which a document turns round."""
    return {
        "queries": list(queries), "tcp_connect": list(connects),
        "tls_handshakes": list(handshakes), "requests": list(requests)[::-1],
        "control": helper if helper is not None else {}, "control_failure": None,
    } | more  # fmt: skip


def names(said: Sequence[str] | str = (SITE,), **beside: Any) -> list[Json]:
    """The three lookups of 0.5: the system's, a public resolver's in the clear, and encrypted."""
    return [
        query("getaddrinfo", beside.get("own", said)),
        query("udp", beside.get("clear", said)),
        query("doh", beside.get("secret", said)),
    ]


def fine(scheme: str = "https") -> Json:
    """A page that came as it should."""
    url = f"{scheme}://news.example/"
    port = 443 if scheme == "https" else 80
    return keys(
        names(), [connect(SITE, port), *([connect(SITE, 443, number=2)] if port == 80 else [])],
        [handshake(SITE, number=1 if port == 443 else 2)], [request(url, SITE)], control(),
    )
