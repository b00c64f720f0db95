"""What OONI's documents mean, which have one control: each rule made for them fires, and where
it must not, does not."""

from __future__ import annotations

import msgspec
import pytest

from analysis.observations import Observation
from analysis.observe.derive import observe
from analysis.rules.lone import LONE_MECHANISMS, LONE_OUTCOMES
from analysis.verdict import Verdict, judge
from probe.formats.ooni import Imported, read
from tests.formats.documents import (
    FORGED,
    HEADERS,
    OTHER,
    SITE,
    SITE_2,
    Json,
    connect,
    control,
    document,
    fine,
    handshake,
    keys,
    names,
    query,
    request,
)

URL, HTTP, SHORT = "https://news.example/", "http://news.example/", "https://short.example/x"
BLOCK = "<html><title>Access Denied</title><p>closed</p></html>"
TIMEOUT, RESET, REFUSED = "generic_timeout_error", "connection_reset", "connection_refused"


def row(data: bytes, *, source: str | None = None) -> Observation:
    found = read(data)
    assert isinstance(found, Imported), found
    (measurement,) = found.measurements
    run = found.run if source is None else msgspec.structs.replace(found.run, source=source)
    return observe(measurement, run, ())


def behind_redirect(*, https: bool, **what: object) -> Json:
    """short.example sends to the site, where something happens; the helper got the page."""
    url = URL if https else HTTP
    first = request(SHORT, OTHER, 301, "", {"Location": url}, number=9)
    found: Json = {
        "queries": [query("getaddrinfo", (OTHER,), "short.example"),
                    query("doh", (OTHER,), "short.example"),
                    query("getaddrinfo", (SITE,), depth=1, number=2),
                    query("udp", (SITE,), depth=1, number=2)],
        "connects": [connect(OTHER, 443, number=9)],
        "handshakes": [handshake(OTHER, None, "short.example", number=9)],
        "requests": [first],
        "helper": control(f"{OTHER}:443", addresses=(OTHER,)),
    }  # fmt: skip
    for name, more in what.items():
        assert isinstance(more, list)
        found[name] = more if name == "queries" else [*found[name], *more]
    return keys(**found)


def tcp_at_443(failure: str, helper: Json | None = None) -> Json:
    return keys(names(), [connect(SITE, 443, failure)], helper=helper or control())


def tls_behind(failure: str) -> Json:
    return behind_redirect(
        https=True, connects=[connect(SITE, 443, depth=1)],
        handshakes=[handshake(SITE, failure, depth=1)],
    )


def http_behind(failure: str) -> Json:
    return behind_redirect(
        https=False, connects=[connect(SITE, 80, depth=1)],
        requests=[request(HTTP, SITE, 0, "", {}, failure, depth=1)],
    )


def page_instead(headers: dict[str, str], *, ip: str = SITE) -> Json:
    lookups = names(own=(ip,), clear=(ip,), secret=(SITE,))
    at = {f"{ip}:80", f"{ip}:443", f"{SITE}:80", f"{SITE}:443"}
    return keys(
        lookups, [connect(ip, 80)], [], [request(HTTP, ip, body=BLOCK, headers=headers)],
        control(*sorted(at)),
    )


def denied(how: str, *, helper: Json | None = None) -> Json:
    return keys([query("system", how)], helper=helper or control(addresses=(SITE,)))


NOWHERE = control(
    f"{OTHER}:443", addresses=None, dns="dns_name_error", failure="dns_lookup_error",
    tls="ssl_invalid_hostname",
)
GHOST = keys(
    names(own=(OTHER,), clear=(OTHER,), secret="dns_nxdomain_error"),
    helper=NOWHERE,
)
PROXY = keys(
    names(own=(FORGED,), clear=(FORGED,), secret=(SITE,)), [connect(FORGED, 443)],
    [handshake(FORGED)], [request(URL, FORGED)], control(f"{FORGED}:443", f"{SITE}:443"),
)
PORTAL = keys(
    names(), [connect(SITE, 80)], [],
    [request(HTTP, SITE, 307, "", {"Location": "http://192.168.22.1/portal"},
             "http_invalid_redirect_location_host")],
    control(),
)  # fmt: skip
CUT = keys(
    names(), [connect(SITE, 443)], [handshake(SITE)],
    [request(URL, SITE, body="", failure=TIMEOUT, cut=True)], control(),
)

CASES: dict[str, tuple[Json, str, str, str, tuple[str, ...]]] = {
    # rule: test_keys, input, outcome, mechanisms
    "lone_tcp_silence": (tcp_at_443(TIMEOUT), URL, "blocked", "tcp.silence",
                         ("silent_here_alone",)),
    "lone_tcp_refused": (tcp_at_443(REFUSED), URL, "blocked", "tcp.refused",
                         ("silent_here_alone",)),
    "lone_tcp_unreachable": (
        tcp_at_443("host_unreachable"), URL, "blocked", "tcp.unreachable", ("silent_here_alone",)),
    "lone_tcp_reset": (
        behind_redirect(https=True, connects=[connect(SITE, 443, RESET, 1)]), SHORT, "blocked",
        "tcp.reset", ("cut_off_here_alone",)),
    "lone_tls_silence": (tls_behind(TIMEOUT), SHORT, "blocked", "tls.silence",
                         ("silent_here_alone",)),
    "lone_tls_reset": (tls_behind(RESET), SHORT, "blocked", "tls.reset", ("cut_off_here_alone",)),
    "lone_tls_closed": (tls_behind("eof_error"), SHORT, "blocked", "tls.closed",
                        ("cut_off_here_alone",)),
    "lone_tls_alert": (tls_behind("unknown_failure: remote error: tls: unrecognized name"), SHORT,
                       "blocked", "tls.alert", ("cut_off_here_alone",)),
    "lone_http_silence": (http_behind(TIMEOUT), SHORT, "blocked", "http.silence",
                          ("silent_here_alone",)),
    "lone_http_reset": (http_behind(RESET), SHORT, "blocked", "http.reset",
                        ("cut_off_here_alone",)),
    "lone_http_closed": (http_behind("eof_error"), SHORT, "blocked", "http.closed",
                         ("cut_off_here_alone",)),
    "lone_dns_nxdomain": (denied("dns_nxdomain_error"), HTTP, "blocked", "dns.nxdomain",
                          ("denied_here_alone",)),
    "lone_dns_refused": (denied("dns_refused_error"), HTTP, "blocked", "dns.refused",
                         ("denied_here_alone",)),
    "lone_dns_empty": (denied("dns_no_answer"), HTTP, "blocked", "dns.empty",
                       ("denied_here_alone",)),
    "lone_dns_bogon": (
        keys([query("system", ()) | {"answers": [{"answer_type": "A", "ipv4": "10.10.34.36"}]}],
             helper=control()), HTTP, "blocked", "dns.bogon", ("denied_here_alone",)),
    "dns_diverted": (PROXY, URL, "ok", "dns.injected", ()),
    "dns_ghost_public": (GHOST, URL, "blocked", "dns.injected", ("ghost_answer_in_the_clear",)),
    "http_blockpage_bare": (page_instead({}), HTTP, "blocked", "http.blockpage",
                            ("page_without_head",)),
    "redirect_into_private": (PORTAL, HTTP, "local_fault", "", ()),
    "page_cut_short": (CUT, URL, "inconclusive", "", ()),
}  # fmt: skip


INNOCENT: dict[str, tuple[Json, str]] = {
    "the helper meets the same silence": (
        tcp_at_443(TIMEOUT, control(down=TIMEOUT, failure=TIMEOUT)), "down"),
    "the helper connects, and gets no page": (
        tcp_at_443(TIMEOUT, control(failure="unknown_error")), "inconclusive"),
    "the helper's page is an error": (tcp_at_443(TIMEOUT, control(status=503)), "inconclusive"),
    "the helper was never asked about the address": (
        tcp_at_443(TIMEOUT, control("83.224.65.41:443")), "inconclusive"),
    "there is no helper": (
        keys(names(), [connect(SITE, 443, TIMEOUT)], control_failure=TIMEOUT), "inconclusive"),
    "a probe wrote down an empty answer": (
        keys(names(), [connect(SITE, 443, TIMEOUT)], control_failure="connection_refused",
             helper={"tcp_connect": None, "dns": {"failure": None, "addrs": None},
                     "http_request": {"body_length": 0, "status_code": 0, "failure": None}}),
        "inconclusive"),
    "another address of the site answers": (
        keys(names((SITE, "93.184.216.35")),
             [connect(SITE, 443, TIMEOUT), connect("93.184.216.35", 443, number=2)],
             [handshake("93.184.216.35", number=2)], [request(URL, "93.184.216.35", number=2)],
             control(f"{SITE}:443", "93.184.216.35:443")), "ok"),
    "IPv6 is broken on this line": (
        keys(names((SITE, "2606:2800:220:1::1")),
             [connect("2606:2800:220:1::1", 443, "network_unreachable", number=2),
              connect(SITE, 443)], [handshake(SITE)], [request(URL, SITE)],
             control(f"{SITE}:443", "[2606:2800:220:1::1]:443")), "ok"),
    "the own resolver is in trouble": (denied("dns_servfail_error"), "inconclusive"),
    "the name is gone for everybody": (
        denied("dns_nxdomain_error", helper=NOWHERE), "down"),
    "another page, with a head": (page_instead(dict(HEADERS)), "inconclusive"),
    "a cache of the operator's, told to a resolver that says who asks": (
        keys([query("getaddrinfo", (FORGED,)), query("udp", (FORGED,), resolver="8.8.8.8:53"),
              query("doh", (SITE,))], [connect(FORGED, 443)], [handshake(FORGED)],
             [request(URL, FORGED)], control(f"{FORGED}:443", f"{SITE}:443")), "ok"),
}  # fmt: skip


KIND = {"Content-Type": "application/octet-stream"}
OTHERS = {
    "https": (fine("https"), URL),
    "http": (fine("http"), HTTP),
    "filtered for who asked for it": (
        keys([query("getaddrinfo", "dns_nxdomain_error"), query("udp", (SITE,)),
              query("doh", (SITE,))], helper=control()), URL),
    "page of another address": (
        keys(
            names(own=(SITE,), clear=(SITE_2,), secret=(SITE_2,)),
            [connect(SITE, 443), connect(SITE_2, 443, number=2)],
            [handshake(SITE), handshake(SITE_2, number=2)], [request(URL, SITE_2, number=2)],
            control(f"{SITE}:443", f"{SITE_2}:443", addresses=(SITE, SITE_2)),
        ),
        URL,
    ),
    "long": (
        keys(
            names(), [connect(SITE, 80)], [],
            [request(HTTP, SITE, body="", headers=KIND, cut=True)],
            control(length=1 << 24, title="", headers=KIND),
        ),
        HTTP,
    ),
}
IN_THE_CLEAR = ("another page", "the own resolver", "the name is")


@pytest.fixture(scope="module")
def judged() -> dict[str, Verdict]:
    """Every document here, judged in one query."""
    rows = {name: row(document(case[0], input=case[1])) for name, case in CASES.items()}
    for name, (test_keys, _) in INNOCENT.items():
        url = HTTP if name.startswith(IN_THE_CLEAR) else URL
        rows[name] = row(document(test_keys, input=url))
    for name, (found, url) in OTHERS.items():
        resolver = "AS19281" if name.startswith("filtered") else "AS137"
        rows[name] = row(document(found, input=url, resolver_asn=resolver))
    rows["ours"] = row(document(tcp_at_443(TIMEOUT)), source="")
    return dict(zip(rows, judge(list(rows.values())), strict=True))


@pytest.mark.parametrize("rule", CASES)
def test_what_one_control_shows(rule: str, judged: dict[str, Verdict]) -> None:
    _, _, outcome, mechanism, also = CASES[rule]
    verdict = judged[rule]
    assert (outcome, mechanism) == (verdict.outcome, " ".join(verdict.mechanisms)), verdict.rules
    assert {rule, *also} <= set(verdict.rules)


def test_every_rule_for_one_control_fires() -> None:
    fired = set(CASES) | {rule for case in CASES.values() for rule in case[4]}
    assert {r.id for r in LONE_MECHANISMS + LONE_OUTCOMES} <= fired


def test_page_that_came_fires_none_of_them(judged: dict[str, Verdict]) -> None:
    mine = {r.id for r in LONE_MECHANISMS + LONE_OUTCOMES}
    for scheme in ("https", "http"):
        assert ("ok", set()) == (judged[scheme].outcome, mine & set(judged[scheme].rules))


@pytest.mark.parametrize("situation", INNOCENT)
def test_fault_is_no_block(situation: str, judged: dict[str, Verdict]) -> None:
    verdict = judged[situation]
    assert (INNOCENT[situation][1], ()) == (verdict.outcome, verdict.mechanisms), verdict.rules


def test_long_download_is_no_other_page(judged: dict[str, Verdict]) -> None:
    assert "ok" == judged["long"].outcome


def test_resolver_that_filters_for_who_chose_it_is_no_censor(judged: dict[str, Verdict]) -> None:
    found = judged["filtered for who asked for it"]
    assert ("inconclusive", ()) == (found.outcome, found.mechanisms)
    assert "lie_of_filtering_resolver" == found.rules[0]


def test_page_that_another_address_gave_is_the_page(judged: dict[str, Verdict]) -> None:
    assert "ok" == judged["page of another address"].outcome


def test_zond_with_one_control_left_says_less(judged: dict[str, Verdict]) -> None:
    assert "inconclusive" == judged["ours"].outcome
