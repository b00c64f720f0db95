"""OONI's summary of a measurement: ``blocking``, ``accessible`` and what they rest on.

Its readers expect that these say what one try and the control show, nothing more. So they do
here, and are null wherever the evidence does not carry them: where the controls differ among
each other, where the line was down, where no control answered and no certificate vouches
for the page. What we make of a measurement is another matter (`analysis`).

Words: ts-017. *blocking* is ``"dns"``, ``"tcp_ip"``, ``"http-failure"``, ``"http-diff"``, false
(not blocked, be it reachable or down) or null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from probe.compare import final_page, same_page
from probe.evidence import (
    PROBE,
    CanaryCheck,
    CertificateCheck,
    DNSExchange,
    HTTPExchange,
    Measurement,
    Run,
    TCPConnect,
)
from probe.formats.ooni_export.control import addresses_in, asked, seen_by, why_no_page
from probe.formats.ooni_export.records import failure_text

MOST_ALIKE = 0.7  # ts-017: lengths of bodies in a greater proportion match
MARGIN = 12.0  # seconds round a measurement in which its canaries were looked at
LONG_WORD = 5  # characters: of titles only such words are compared
# ts-017 and the code of OONI's probe: headers that many servers send say nothing of a page.
COMMON = frozenset(
    {
        "date", "content-type", "server", "cache-control", "vary", "set-cookie", "location",
        "expires", "x-powered-by", "content-encoding", "last-modified", "accept-ranges", "pragma",
        "x-frame-options", "etag", "x-content-type-options", "age", "via", "p3p",
        "x-xss-protection", "content-language", "cf-ray", "strict-transport-security", "link",
        "x-varnish", "content-length",
    }
)  # fmt: skip

Row = dict[str, Any]


def summary(run: Run, measurement: Measurement, canaries: Sequence[CanaryCheck]) -> Row:
    """The keys of the summary, as they stand in ``test_keys``."""
    mine = final_page(measurement.evidence, PROBE, measurement.url)
    answered = [q.control for q in asked(measurement) if q.failure is None]
    reached = [final_page(measurement.evidence, name, measurement.url) for name in answered]
    theirs = next((page for page in reached if page is not None), None)
    dns_failure, consistency = _names(measurement, answered)
    alike = _alike(mine, theirs)
    blocking, accessible = _ends(
        measurement, mine, answered, reached, consistency, alike,
        vouched=mine is not None and _vouched(measurement, mine),
    )  # fmt: skip
    if accessible is False and (run.captive_portal or _line_was_down(measurement, canaries)):
        blocking, accessible = None, None
    return {
        "dns_experiment_failure": dns_failure,
        "dns_consistency": consistency,
        "http_experiment_failure": None if mine or dns_failure else why_no_page(measurement, PROBE),
        **alike,
        "blocking": blocking,
        "accessible": accessible,
    }


def _ends(
    measurement: Measurement, mine: HTTPExchange | None, answered: Sequence[str],
    reached: Sequence[HTTPExchange | None], consistency: str | None, alike: Row, *, vouched: bool,
) -> tuple[str | bool | None, bool | None]:  # fmt: skip
    """*blocking* and *accessible*."""
    if mine is not None and vouched:
        return False, True
    others = [page for page in reached if page is not None]
    if not answered or (others and len(others) < len(answered)):
        return None, None  # nobody to compare with, or they differ
    if mine is None and not others:
        return False, False  # down for everybody
    if mine is None:
        if consistency == "inconsistent":
            return "dns", False
        return ("tcp_ip" if _none_connects(measurement) else "http-failure"), False
    if not others:
        return None, None  # a page that nobody else gets
    if any(same_page(mine, other) for other in others):
        return False, True
    if alike["status_code_match"] and (alike["title_match"] or alike["body_length_match"]):
        return False, True
    if alike["status_code_match"] is None:
        return None, None  # the server refuses the control, or us, by itself
    return ("dns" if consistency == "inconsistent" else "http-diff"), False


def _names(measurement: Measurement, answered: Sequence[str]) -> tuple[str | None, str | None]:
    """``dns_experiment_failure``, and ``dns_consistency`` of the system's resolver."""
    own = [
        e for e in seen_by(measurement, PROBE)
        if isinstance(e, DNSExchange) and e.engine == "system" and e.depth == 0
    ]  # fmt: skip
    ours = addresses_in(own)
    failed = next((e for e in own if e.failure is not None), None) if not ours else None
    theirs = [
        [
            e for e in seen_by(measurement, name)
            if isinstance(e, DNSExchange) and e.depth == 0 and e.rdtype != "HTTPS"
        ]
        for name in answered
    ]  # fmt: skip
    known = addresses_in([e for names in theirs for e in names])
    said = failure_text(failed)
    if not own or not any(theirs):
        return said, None
    if bool(ours) != bool(known):
        return said, "inconsistent"
    networks = {_network(measurement, ip) for ip in known} - {0}
    shared = not ours or any(
        ip in known or _network(measurement, ip) in networks or _certified(measurement, ip)
        for ip in ours
    )
    return said, "consistent" if shared else "inconsistent"


def _network(measurement: Measurement, ip: str) -> int:
    whose = measurement.addresses.get(ip)
    return whose.asn if whose is not None else 0


def _certified(measurement: Measurement, ip: str) -> bool:
    """Whether *ip* showed a certificate that is good for the name that was asked for."""
    return any(
        isinstance(e, CertificateCheck) and e.ip == ip and e.failure is None and e.depth == 0
        for e in seen_by(measurement, PROBE)
    )


def _vouched(measurement: Measurement, mine: HTTPExchange) -> bool:
    """Whether the whole way to the page was under good certificates, so that it is the site's.

    A redirect in the clear may be another's, whatever certificate stands at its end.
    """
    if not measurement.url.startswith("https:"):
        return False
    pages = [
        e for e in seen_by(measurement, PROBE) if isinstance(e, HTTPExchange) and e.location
    ]
    good = {
        (e.url, e.ip)
        for e in seen_by(measurement, PROBE)
        if isinstance(e, CertificateCheck) and e.failure is None
    }
    at, seen = measurement.url, set()
    while at != mine.url and at not in seen:
        seen.add(at)
        step = next((e for e in pages if e.url == at), None)
        if step is None or not step.tls or (step.url, step.ip) not in good:
            return False
        at = step.location or ""
    return mine.tls and (mine.url, mine.ip) in good


def _none_connects(measurement: Measurement) -> bool:
    connects = [
        e for e in seen_by(measurement, PROBE)
        if isinstance(e, TCPConnect) and not e.held and e.url == measurement.url
    ]  # fmt: skip
    return bool(connects) and all(e.failure is not None for e in connects)


def _alike(mine: HTTPExchange | None, theirs: HTTPExchange | None) -> Row:
    """Whether the last page is the control's, property by property; null where not known."""
    if mine is None or theirs is None:
        return {
            "body_proportion": 0, "body_length_match": None, "headers_match": None,
            "status_code_match": None, "title_match": None,
        }  # fmt: skip
    lengths = sorted((mine.body_length, theirs.body_length))
    known = lengths[0] > 0 and not mine.body_truncated and not theirs.body_truncated
    proportion = lengths[0] / lengths[1] if known else 0
    uncommon = [{n.lower() for n, _ in page.headers} - COMMON for page in (mine, theirs)]
    words = [_words(page.title) for page in (mine, theirs)]
    status = mine.status == theirs.status
    return {
        "body_proportion": proportion,
        "body_length_match": proportion > MOST_ALIKE if known else None,
        "headers_match": bool(uncommon[0] & uncommon[1]) if all(uncommon) else None,
        "status_code_match": status or (False if (theirs.status or 0) // 100 == 2 else None),
        # Titles without a long word are no sign of either.
        "title_match": words[0] == words[1] if any(words) else None,
    }


def _words(title: str | None) -> set[str]:
    return {word.lower() for word in (title or "").split() if len(word) >= LONG_WORD}


def _line_was_down(measurement: Measurement, canaries: Sequence[CanaryCheck]) -> bool:
    """Whether a whole ring of canaries did not answer at that time."""
    begin, end = measurement.started_at, measurement.started_at + measurement.runtime
    during = [c for c in canaries if begin - MARGIN <= c.at <= end + MARGIN]
    rings = {c.ring for c in during}
    return any(all(c.failure is not None for c in during if c.ring == ring) for ring in rings)
