"""What services' documents are judged: a dead relay is no block, a lost part is not the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from analysis import services
from analysis.dataset.trials import trials
from analysis.observations import Observation
from analysis.observe.services import service_rows
from analysis.service_rules import SERVICE_MECHANISMS, SERVICE_OUTCOMES, SERVICE_TRIGGERS
from analysis.service_trials import service_trials
from analysis.verdict import Verdict, judge
from analysis.verdict import verdicts as verdicts_of
from probe.evidence import CanaryCheck
from probe.formats.ooni import Imported, read
from probe.importing import import_files, sources
from probe.store import Store
from tests.services import documents as d

OUT, RESET, REFUSED = "generic_timeout_error", "connection_reset", "connection_refused"
UNKNOWN, FORGED = "ssl_unknown_authority", "Zm9yZ2Vk"
OWN = "b3du"  # the service's own root, three bytes here: see `own_root`
ALL_DOWN = dict.fromkeys(d.DATA_CENTRES, OUT)
ALL_RESET = dict.fromkeys(d.DATA_CENTRES, RESET)
RELAYS = [f"198.{18 + n}.100.{n}" for n in range(20, 28)]


def tor_of(
    failing: dict[str, str | None], *, at: str = "connect", protocol: str = "or_port",
    beside: bool = True,
) -> bytes:  # fmt: skip
    """Relays at *failing*'s addresses, which fail so; *beside*: their directory ports work."""
    targets = [d.relay(protocol, ip, 9001, how, at=at) for ip, how in failing.items()]
    ports = [d.relay("dir_port", ip, 9030) for ip in failing] if beside else []
    return d.tor([*targets, *ports])


@dataclass(frozen=True)
class Case:
    """A document, and of some of its rows, by URL, what they must be judged."""

    build: Callable[[], bytes]
    verdicts: dict[str, tuple[str, ...]]  # outcome, mechanisms
    triggers: dict[str, str | None] = field(default_factory=dict)
    canaries: tuple[CanaryCheck, ...] = ()
    portal: bool = False


def canary(ring: str, failure: str | None, at: float = 0.0) -> CanaryCheck:
    raw = {"run_id": "run", "ring": ring, "name": ring, "at": STARTED + at, "failure": failure}
    return msgspec.convert(raw, CanaryCheck)


STARTED = 1795168800.0  # 2026-11-20 10:00:00 UTC
LOST = tuple(canary("foreign", how, at) for how, at in ((None, -5.0), (OUT, 1.0)))
GONE = (*LOST, *(canary("domestic", how, at) for how, at in ((None, -5.0), (OUT, 1.0))))
UNRESOLVED = tuple(
    msgspec.structs.replace(canary(ring, None), resolver_failure="dns_servfail_error")
    for ring in ("domestic", "foreign")
)
DC = "telegram://149.154.171.5:443"
CHAT = "signal://chat.signal.org"


def signal_of(host: str, **how: str) -> bytes:
    return d.hosts("signal", d.SIGNAL_HOSTS, {host: how})


CASES = {
    "telegram_works": Case(
        lambda: d.telegram(), {"telegram://telegram": ("ok",), DC: ("ok",)}
    ),
    "one_dead_data_centre_is_no_block": Case(
        lambda: d.telegram({"149.154.171.5": OUT}),
        {"telegram://telegram": ("ok",), DC: ("inconclusive",)},
    ),
    "all_data_centres_silent_may_be_down_for_everybody": Case(
        lambda: d.telegram(ALL_DOWN),
        {"telegram://telegram": ("inconclusive",), DC: ("inconclusive",),
         "telegram://web.telegram.org": ("ok",)},
    ),
    "all_silent_and_the_web_too_may_be_the_line": Case(
        lambda: d.telegram(ALL_DOWN, web=OUT),
        {"telegram://telegram": ("inconclusive",), DC: ("inconclusive",)},
    ),
    "a_dead_host_does_not_reset_at_every_address": Case(
        lambda: d.telegram(ALL_RESET),
        {"telegram://telegram": ("blocked", "tcp.reset"), DC: ("blocked", "tcp.reset")},
    ),
    "all_reset_and_nothing_alive_may_be_somebody_at_home": Case(
        lambda: d.telegram(ALL_RESET, web=RESET),
        {"telegram://telegram": ("inconclusive",), DC: ("inconclusive",)},
    ),
    "foreign_canaries_lost": Case(
        lambda: d.telegram(ALL_RESET), {DC: ("inconclusive",)}, canaries=LOST
    ),
    "line_lost": Case(lambda: d.telegram(ALL_DOWN), {DC: ("local_fault",)}, canaries=GONE),
    "portal": Case(lambda: d.telegram(ALL_RESET), {DC: ("local_fault",)}, portal=True),
    "web_of_a_messenger_is_not_the_messenger": Case(
        lambda: d.telegram(web=OUT),
        {"telegram://telegram": ("ok",), "telegram://web.telegram.org": ("inconclusive",)},
    ),
    "block_page_in_the_place_of_a_data_centre": Case(
        lambda: d.telegram(answers={"149.154.171.5": {
            "code": 302, "location": "https://www.a1.by/mininfo/"}}),
        {"telegram://telegram": ("ok", "http.blockpage"), DC: ("blocked", "http.blockpage")},
    ),
    "redirect_by_what_speaks_no_http": Case(
        lambda: d.telegram(answers={"149.154.171.5": {
            "code": 302, "location": "http://portal.example/"}}),
        {"telegram://telegram": ("ok",), DC: ("inconclusive",)},
    ),
    "dead_relay": Case(
        lambda: tor_of({RELAYS[0]: OUT} | dict.fromkeys(RELAYS[1:])),
        {"tor://tor": ("ok",), f"tor://{RELAYS[0]}:9001": ("inconclusive",)},
        {f"tor://{RELAYS[0]}:9001": None},
    ),
    "all_relays_of_independent_people_gone_at_once": Case(
        lambda: tor_of(dict.fromkeys(RELAYS, OUT)),
        {"tor://tor": ("blocked", "tcp.silence"), f"tor://{RELAYS[0]}:9030": ("ok",),
         f"tor://{RELAYS[0]}:9001": ("blocked", "tcp.silence")},
        {f"tor://{RELAYS[0]}:9001": "port", "tor://tor": "port"},
    ),
    "relays_gone_and_a_bridge_works": Case(
        lambda: d.tor([*(d.relay("or_port", ip, 9001, OUT) for ip in RELAYS),
                       d.relay("obfs4", "93.184.216.34", 443)]),
        {"tor://tor": ("ok", "tcp.silence"), "tor://93.184.216.34:443": ("ok",),
         f"tor://{RELAYS[0]}:9001": ("blocked", "tcp.silence")},
    ),
    "relays_and_bridges_gone_while_directories_answer": Case(
        lambda: d.tor([
            *(d.relay("or_port", ip, 9001, RESET, at="tls_handshake") for ip in RELAYS),
            *(d.relay("dir_port", "198.51.100.9", port) for port in (80, 9030))]),
        {"tor://tor": ("blocked", "tls.reset"),
         f"tor://{RELAYS[0]}:9001": ("blocked", "tls.reset")},
    ),
    "relays_gone_and_nothing_alive": Case(
        lambda: tor_of(dict.fromkeys(RELAYS, OUT), beside=False),
        {"tor://tor": ("inconclusive",), f"tor://{RELAYS[0]}:9001": ("inconclusive",)},
    ),
    "few_bridges_gone_may_be_dead": Case(
        lambda: tor_of(dict.fromkeys(RELAYS[:3], OUT), protocol="obfs4"),
        {f"tor://{RELAYS[0]}:9001": ("inconclusive",)},
    ),
    "bridges_whose_own_handshake_is_reset": Case(
        lambda: tor_of(dict.fromkeys(RELAYS[:4], RESET), at="handshake", protocol="obfs4"),
        {f"tor://{RELAYS[0]}:9001": ("blocked", "tls.reset")},
    ),
    "vanilla_client_stuck": Case(
        lambda: d.bootstrap("vanilla_tor", OUT), {"tor://vanilla": ("inconclusive",)}
    ),
    "snowflake_stuck": Case(
        lambda: d.bootstrap("torsf", OUT), {"tor://snowflake": ("inconclusive",)}
    ),
    "snowflake_works": Case(lambda: d.bootstrap("torsf"), {"tor://snowflake": ("ok",)}),
    "signal_works": Case(
        lambda: d.hosts("signal", d.SIGNAL_HOSTS), {"signal://signal": ("ok",), CHAT: ("ok",)}
    ),
    "root_that_the_instrument_does_not_know": Case(
        lambda: d.hosts(
            "signal", d.SIGNAL_HOSTS,
            {host: {"tls": UNKNOWN, "certificate": OWN} for host in d.SIGNAL_HOSTS},
            test_version="0.2.0"),
        {"signal://signal": ("local_fault",), CHAT: ("local_fault",)},
    ),
    "the_same_root_and_an_instrument_that_knows_it": Case(
        lambda: d.hosts(
            "signal", d.SIGNAL_HOSTS,
            {host: {"tls": UNKNOWN, "certificate": OWN} for host in d.SIGNAL_HOSTS},
            test_version="0.2.5"),
        {"signal://signal": ("inconclusive",), CHAT: ("inconclusive",)},
    ),
    "forged_certificate_while_others_are_good": Case(
        lambda: signal_of("chat.signal.org", tls=UNKNOWN, certificate=FORGED),
        {"signal://signal": ("blocked", "tls.forged"), CHAT: ("blocked", "tls.forged")},
    ),
    "every_certificate_bad_may_be_the_authorities": Case(
        lambda: d.hosts("signal", d.SIGNAL_HOSTS, {
            host: {"tls": UNKNOWN, "certificate": FORGED} for host in d.SIGNAL_HOSTS}),
        {"signal://signal": ("inconclusive",), CHAT: ("inconclusive",)},
    ),
    "expired_certificate_may_be_the_clock": Case(
        lambda: signal_of("chat.signal.org", tls="ssl_invalid_certificate"),
        {CHAT: ("inconclusive",)},
    ),
    "name_that_the_service_gave_up": Case(
        lambda: d.hosts("signal", (*d.SIGNAL_HOSTS, "api.directory.signal.org"),
                        {"api.directory.signal.org": {"dns": "android_dns_cache_no_data"}}),
        {"signal://signal": ("ok",), "signal://api.directory.signal.org": ("inconclusive",)},
    ),
    "private_address_from_the_operators_resolver": Case(
        lambda: signal_of("chat.signal.org", answer="10.10.34.35", tcp=OUT),
        {"signal://signal": ("blocked", "dns.bogon"), CHAT: ("blocked", "dns.bogon")},
    ),
    "private_address_from_a_resolver_that_the_user_chose": Case(
        lambda: d.hosts(
            "signal", d.SIGNAL_HOSTS, {"chat.signal.org": {"answer": "0.0.0.0", "tcp": OUT}},
            resolver_asn="AS13335"),
        {CHAT: ("inconclusive",)},
    ),
    "known_address_of_a_block_page": Case(
        lambda: signal_of("chat.signal.org", answer="134.17.0.7", tls=UNKNOWN, certificate=""),
        {"signal://signal": ("blocked", "dns.substituted"), CHAT: ("blocked", "dns.substituted")},
    ),
    "resolver_dead_for_all": Case(
        lambda: signal_of("chat.signal.org", dns="dns_servfail_error"), {CHAT: ("local_fault",)},
        canaries=UNRESOLVED,
    ),
    "name_denied_and_nobody_to_ask": Case(
        lambda: signal_of("chat.signal.org", dns="dns_nxdomain_error"), {CHAT: ("inconclusive",)}
    ),
    "handshake_reset_at_one_host_only": Case(
        lambda: signal_of("chat.signal.org", tls=RESET),
        {"signal://signal": ("inconclusive",), CHAT: ("inconclusive",)},
    ),
    "whatsapp_with_one_dead_endpoint": Case(
        lambda: d.hosts("whatsapp", d.WHATSAPP_HOSTS, {"e1.whatsapp.net": {"tcp": OUT}}),
        {"whatsapp://whatsapp": ("ok",), "whatsapp://e1.whatsapp.net": ("inconclusive",),
         "whatsapp://93.184.215.1:5222": ("inconclusive",),
         "whatsapp://93.185.215.2:5222": ("ok",)},
    ),
    "whatsapp_web_answers_with_an_error": Case(
        lambda: d.document("whatsapp", {
            "queries": [d.query("web.whatsapp.com", "93.184.216.34")],
            "tcp_connect": [d.connect("93.184.216.34", 443)],
            "tls_handshakes": [d.handshake("web.whatsapp.com", "93.184.216.34")],
            "requests": [d.request("https://web.whatsapp.com/", code=400),
                         d.request("http://web.whatsapp.com/", code=403)],
            "whatsapp_web_status": "blocked"}),
        {"whatsapp://web.whatsapp.com": ("ok",)},
    ),
    "facebook_reset_at_every_host": Case(
        lambda: d.hosts("facebook_messenger", (*d.FACEBOOK_HOSTS, "stun.fbsbx.com"), {
            host: {"tcp": RESET} for host in d.FACEBOOK_HOSTS}),
        # Two hosts of one part are fewer than it takes.
        {"facebook_messenger://b-api.facebook.com": ("inconclusive",)},
    ),
    "endpoints_reset_and_the_web_works": Case(
        lambda: d.hosts("whatsapp", (*d.WHATSAPP_HOSTS, "web.whatsapp.com"), {
            host: {"tcp": RESET} for host in d.WHATSAPP_HOSTS}),
        {"whatsapp://whatsapp": ("blocked", "tcp.reset"),
         "whatsapp://e1.whatsapp.net": ("blocked", "tcp.reset")},
    ),
    "name_that_only_resolves_shows_no_line": Case(
        lambda: d.document("facebook_messenger", {
            "queries": [*(d.query(host, f"93.{184 + n}.1.1")
                          for n, host in enumerate(d.FACEBOOK_HOSTS)),
                        d.query("stun.fbsbx.com", "93.184.215.14")],
            "tcp_connect": [d.connect(f"93.{184 + n}.1.1", 443, RESET) for n in range(3)]}),
        {"facebook_messenger://facebook_messenger": ("inconclusive",),
         "facebook_messenger://stun.fbsbx.com": ("ok",)},
    ),
    "request_altered_on_the_way": Case(
        lambda: d.headers({"Accept": "text/html", "Host": "qwertyuiopasdfg.com",
                           "User-Agent": "Mozilla/5.0", "Via": "1.1 proxy"}),
        {"middlebox://headers": ("ok", "http.altered")},
    ),
    "request_as_it_was_sent": Case(
        lambda: d.headers(d.SENT_HEADERS | {"Connection": "close"}),
        {"middlebox://headers": ("ok",)},
    ),
    "header_added_on_the_way": Case(
        lambda: d.headers(d.SENT_HEADERS | {"X-Forwarded-For": "192.0.2.1"}),
        {"middlebox://headers": ("ok", "http.altered")},
    ),
    "method_in_capitals": Case(
        lambda: d.headers(d.SENT_HEADERS, line="GET / HTTP/1.1"),
        {"middlebox://headers": ("ok", "http.altered")},
    ),
    "missing_answer_is_not_tampering": Case(
        lambda: d.headers(None, failure=OUT), {"middlebox://headers": ("inconclusive",)}
    ),
    "helper_gone": Case(
        lambda: d.headers(None, failure=REFUSED), {"middlebox://headers": ("inconclusive",)}
    ),
    "line_quoted_by_a_firewall": Case(
        lambda: d.lines(["", "<h1>Invalid request</h1> ABCDE FGHIJ KLMNO PQRST", ""]),
        {"middlebox://request-line": ("ok", "http.altered")},
    ),
    "page_of_whoever_has_the_helpers_address": Case(
        lambda: d.lines(["<h1>It works!</h1>"]), {"middlebox://request-line": ("inconclusive",)}
    ),
    "lines_as_sent": Case(lambda: d.lines([None, None]), {"middlebox://request-line": ("ok",)}),
    "lines_unanswered": Case(
        lambda: d.lines(["", ""]), {"middlebox://request-line": ("inconclusive",)}
    ),
    "resolver_with_one_dead_address": Case(
        lambda: d.dnscheck({"https://198.51.100.1/dns-query": None,
                            "https://198.51.101.1/dns-query": OUT}),
        {"doh://dns.example/dns-query": ("ok",), "doh://198.51.100.1/dns-query": ("ok",),
         "doh://198.51.101.1/dns-query": ("inconclusive",)},
    ),
    "resolver_whose_name_does_not_resolve": Case(
        lambda: d.dnscheck({}, name="dns_nxdomain_error"),
        {"doh://dns.example/dns-query": ("inconclusive",)},
    ),
    "nettest_that_no_rule_is_for": Case(
        lambda: d.document("psiphon", {"failure": OUT}), {"ooni://psiphon": ("not_measured",)}
    ),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def own_root() -> Iterator[None]:
    """Signal has an authority of its own here, too."""
    own = services.Authority(
        nettest="signal", sha256=hashlib.sha256(b"own").hexdigest(), name="own",
        known_since=(0, 2, 2), source="this test",
    )
    table = services.authorities() | {("signal", own.sha256): own}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.observe.service_names.authorities", lambda: table)
        yield


def rows_of(case: Case) -> list[Observation]:
    found = read(case.build())
    assert isinstance(found, Imported), found
    run = msgspec.structs.replace(found.run, captive_portal=case.portal)
    return [row for m in found.measurements for row in service_rows(m, run, case.canaries)]


def judged(*cases: Case) -> list[dict[str, Verdict]]:
    """Of each case its verdicts by URL, all in one query."""
    rows = [rows_of(case) for case in cases]
    verdicts = iter(judge([row for found in rows for row in found]))
    return [{row.url: next(verdicts) for row in found} for found in rows]


@pytest.fixture(scope="module")
def verdicts(own_root: None) -> dict[str, dict[str, Verdict]]:
    return dict(zip(CASES, judged(*CASES.values()), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_service_is_judged_as_it_is(
    name: str, verdicts: dict[str, dict[str, Verdict]]
) -> None:
    case, found = CASES[name], verdicts[name]
    said = {url: (found[url].outcome, *found[url].mechanisms) for url in case.verdicts}
    assert said == case.verdicts, {url: found[url].rules for url in case.verdicts}
    assert {url: found[url].trigger for url in case.triggers} == case.triggers


def test_no_rule_of_services_is_without_a_case(
    verdicts: dict[str, dict[str, Verdict]]
) -> None:
    fired = {rule for found in verdicts.values() for v in found.values() for rule in v.rules}
    fired |= {rule for verdict in judge(HOWS) for rule in verdict.rules}
    mine = {r.id for r in SERVICE_MECHANISMS + SERVICE_OUTCOMES + SERVICE_TRIGGERS}
    assert mine <= fired, mine - fired


# Ways to fail that the documents above do not have: one row each, as the derivation writes it.
def _row(end: str, how: str, **columns: object) -> Observation:
    whole = {"service": "signal", "service_part": "chat", "service_end": end, "service_how": how,
             "measured": True, "service_endpoints": 1} | columns  # fmt: skip
    return msgspec.convert({"run_id": "r", "url": CHAT, **whole}, Observation)


HOWS = [
    *(_row("dns", how) for how in ("nxdomain", "refused", "servfail", "empty", "silence")),
    *(_row("tcp", how) for how in ("silence", "refused", "reset", "unreachable")),
    *(_row("tls", how) for how in ("silence", "reset", "closed", "alert")),
    *(_row("http", how) for how in ("silence", "reset", "closed", "redirect", "blockpage")),
    *(_row("quic", how) for how in ("silence", "closed")),
    _row(
        "answer", "untrue", service_controls=1, service_controls_working=1, service_tries=2
    ),
    _row("certificate", "replaced"),
    *(_row("bootstrap", how) for how in ("absent", "clock_skew")),
    _row("tcp", "silence", service_other_port="same"),
    _row("tls", "reset", service_same_port="free"),
    *(
        _row(end, how, service_tries=tries, service_controls=2, service_controls_working=working)
        for end, how, tries, working in (
            ("tcp", "silence", 2, 0), ("tcp", "silence", 2, 1), ("tcp", "silence", 2, 2),
            ("tcp", "reset", 2, 2), ("tcp", "reset", 1, 2), ("certificate", "bad", 2, 2),
        )
    ),
]


def test_rules_of_services_hold_on_no_sites_row() -> None:
    site = msgspec.convert(
        {"run_id": "r", "url": "https://a.example/", "measured": True}, Observation
    )
    mine = {r.id for r in SERVICE_MECHANISMS + SERVICE_OUTCOMES + SERVICE_TRIGGERS}
    assert not mine & set(judge([site])[0].rules)


def test_endpoint_left_out_never_makes_the_others_blocked() -> None:
    """What one document's other endpoints say is its only control: fewer say less."""
    found = judged(
        Case(lambda: tor_of(dict.fromkeys(RELAYS[:5], OUT)), {}),
        Case(lambda: tor_of(dict.fromkeys(RELAYS[:4], OUT)), {}),
        Case(lambda: tor_of(dict.fromkeys(RELAYS[:5], OUT), beside=False), {}),
    )
    at = f"tor://{RELAYS[0]}:9001"
    assert [v[at].outcome for v in found] == [
        "blocked", "inconclusive", "inconclusive"]  # fmt: skip


def test_each_relay_is_a_test_of_its_class() -> None:
    rows = rows_of(Case(lambda: d.tor([
        d.relay("or_port", RELAYS[0], 9001, OUT), d.relay("dir_port", RELAYS[0], 9030),
        d.relay("obfs4", RELAYS[1], 443, source="moat"),
        d.relay("vanilla", RELAYS[2], 443)]), {}))
    found = [(t.test, t.ip, t.port, t.result) for row in rows for t in trials(row)]
    assert found == [
        ("or_port", RELAYS[0], 9001, "fails"), ("dir_port", RELAYS[0], 9030, "works"),
        ("obfs4", RELAYS[1], 443, "works"), ("bridge_channel", RELAYS[1], 443, "moat"),
        ("vanilla_bridge", RELAYS[2], 443, "works"),
    ]  # fmt: skip


def test_bootstrap_is_a_test_with_its_percent() -> None:
    rows = rows_of(CASES["vanilla_client_stuck"])
    assert [(t.test, t.result, t.value) for r in rows for t in service_trials(r)] == [
        ("vanilla", "fails", 5.0)]  # fmt: skip


def test_document_goes_through_the_database_unchanged(tmp_path: Path) -> None:
    names = ("one_dead_data_centre_is_no_block", "relays_gone_and_a_bridge_works",
             "vanilla_client_stuck", "line_quoted_by_a_firewall")  # fmt: skip
    for name in names:
        (tmp_path / f"{name}.json").write_bytes(CASES[name].build())
    with Store(tmp_path / "zond.db", write=True) as store:
        import_files(store, list(sources([tmp_path])))
        found = {(v.url, v.outcome, v.mechanisms) for v in verdicts_of(store, store.runs())}
    direct = judged(*(CASES[name] for name in names))
    assert found == {(v.url, v.outcome, v.mechanisms) for of in direct for v in of.values()}


def test_relay_at_an_ipv6_address_is_one_with_brackets() -> None:
    _, keys = d.relay("or_port", "2606:2800:21f:cb07::1", 9001, OUT)
    target = "[2606:2800:21f:cb07::1]:9001"
    rows = rows_of(Case(lambda: d.tor([(target, keys | {"target_address": target})]), {}))
    assert [(row.url, row.path_ip) for row in rows[1:]] == [
        (f"tor://{target}", "2606:2800:21f:cb07::1")]  # fmt: skip


def test_name_to_which_nothing_was_tried_has_no_row() -> None:
    """That it resolves is not that it works."""
    keys = {"queries": [d.query("chat.signal.org", "93.184.215.14")]}
    (row,) = rows_of(Case(lambda: d.document("signal", keys), {}))
    assert (row.url, row.measured) == ("signal://signal", False)


def test_fault_of_the_instrument_is_no_test() -> None:
    rows = rows_of(CASES["root_that_the_instrument_does_not_know"])
    assert not [t for row in rows for t in service_trials(row)]


@pytest.mark.parametrize(
    "line",
    ["telegram,telegram,COMT,dc,nowhere,yes,no,x", "telegram,telegram,COMT,dc,address,often,no,x",
     "telegram,telegram,COMT,dc,address,yes,no", "telegram,telegram,COMT,dc,address,yes,no,x,y"],
)  # fmt: skip
def test_table_of_services_that_cannot_be_read_says_where(line: str) -> None:
    head = "nettest,service,category,part,target,needed,independent,source\n"
    with pytest.raises(services.ServicesError, match="line 2"):
        services.load(head + line)
