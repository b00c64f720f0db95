"""Ways of interfering: every rule that fires names one."""

from __future__ import annotations

from ibis import _  # type: ignore[import-untyped]  # Ibis ships no types

from analysis.rule import Rule
from analysis.rules.conditions import (
    DNS_SHOWN,
    DNS_SPEAKS,
    INJECTED,
    THROTTLED,
    dns_says,
    met,
    named,
)

MECHANISMS: tuple[Rule, ...] = (
    Rule(
        "dns_nxdomain", dns_says("nxdomain"), mechanism="dns.nxdomain",
        comment="Own resolvers deny a name that others resolve.",
        source="OONI QA 9, 11",
    ),
    Rule(
        "dns_refused", dns_says("refused"), mechanism="dns.refused",
        comment="Own resolvers refuse a name that others resolve.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "dns_servfail", dns_says("servfail") & DNS_SPEAKS, mechanism="dns.servfail",
        comment="Own resolvers fail for a name that others resolve.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "dns_empty", dns_says("empty"), mechanism="dns.empty",
        comment="Own resolvers give no address for a name that has some.",
        source="OONI QA 9",
    ),
    Rule(
        "dns_silence", dns_says("silence") & _.resolver_alive, mechanism="dns.silence",
        comment="Own resolvers do not answer for this name, and do for the canaries.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "dns_bogon", (_.dns_own == "bogon") & DNS_SHOWN, mechanism="dns.bogon",
        comment="Own resolvers give an address that no site can have.",
        source="OONI QA 10, 12",
    ),
    Rule(
        "dns_substituted",
        dns_says("lie")
        | (
            _.dns_own.isin(["lie", "unclear"]) & ~_.dns_all_injected
            & ((_.fingerprint_dns != "") | (_.fingerprint_forged != ""))
        ),
        mechanism="dns.substituted",
        comment="Own resolvers give an address that nobody vouches for: no certificate, no"
        " control, no encrypted resolver, no network or page of the site's.",
        source="Iris (USENIX Security 2017); CERTainty (PoPETs 2023): certificate first",
    ),
    Rule(
        "dns_injected", INJECTED | (_.dns_intercepted > 0) | _.dns_ghost,
        mechanism="dns.injected",
        comment="Two answers to one query of which the later is true; an answer to a query"
        " that went to a resolver which, asked over TLS, says otherwise; an address for a"
        " name that exists nowhere, denied right after.",
        source="OONI QA 4, 12-17, 20, 43, 47; GFWatch",
    ),
    Rule(
        "tcp_silence", met("tcp", "silence"), mechanism="tcp.silence",
        comment="Two controls connect where our SYN stays unanswered.",
        source="OONI QA 42",
    ),
    Rule(
        "tcp_refused", met("tcp", "refused"), mechanism="tcp.refused",
        comment="Two controls connect where our SYN is reset.",
        source="OONI QA 29, 30",
    ),
    Rule(
        "tcp_unreachable", met("tcp", "unreachable"), mechanism="tcp.unreachable",
        comment="Two controls connect where a router tells us that there is no way.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "tcp_reset", met("tcp", "reset"), mechanism="tcp.reset",
        comment="A connection is reset on which we said nothing, and stands for two controls.",
        source="vocabulary of mechanisms; Tor relays in Belarus 2016",
    ),
    Rule(
        "tls_silence_on_name", met("tls", "silence") | named("tls", "silence"),
        mechanism="tls.silence",
        comment="No answer to our ClientHello where two controls complete a handshake.",
        source="OONI QA 36, 37",
    ),
    Rule(
        "tls_reset_on_name", met("tls", "reset") | named("tls", "reset"),
        mechanism="tls.reset",
        comment="Our ClientHello is answered with a reset where two controls complete a handshake.",
        source="OONI QA 31, 32, 46, 47; Belarus since 2020 (F15)",
    ),
    Rule(
        "tls_closed_on_name", met("tls", "closed") | named("tls", "closed"),
        mechanism="tls.closed",
        comment="Our ClientHello is answered with an end of file, or with what is no TLS, where"
        " two controls complete a handshake.",
        source="OONI QA 34, 35",
    ),
    Rule(
        "tls_alert_on_name", met("tls", "alert") | named("tls", "alert"),
        mechanism="tls.alert",
        comment="Our ClientHello is answered with an alert where two controls complete one.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "tls_forged", (_.tls_forged >= 2) | (_.fingerprint_certificate != ""),
        mechanism="tls.forged",
        comment="A bad certificate that no control was shown, where two get a good one; or"
        " one known to be forged.",
        source="case E8; F07",
    ),
    Rule(
        "quic_silence", met("quic", "silence"), mechanism="quic.silence",
        comment="No answer to our QUIC Initials where two controls complete a handshake.",
        source="SNI-based QUIC censorship of the GFW (USENIX Security 2025); networks that drop"
        " UDP to port 443",
    ),
    Rule(
        "quic_closed", met("quic", "closed") | met("quic", "refused"), mechanism="quic.closed",
        comment="Our QUIC Initial is answered with a CONNECTION_CLOSE, a refusal or other"
        " versions where two controls complete a handshake.",
        source="vocabulary of outcomes and mechanisms; RFC 9000, 21.2 for who can do it",
    ),
    Rule(
        "http_silence", met("http", "silence") | named("http", "silence"),
        mechanism="http.silence",
        comment="No answer to our request where two controls get one.",
        source="OONI QA 36",
    ),
    Rule(
        "http_reset", met("http", "reset") | named("http", "reset"),
        mechanism="http.reset",
        comment="Our request is answered with a reset where two controls get a page.",
        source="OONI QA 18, 31",
    ),
    Rule(
        "http_closed", met("http", "closed") | named("http", "closed"),
        mechanism="http.closed",
        comment="Our request is answered with an end of file where two controls get a page.",
        source="OONI QA 34",
    ),
    Rule(
        "http_redirect",
        (_.fingerprint_redirect != "") | (_.http_redirect >= 2)
        | ((_.http_redirect >= 1) & _.http_redirect_twin),
        mechanism="http.redirect",
        comment="In the clear, sent to a known block page; or to another site where no control"
        " was sent, nor our own request over TLS, and the page there is another one.",
        source="case E3, E3b, E3c; F01, F05, F09, F11",
    ),
    Rule(
        "http_blockpage",
        ((_.fingerprint_page != "") & (_.fingerprint_redirect == "")) | (_.http_blockpage >= 2)
        | ((_.http_blockpage >= 1) & _.http_blockpage_twin),
        mechanism="http.blockpage",
        comment="A known block page; or in the clear another page than the controls agree on,"
        " by bytes, words, title and the site's own headers.",
        source="OONI QA 19, 20; case E1, E7; F02, F03, F04, F06, F10, F16",
    ),
    Rule(
        "http_altered", _.http_altered, mechanism="http.altered",
        comment="In the clear, a page like that of the controls with parts changed, although"
        " they all got the same bytes.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "throttled", THROTTLED, mechanism="throttled",
        comment="The page is slow with its name in the clear and not without; or slow from its"
        " address, where a control gets it fast and we get a control's bytes fast.",
        source="rung speed; OONI QA 44, 45; Xue et al., IMC 2021; H19",
    ),
)
