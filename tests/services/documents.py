"""OONI's documents of services, written by us from the specifications: what a probe would send.

Each function writes the document of one run of a nettest where all is well, and takes what
differs. No packet is ever sent to an address in it; those that must pass for public ones are.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

STARTED = "2026-11-20 10:00:00"
DATA_CENTRES = (
    "149.154.175.50", "149.154.167.51", "149.154.175.100", "149.154.167.91", "149.154.171.5",
    "95.161.76.100",
)  # fmt: skip
SIGNAL_HOSTS = ("chat.signal.org", "cdsi.signal.org", "storage.signal.org", "sfu.voip.signal.org")
WHATSAPP_HOSTS = tuple(f"e{n}.whatsapp.net" for n in range(1, 5))
FACEBOOK_HOSTS = ("b-api.facebook.com", "b-graph.facebook.com", "edge-mqtt.facebook.com")
CERTIFICATE = base64.b64encode(b"a certificate").decode()


def document(nettest: str, keys: object, **envelope: Any) -> bytes:
    """The document of *nettest*, measured in AS6697 with its operator's resolver."""
    said = {
        "annotations": {"platform": "linux", "network_type": "wifi"},
        "data_format_version": "0.2.0",
        "input": None,
        "measurement_start_time": STARTED,
        "probe_asn": "AS6697",
        "probe_cc": "BY",
        "probe_ip": "127.0.0.1",
        "report_id": f"report-{nettest}",
        "resolver_asn": "AS6697",
        "software_name": "ooniprobe-cli",
        "software_version": "3.29.0",
        "test_keys": keys,
        "test_name": nettest,
        "test_runtime": 3.5,
        "test_start_time": STARTED,
        "test_version": "0.4.0",
    }
    return json.dumps(said | envelope).encode()


def connect(ip: str, port: int, failure: str | None = None) -> dict[str, Any]:
    status = {"failure": failure, "success": failure is None}
    return {"ip": ip, "port": port, "status": status, "t": 0.2}


def query(host: str, *ips: str, failure: str | None = None) -> dict[str, Any]:
    answers = [{"answer_type": "A", "asn": 64500, "ipv4": ip, "ttl": None} for ip in ips]
    return {
        "answers": answers, "engine": "system", "failure": failure, "hostname": host,
        "query_type": "A", "resolver_address": "", "t": 0.1,
    }  # fmt: skip


def handshake(
    host: str, ip: str, failure: str | None = None, *, certificate: str = CERTIFICATE,
    verified: bool = True,
) -> dict[str, Any]:  # fmt: skip
    return {
        "address": f"{ip}:443", "failure": failure, "no_tls_verify": not verified,
        "peer_certificates": [{"data": certificate, "format": "base64"}] if certificate else None,
        "server_name": host, "t": 0.4, "tls_version": "TLSv1.3",
    }  # fmt: skip


def request(
    url: str, failure: str | None = None, *, code: int = 200, body: str = "", location: str = ""
) -> dict[str, Any]:
    headers = {"Location": location} if location else {}
    response = {"body": body, "code": 0 if failure else code, "headers": headers}
    return {
        "failure": failure, "request": {"method": "GET", "url": url}, "response": response,
        "t": 0.5,
    }  # fmt: skip


def telegram(
    failing: Mapping[str, str] | None = None, *, web: str | None = None,
    answers: Mapping[str, Mapping[str, Any]] | None = None, **envelope: Any,
) -> bytes:  # fmt: skip
    """*failing*: how connecting to a data centre fails, by address or ``address:port``;
    *answers*: what else comes back there than a data centre's own."""
    failing = failing or {}
    connects, requests = [], []
    for ip in DATA_CENTRES:
        for port in (80, 443):
            failure = failing.get(f"{ip}:{port}", failing.get(ip))
            connects.append(connect(ip, port, failure))
            said = {"code": 501} | dict((answers or {}).get(ip, {}))
            requests.append(request(f"http://{ip}:{port}", failure, **said))
    host, ip = "web.telegram.org", "93.184.215.14"
    keys = {
        "queries": [query(host, ip)],
        "tcp_connect": [*connects, connect(ip, 443, web)],
        "tls_handshakes": [] if web else [handshake(host, ip)],
        "requests": [*requests, request(f"https://{host}/", web)],
        "telegram_http_blocking": bool(failing), "telegram_tcp_blocking": bool(failing),
        "telegram_web_status": "blocked" if web else "ok", "telegram_web_failure": web,
    }  # fmt: skip
    return document("telegram", keys, **envelope)


def relay(
    protocol: str, ip: str, port: int, failure: str | None = None, *, at: str = "connect",
    source: str = "",
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """A target of the tor nettest; *at* is the operation that fails."""
    stood = None if at != "connect" else failure
    shaken = failure if at == "tls_handshake" else None
    target = f"{ip}:{port}"
    keys = {
        "agent": "redirect", "failure": failure, "queries": None, "requests": None,
        "summary": {at: {"failure": failure}},
        "target_address": target, "target_name": "", "target_protocol": protocol,
        "target_source": source,
        "tcp_connect": [connect(ip, port, stood)],
        "tls_handshakes": None if stood or not protocol.startswith("or_") else [
            handshake("", ip, shaken, verified=False) | {"address": target}
        ],
    }  # fmt: skip
    return target, keys


def tor(targets: Sequence[tuple[str, dict[str, Any]]], **envelope: Any) -> bytes:
    return document("tor", {"targets": dict(targets)}, **envelope)


def hosts(
    nettest: str, names: Sequence[str], failing: Mapping[str, Mapping[str, Any]] | None = None,
    own: Mapping[str, Any] | None = None, **envelope: Any,
) -> bytes:  # fmt: skip
    """A service of host names. *failing*: by host, which layer (``dns``, ``tcp``, ``tls``,
    ``http``) fails how, or ``answer``: the address that the resolver gives."""
    failing = failing or {}
    keys: dict[str, list[Any]] = {
        "queries": [], "tcp_connect": [], "tls_handshakes": [], "requests": []
    }
    for number, host in enumerate(names, 1):
        how = failing.get(host, {})
        ip = how.get("answer", f"93.{183 + number}.215.{number}")
        denied = how.get("dns")
        keys["queries"].append(query(host, *([] if denied else [ip]), failure=denied))
        if denied:
            continue
        for port in (443, 5222) if nettest == "whatsapp" else (443,):
            keys["tcp_connect"].append(connect(ip, port, how.get("tcp")))
        if nettest != "signal" or how.get("tcp"):
            continue
        certificate = how.get("certificate", CERTIFICATE)
        keys["tls_handshakes"].append(handshake(host, ip, how.get("tls"), certificate=certificate))
        failure = how.get("tls") or how.get("http")
        keys["requests"].append(request(f"https://{host}/", failure, code=404))
    return document(nettest, keys | dict(own or {}), **envelope)


def bootstrap(nettest: str, failure: str | None = None, **keys: Any) -> bytes:
    done = failure is None
    said = {
        "bootstrap_time": 40.5 if done else 0, "error": None if done else "timeout-reached",
        "failure": failure, "success": done, "timeout": 200, "tor_version": "0.4.8.1",
        "tor_progress": 100 if done else 5, "tor_progress_tag": "done" if done else "conn",
        "transport_name": "vanilla" if nettest == "vanilla_tor" else "snowflake",
        "tor_logs": [
            "Nov 20 10:00:00.000 [warn] Problem bootstrapping. Stuck at 5% (conn): Connecting to a"
            " relay. (Connection refused; CONNECTREFUSED; count 3; recommendation warn; host 0 at"
            " 198.51.100.1:9001)"
        ],
    }  # fmt: skip
    return document(nettest, said | keys)


def lines(received: Sequence[str | None], **keys: Any) -> bytes:
    """http_invalid_request_line: what came back for each of as many lines; None: the same."""
    sent = [
        "XKQW / HTTP/1.1\n\r", "ABCDE FGHIJ KLMNO PQRST\n\r", "LONGLONGLONGMETHOD / HTTP/1.1\n\r",
        "GET / HTTP/ABC\n\r",
    ][: len(received)]
    came = [s if r is None else r for s, r in zip(sent, received, strict=True)]
    said = {"sent": sent, "received": came, "failure_list": [None] * len(sent)}
    return document(
        "http_invalid_request_line", said | keys, test_helpers={"backend": "198.51.100.80"}
    )


SENT_HEADERS = {"AccEPt": "text/html", "hOSt": "qwertyuiopasdfg.com", "uSeR-aGeNT": "Mozilla/5.0"}


def headers(
    came: Mapping[str, str] | None, *, line: str = "GeT / HTTP/1.1", failure: str | None = None
) -> bytes:
    """http_header_field_manipulation: the headers that the helper saw; None: no answer."""
    body = json.dumps({"request_line": line, "headers_dict": {k: [v] for k, v in came.items()}}) \
        if came is not None else ""  # fmt: skip
    sent = request("http://198.51.100.80:80", failure, body=body)
    sent["request"] |= {"method": "GeT", "headers": SENT_HEADERS}
    return document("http_header_field_manipulation", {"requests": [sent]})


def dnscheck(lookups: Mapping[str, str | None], *, name: str | None = None) -> bytes:
    """*lookups*: by URL of an address of the resolver, how asking it fails; *name*: its own."""
    def keys(url: str, failure: str | None) -> dict[str, Any]:
        ip = url.split("/")[2]
        asked = query("example.org", *([] if failure else ["203.0.113.5"]), failure=failure)
        return {
            "failure": failure, "tcp_connect": [connect(ip, 443, failure)],
            "queries": [asked | {"engine": "doh"}],
        }  # fmt: skip

    return document(
        "dnscheck",
        {
            "bootstrap": {"queries": [query("dns.example", "198.51.100.1", failure=name)]},
            "bootstrap_failure": name, "domain": "example.org",
            "lookups": {url: keys(url, failure) for url, failure in lookups.items()},
        },
        input="https://dns.example/dns-query",
    )  # fmt: skip
