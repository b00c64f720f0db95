"""The document of one measurement: df-000 round ``test_keys`` of web_connectivity 0.5."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from probe.evidence import (
    PROBE,
    AnyEvidence,
    CanaryCheck,
    CertificateCheck,
    ControlQuery,
    DNSExchange,
    HTTPExchange,
    Measurement,
    Run,
    TCPConnect,
    TLSHandshake,
)
from probe.formats.ooni_export import control, extension, records
from probe.formats.ooni_export.summary import summary

NETTESTS = frozenset({"web_connectivity"})
SOFTWARE = "zond"
# The version of OONI's nettest whose form this has; ours is among the annotations.
TEST_VERSION = "0.5.28"
FORMAT_VERSION = "0.2.0"
# What OONI's probes write for addresses that are nobody's business, and for unknown ones.
PROBE_IP, RESOLVER_IP = "127.0.0.1", "127.0.0.2"
NETWORK_TYPES = {"mobile": "mobile", "fixed": "wifi"}
NAMES, CLEAR, SECURE = 10_000, 40_000, 50_000  # where OONI's transactions of each kind begin

Row = dict[str, Any]


class NotOONI(ValueError):
    """OONI has no nettest for this measurement. The text says which it was."""


def document(
    run: Run,
    measurement: Measurement,
    follow_ups: Sequence[Measurement] = (),
    canaries: Sequence[CanaryCheck] = (),
    *,
    whole: bool = True,
    report_id: str = "",
) -> bytes:
    """The document of *measurement*, one line of JSON without its end.

    *canaries* are those of the run, of which some go into it. *whole*: with ``x_zond``.
    *report_id* is a collector's, else one is made of the run, which ties its documents.
    Raises `NotOONI`.
    """
    if measurement.nettest not in NETTESTS or measurement.about:
        raise NotOONI(f"OONI has no nettest {measurement.nettest!r}")
    near = extension.canaries_of(measurement, canaries)
    keys = _Keys(run, measurement).keys(near)
    if whole:
        keys[extension.KEY] = extension.encoded(
            extension.Extension(
                run=run, measurement=measurement, follow_ups=tuple(follow_ups), canaries=near
            )
        )
    asked = control.asked(measurement)
    found: Row = {
        "annotations": _annotations(run, measurement),
        "data_format_version": FORMAT_VERSION,
        "extensions": {
            "dnst": 0, "httpt": 0, "netevents": 0, "tcpconnect": 0, "tlshandshake": 0,
        },
        "id": measurement.id,
        "input": measurement.url,
        "measurement_start_time": _time(measurement.started_at),
        "probe_asn": f"AS{run.probe_asn}",
        "probe_cc": run.probe_cc,
        "probe_ip": PROBE_IP,
        "probe_network_name": run.probe_network,
        "report_id": report_id or report_of(run),
        "resolver_asn": f"AS{run.resolver_asn}",
        "resolver_ip": RESOLVER_IP,
        "resolver_network_name": run.resolver_network,
        "software_name": SOFTWARE,
        "software_version": measurement.software_version or run.software_version,
        "test_helpers": {"backend": {"address": asked[0].control_url, "type": "https"}}
        if asked else {},
        "test_keys": keys,
        "test_name": measurement.nettest,
        "test_runtime": measurement.runtime,
        "test_start_time": _time(run.started_at),
        "test_version": TEST_VERSION,
    }  # fmt: skip
    return msgspec.json.encode(found)


def report_of(run: Run) -> str:
    """An id like those that OONI's collectors give, the same for all documents of *run*."""
    day = datetime.fromtimestamp(run.started_at, UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{day}_webconnectivity_{run.probe_cc}_{run.probe_asn}_n1_{run.id[:16]}"


def _annotations(run: Run, measurement: Measurement) -> dict[str, str]:
    said = {
        "engine_name": SOFTWARE,
        "engine_version": run.software_version,
        "nettest_version": measurement.nettest_version,
        "platform": run.platform,
        "network_type": NETWORK_TYPES.get(run.network_type, ""),
    }
    return {name: value for name, value in said.items() if value}


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


class _Keys:
    """``test_keys`` of one measurement: what the probe saw on the way that its user goes.

    The twin of the target (http beside https) is tried there for TLS alone, as OONI's probe
    does; what else was seen of it is no part of that way, nor is QUIC, which OONI's
    readers would count as TLS.
    """

    def __init__(self, run: Run, measurement: Measurement) -> None:
        self.run, self.measurement = run, measurement
        self.chain = control.chain_of(measurement, PROBE)
        self.twin = _twin(measurement.url)
        seen = control.seen_by(measurement, PROBE)
        self.seen = [e for e in seen if not e.step]
        own = [e for e in seen if isinstance(e, DNSExchange) and e.engine == "system"]
        self.classic = frozenset(control.addresses_in(own))
        self.numbers: dict[tuple[object, ...], int] = {}

    def keys(self, canaries: Sequence[CanaryCheck]) -> Row:
        queries, later = self._names()
        connects, handshakes, requests, events = self._operations()
        asked = control.asked(self.measurement)
        answered = bool(asked) and asked[0].failure is None
        return {
            "agent": "redirect",
            "client_resolver": RESOLVER_IP,
            "retries": None,
            "socksproxy": None,
            "network_events": events,
            "x_dns_duplicate_responses": later,
            "queries": queries,
            "requests": requests,
            "tcp_connect": connects,
            "tls_handshakes": handshakes,
            "x_control_request": self._control_request(connects) if asked else None,
            "control": control.control_of(self.measurement, asked[0].control, self.twin)
            if answered else {},
            "control_failure": None if answered else self._why_no_control(asked),
            **summary(self.run, self.measurement, canaries),
        }  # fmt: skip

    def _names(self) -> tuple[list[Row], list[Row]]:
        queries: list[Row] = []
        later: list[Row] = []
        holders = self.measurement.addresses
        found = [e for e in self.seen if isinstance(e, DNSExchange)]
        by_system = {e.hostname for e in found if e.engine == "system"}
        # A lie of one resolver, told by the system and again over UDP, would be read as that of
        # two, and so as an injector's. A second answer is somebody else's whoever was asked.
        found = [
            e for e in found
            if not (e.own and e.engine != "system" and e.hostname in by_system)
            or len(e.answers) > 1
        ]
        for number, e in enumerate(found, NAMES + 1):
            queries.append(records.query(e, number, holders))
            later += records.later_answers(e, number, holders)
        return queries, later

    def _operations(self) -> tuple[list[Row], list[Row], list[Row], list[Row]]:
        connects: list[Row] = []
        handshakes: list[Row] = []
        requests: list[tuple[HTTPExchange, Row]] = []
        events: list[Row] = []
        for e in self.seen:
            if not isinstance(e, TCPConnect | TLSHandshake | HTTPExchange) or not self._on_way(e):
                continue
            number, tags = self._number(e), self._tags(e)
            match e:
                case TCPConnect():
                    connects.append(records.tcp_connect(e, number, tags))
                case TLSHandshake():
                    check = self._check(e)
                    handshakes.append(records.tls_handshake(e, check, number, tags))
                case HTTPExchange():
                    requests.append((e, records.request(e, number, tags)))
            events += records.network_events(e, number, tags)
        # OONI's readers take the first for the last page.
        requests.sort(key=lambda found: (self._place(found[0]), found[0].t), reverse=True)
        return connects, handshakes, [row for _, row in requests], events

    def _place(self, e: AnyEvidence) -> int:
        return self.chain.index(e.url) if e.url in self.chain else 0

    def _on_way(self, e: TCPConnect | TLSHandshake | HTTPExchange) -> bool:
        if isinstance(e, TCPConnect) and e.held:
            return False  # what became of it later; that it was made is another record
        if e.url in self.chain:
            return True
        return (
            e.url == self.twin and self.twin.startswith("https:")
            and not isinstance(e, HTTPExchange)
        )  # fmt: skip

    def _tags(self, e: TCPConnect | TLSHandshake | HTTPExchange) -> list[str]:
        depth = self._place(e)
        return [
            *(["classic"] if e.ip in self.classic else []),
            *(["tcptls_experiment"] if depth == 0 else []),
            f"depth={depth}",
            f"fetch_body={'true' if e.url in self.chain else 'false'}",
        ]

    def _number(self, e: TCPConnect | TLSHandshake | HTTPExchange) -> int:
        """One for each connection."""
        begin = SECURE if e.url.startswith("https:") else CLEAR
        tie = (e.transaction, e.url, e.ip, e.port)
        return self.numbers.setdefault(tie, begin + len(self.numbers) + 1)

    def _check(self, e: TLSHandshake) -> CertificateCheck | None:
        """The check of what this handshake presented."""
        return next(
            (
                c for c in self.seen
                if isinstance(c, CertificateCheck) and (c.transaction, c.url, c.ip, c.port)
                == (e.transaction, e.url, e.ip, e.port)
            ),
            None,
        )  # fmt: skip

    def _control_request(self, connects: Sequence[Row]) -> Row:
        return {
            "http_request": self.measurement.url,
            "http_request_headers": {},
            "tcp_connect": list(
                dict.fromkeys(
                    records.endpoint(c["ip"], c["port"]) for c in connects
                    if "depth=0" in c["tags"]
                )
            ),
            "x_quic_enabled": False,
        }  # fmt: skip

    def _why_no_control(self, asked: Sequence[ControlQuery]) -> str:
        return (records.failure_text(asked[0]) if asked else None) or (
            "unknown_failure: no control was asked"
        )


def _twin(url: str) -> str:
    """The same over the other scheme; empty where a port is named."""
    parts = urlsplit(url)
    if parts.port is not None:
        return ""
    other = "http" if parts.scheme == "https" else "https"
    return f"{other}{url.removeprefix(parts.scheme)}"
