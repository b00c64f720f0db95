"""The rules, as data: what an observation means.

Each rule is an Ibis expression over the columns of one row (`Observation`), so that one
definition runs embedded on DuckDB and on any engine that Ibis knows. Three kinds:

- a *mechanism* rule names one way of interfering; all that fire are collected;
- an *outcome* rule decides; they are ordered, and the first that fires wins;
- a *trigger* rule says what the interference minds; the first that fires wins.

A rule's id is stored with every verdict: a new meaning gets a new id.

How much it takes. Silence, a refusal or an unreachable network are also what a dead
site shows: two controls must contradict them. A page or redirect that differs could
be a whim of one control's network: two, or one control and our own page over a valid
certificate. A reset or an alert to a name, a forged certificate, a forged answer or a
known block page are nothing that a site does: one is enough.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from ibis import _  # type: ignore[import-untyped]  # Ibis ships no types
from ibis.common.deferred import Deferred  # type: ignore[import-untyped]

from analysis import signers
from analysis.fingerprints import source_text
from analysis.observations import DERIVATION

Outcome = Literal[
    "ok", "blocked", "down", "server_side", "local_fault", "inconclusive", "not_measured"
]

STRONG = ["reset", "closed", "alert"]
WEAK = ["silence", "refused", "unreachable"]
Trigger = Literal["name", "address", "port", "protocol", "any"]


@dataclass(frozen=True)
class Rule:
    """*when* it fires, it gives an *outcome* or names a *mechanism* or a *trigger*; *comment*
    says why."""

    id: str
    when: Deferred
    comment: str
    source: str
    outcome: Outcome | None = None
    mechanism: str | None = None
    trigger: Trigger | None = None


def _dns(kind: str) -> Deferred:
    """Own resolvers say *kind*, and enough others know better.

    Not where each such answer was an injected one: then that is the mechanism.
    """
    return (_.dns_own == kind) & DNS_SHOWN & ~_.dns_all_injected


# Two who resolve the name otherwise, of which one is a control; or a certificate.
DNS_SHOWN = ((_.dns_controls >= 1) & (_.dns_witnesses >= 2)) | _.dns_proof
DNS_FINE = _.dns_own.isin(["true", "none", "unclear", "other"])
# A silent resolver lies only if it speaks at other times.
DNS_SPEAKS = (_.dns_own != "silence") | _.resolver_alive
INJECTED = (_.dns_injected > 0) & ((_.dns_controls >= 1) | _.dns_proof)
LIES = ["lie", "bogon", "nxdomain", "refused", "servfail", "empty", "silence"]
LIED = ~DNS_FINE & DNS_SPEAKS & (DNS_SHOWN | INJECTED) & ~_.dns_exists_nowhere
# Nothing shows that somebody on the way has answered.
UNINJECTED = (_.dns_injected == 0) & (_.dns_intercepted == 0) & ~_.dns_ghost
REACHED = _.path_end == "page"
REPLACED = (_.path_end == "certificate") & (_.path_how == "replaced")
# The site's own page, as others know it: no dead line and no portal has it to give.
VOUCHED = REACHED & (
    _.page_match.isin(["same", "similar"]) | _.page_twin.isin(["same", "similar"])
)

# Slower than without its name, or than over a control, in nearly every pair: 7 of 7 or 8 of 8
# beyond the margin. A page takes four round trips or a few more: if a longer one explains it,
# it must be longer than a route by the wrong ocean makes it.
NOT_THE_SERVER = (_.speed_controls >= 2) & ~_.server_slow
SLOWED_BY_NAME = (
    (_.speed_name_p <= 0.01) & (_.speed_name_ratio >= 2) & (_.speed_seconds >= 0.5)
    & NOT_THE_SERVER
)
SLOWED_ON_THE_WAY = (
    (_.speed_p <= 0.01) & (_.speed_excess >= 0.8) & NOT_THE_SERVER & ~_.line_slow
    & ((_.speed_rtt_excess >= 0.25) | (_.speed_excess >= 10 * _.speed_rtt_excess))
)
THROTTLED = SLOWED_BY_NAME | SLOWED_ON_THE_WAY

# Looked at again, and it was what ends the user's path.
FOLLOWED = (_.followed == _.path_end) | ((_.followed == "dns") & ~DNS_FINE)
# The name meets its end at a place that has nothing to do with it, where others pass.
NAMED = (_.elsewhere == "same") & (_.harmless_elsewhere == "free")
NAMED_EACH_TIME = ~REACHED & FOLLOWED & NAMED & (_.again_same >= 3)
# A censor's reset to one name leaves others alone. Here those meet the same end, or who names
# nobody, and the name at times does not: a server's mood, whoever comes.
UNNAMED_MET = (
    _.harmless_here.isin(["mixed", "same"]) | _.no_name.isin(["mixed", "same"])
    | _.harmless_other_port.isin(["mixed", "same"])
)
MOODY = (_.again_passed >= 1) & UNNAMED_MET & ~NAMED
# What is dropped is dropped each time.
SEEPS = (_.again_passed >= 1) & ~NAMED
NOT_AGAIN = (_.again_tries >= 3) & (_.again_passed > 2 * _.again_same)


def _met(layer: str, how: str) -> Deferred:
    """As many controls as it takes pass where we met this; not where it passes at times."""
    least, spoiled = (2, SEEPS) if how in WEAK else (1, MOODY)
    found = _[f"{layer}_{how}"] >= least
    return found & ~((_.followed == layer) & (spoiled | NOT_AGAIN))


def _named(layer: str, how: str) -> Deferred:
    """The ladder shows it, and no control is needed for that."""
    return NAMED_EACH_TIME & (_.path_end == layer) & (_.path_how == how)


MECHANISMS: tuple[Rule, ...] = (
    Rule(
        "dns_nxdomain", _dns("nxdomain"), mechanism="dns.nxdomain",
        comment="Own resolvers deny a name that others resolve.",
        source="OONI QA 9, 11",
    ),
    Rule(
        "dns_refused", _dns("refused"), mechanism="dns.refused",
        comment="Own resolvers refuse a name that others resolve.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "dns_servfail", _dns("servfail"), mechanism="dns.servfail",
        comment="Own resolvers fail for a name that others resolve.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "dns_empty", _dns("empty"), mechanism="dns.empty",
        comment="Own resolvers give no address for a name that has some.",
        source="OONI QA 9",
    ),
    Rule(
        "dns_silence", _dns("silence") & _.resolver_alive, mechanism="dns.silence",
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
        _dns("lie")
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
        "tcp_silence", _met("tcp", "silence"), mechanism="tcp.silence",
        comment="Two controls connect where our SYN stays unanswered.",
        source="OONI QA 42",
    ),
    Rule(
        "tcp_refused", _met("tcp", "refused"), mechanism="tcp.refused",
        comment="Two controls connect where our SYN is reset.",
        source="OONI QA 29, 30",
    ),
    Rule(
        "tcp_unreachable", _met("tcp", "unreachable"), mechanism="tcp.unreachable",
        comment="Two controls connect where a router tells us that there is no way.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "tcp_reset", _met("tcp", "reset"), mechanism="tcp.reset",
        comment="The connection is reset although we said nothing on it.",
        source="vocabulary of mechanisms; Tor relays in Belarus 2016",
    ),
    Rule(
        "tls_silence_on_name", _met("tls", "silence") | _named("tls", "silence"),
        mechanism="tls.silence",
        comment="No answer to our ClientHello where two controls complete a handshake.",
        source="OONI QA 36, 37",
    ),
    Rule(
        "tls_reset_on_name", _met("tls", "reset") | _named("tls", "reset"),
        mechanism="tls.reset",
        comment="Our ClientHello is answered with a reset where a control completes a handshake.",
        source="OONI QA 31, 32, 46, 47; Belarus since 2020 (F15)",
    ),
    Rule(
        "tls_closed_on_name", _met("tls", "closed") | _named("tls", "closed"),
        mechanism="tls.closed",
        comment="Our ClientHello is answered with an end of file, or with what is no TLS.",
        source="OONI QA 34, 35",
    ),
    Rule(
        "tls_alert_on_name", _met("tls", "alert") | _named("tls", "alert"),
        mechanism="tls.alert",
        comment="Our ClientHello is answered with an alert where a control completes a handshake.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "tls_forged", (_.tls_forged >= 1) | (_.fingerprint_certificate != ""),
        mechanism="tls.forged",
        comment="A bad certificate that no control was shown, where controls get a good one; or"
        " one known to be forged.",
        source="case E8; F07",
    ),
    Rule(
        "quic_silence", _met("quic", "silence"), mechanism="quic.silence",
        comment="No answer to our QUIC Initials where two controls complete a handshake.",
        source="SNI-based QUIC censorship of the GFW (USENIX Security 2025); networks that drop"
        " UDP to port 443",
    ),
    Rule(
        "quic_closed", _met("quic", "closed") | _met("quic", "refused"), mechanism="quic.closed",
        comment="Our QUIC Initial is answered with a CONNECTION_CLOSE or with other versions where"
        " a control completes a handshake; or with a refusal, where two do.",
        source="vocabulary of outcomes and mechanisms; RFC 9000, 21.2 for who can do it",
    ),
    Rule(
        "http_silence", _met("http", "silence") | _named("http", "silence"),
        mechanism="http.silence",
        comment="No answer to our request where two controls get one.",
        source="OONI QA 36",
    ),
    Rule(
        "http_reset", _met("http", "reset") | _named("http", "reset"),
        mechanism="http.reset",
        comment="Our request is answered with a reset where a control gets a page.",
        source="OONI QA 18, 31",
    ),
    Rule(
        "http_closed", _met("http", "closed") | _named("http", "closed"),
        mechanism="http.closed",
        comment="Our request is answered with an end of file where a control gets a page.",
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

OUTCOMES: tuple[Rule, ...] = (
    Rule(
        "planned_without_network",
        ~_.measured & _.run_ended.isin(["captive_portal", "no_network", "wrong_clock", "vpn"]),
        outcome="local_fault",
        comment="The run ended for want of a network before this target's turn.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "planned_only", ~_.measured, outcome="not_measured",
        comment="On the list, and never measured.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "throttled_away", THROTTLED & REACHED & _.speed_cut, outcome="blocked",
        comment="So slow that the page does not come to its end, as it does for controls. One"
        " that comes late is reachable, and throttled.",
        source="OONI QA 44, 45",
    ),
    Rule(
        "page_over_certificate",
        REACHED & _.path_certified & (_.path_status < 400) & (_.fingerprint_platform == ""),
        outcome="ok",
        comment="The page came over a certificate valid for its name, by redirects that somebody"
        " vouches for. That needs no control, and no canary can contradict it.",
        source="OONI QA 8, 15, 41; case E3 for the redirects",
    ),
    Rule(
        "captive_portal", _.captive_portal & ~VOUCHED, outcome="local_fault",
        comment="A portal answers in the place of sites.",
        source="design 0001, principle 7",
    ),
    Rule(
        "line_lost", (_.home_lost | (_.domestic_lost & _.foreign_lost)) & ~VOUCHED,
        outcome="local_fault",
        comment="The router, or everything beyond it, was gone meanwhile.",
        source="design 0001, principle 7; case E10",
    ),
    Rule(
        "own_resolver_dead",
        _.resolver_dead & ~_.dns_own.isin(["true", "lie", "bogon"]), outcome="local_fault",
        comment="The own resolver failed for this name as it did for nearly every canary's.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "outer_ring_lost", _.foreign_lost & ~VOUCHED, outcome="inconclusive",
        comment="Nothing foreign was reachable meanwhile, while the inner rings were: a finding"
        " of its own (a shutdown), and none about this target.",
        source="design 0001, principle 7",
    ),
    Rule(
        "platform_challenge", REACHED & (_.fingerprint_platform != ""), outcome="server_side",
        comment="A challenge, refusal or notice of the site's own platform.",
        source="OONI QA 5; probe issue 2661; F17",
    ),
    Rule(
        "fingerprint_on_path", _.fingerprint_path != "", outcome="blocked",
        comment="The user's path leads to a known block page, forged address or certificate,"
        " which no control was shown.",
        source="regime fingerprints F01-F18",
    ),
    Rule(
        "certificate_of_a_program",
        REPLACED & ((_.path_signer == "program") | _.forger_near), outcome="local_fault",
        comment="The certificate is one that an antivirus or a filter of the user's own signs"
        " with; or somebody who signs for everybody answers from this machine or household.",
        source="de Carné de Carnavalet and Mannan, NDSS 2016; Durumeric et al., NDSS 2017",
    ),
    Rule(
        "certificate_replaced", REPLACED, outcome="inconclusive",
        comment="Somebody signs for everybody here, or a product that employers, schools and"
        " operators buy has signed: nothing tells which of them.",
        source="Durumeric et al., NDSS 2017; Raman et al., IMC 2020 for a state that did so",
    ),
    Rule(
        "ghost_answer", _.dns_ghost, outcome="blocked",
        comment="The name exists nowhere, yet the network answers for it: somebody injects.",
        source="OONI QA 16, 17",
    ),
    Rule(
        "server_refuses_us",
        REACHED & _.path_certified & (_.path_status >= 400) & (_.page_status_good >= 1)
        & (_.page_status_shared == 0),
        outcome="server_side",
        comment="An error status over a valid certificate, where controls get a page: the site"
        " refuses this country, network or client.",
        source="OONI QA 6",
    ),
    Rule(
        "server_broken",
        REACHED & (_.path_status >= 500) & (_.page_status_shared >= 1)
        & (_.page_status_good == 0),
        outcome="down",
        comment="The same server error for every control that got an answer.",
        source="vocabulary of outcomes and mechanisms",
    ),
    Rule(
        "error_page_over_certificate",
        REACHED & _.path_certified & (_.path_status >= 400), outcome="ok",
        comment="The site's own error page, the same for controls or with none to compare: the"
        " way to it is free.",
        source="OONI QA 8",
    ),
    Rule(
        "page_replaced", REACHED & _.page_replaced, outcome="blocked",
        comment="In the clear, other words under the title and the head of the page, which a"
        " control gets in the clear and we ourselves over TLS, the same to the byte.",
        source="mechanism http.altered",
    ),
    Rule(
        "same_page", REACHED & _.page_match.isin(["same", "similar"]), outcome="ok",
        comment="In the clear, the page that a control gets.",
        source="OONI QA 14, 40",
    ),
    Rule(
        "same_page_as_twin", REACHED & _.page_twin.isin(["same", "similar"]),
        outcome="ok",
        comment="In the clear, the page that we ourselves get over a valid certificate, whatever"
        " the controls get: they may be shut out.",
        source="case E4, E5",
    ),
    Rule(
        "controls_refused",
        REACHED & _.page_origin & (_.path_status < 400) & DNS_FINE, outcome="ok",
        comment="In the clear, a page with the header of the site's own that it also sends to"
        " the controls which it refuses.",
        source="case E5",
    ),
    Rule(
        "controls_shut_out",
        REACHED & ~_.path_certified & _.path_genuine & (_.path_status < 400)
        & (_.controls >= 1) & (_.page_compared == 0) & _.page_own & DNS_FINE,
        outcome="ok",
        comment="In the clear, a page with a title and words of its own, from the address that"
        " controls know, while they are shut out or refused. A block page is short, or shown for"
        " several sites.",
        source="case E4; case E5",
    ),
    Rule(
        "not_repeated",
        ~REACHED & FOLLOWED & (_.again_tries >= 3) & (_.again_passed > 2 * _.again_same),
        outcome="inconclusive",
        comment="It failed, and did not when it was tried again: lines lose packets.",
        source="design 0003, decision 2",
    ),
    Rule(
        "fails_at_times",
        ~REACHED & FOLLOWED
        & ((_.path_how.isin([*WEAK, "servfail"]) & SEEPS) | (_.path_how.isin(STRONG) & MOODY)),
        outcome="inconclusive",
        comment="What is dropped is dropped each time, and who resets a name lets others pass. A"
        " site that is too busy, a bad line and a resolver in trouble let some through, whatever"
        " is said; only the name met elsewhere tells these from a censor that misses some.",
        source="bench/calibration.py: worlds site_drops_what_is_too_much,"
        " site_resets_what_is_too_much",
    ),
    Rule(
        "forger_between",
        _.forger & ~((_.path_shared >= 1) & (_.path_elsewhere == 0)), outcome="inconclusive",
        comment="Who opens every encrypted connection may also cut it or answer in a site's"
        " place, and so may a censor behind: nothing tells which of them.",
        source="O'Neill et al., IMC 2016",
    ),
    Rule(
        "interference_at_home",
        (_.hop_high == 1) & _.home_router & ((_.followed != "dns") | (_.bare_dns == "same")),
        outcome="local_fault",
        comment="It happens before the second hop, and the first router has a private address: a"
        " filter of the household, a school or an employer. The resolver at home is at that hop"
        " itself, whoever's lie it tells; one that answers what is sent elsewhere is a filter.",
        source="design 0001, canaries and local faults",
    ),
    Rule(
        "name_refused_anywhere",
        NAMED_EACH_TIME, outcome="blocked",
        comment="Each time the name is spoken, and also at a place that has nothing to do with"
        " it, where a harmless name passes. That needs no control.",
        source="case E9; Quack (USENIX Security 2018) for the neutral place",
    ),
    Rule(
        "lie_at_home",
        LIED & UNINJECTED & _.dns_at_home.isin(LIES) & (_.dns_in_network == "true"),
        outcome="local_fault",
        comment="The resolver at home (the router's, a filter's, an advertisement blocker's) lies,"
        " and the one behind it in the network tells the truth.",
        source="design 0001, canaries and local faults",
    ),
    Rule(
        "lie_of_chosen_resolver",
        LIED & UNINJECTED & _.resolver_foreign, outcome="local_fault",
        comment="The resolver is somebody's in another country, chosen by the user or for him, and"
        " nothing shows that the way to it is tampered with: no second answer, and other"
        " resolvers abroad tell the truth in the clear.",
        source="design 0001, canaries and local faults",
    ),
    Rule(
        "lie_behind_home",
        LIED & UNINJECTED & _.dns_at_home.isin(LIES) & ~_.dns_in_network.isin(LIES),
        outcome="inconclusive",
        comment="The resolver at home lies, and who is behind it cannot be asked: the lie may be"
        " the household's own or the operator's.",
        source="design 0001, canaries and local faults",
    ),
    Rule(
        "lying_answer",
        LIED, outcome="blocked",
        comment="Own resolvers deny the name or lead elsewhere, and enough others know better.",
        source="OONI QA 4, 9-13, 33, 43; case E2",
    ),
    Rule(
        "redirect_unseen",
        ((_.redirect_unseen >= 2) | ((_.redirect_unseen >= 1) & _.page_twin_backs))
        & ~_.page_richer,
        outcome="blocked",
        comment="In the clear, sent to a site where nobody else is sent, to another page.",
        source="case E3",
    ),
    Rule(
        "page_of_somebody_else",
        REACHED & ~_.path_certified & (_.page_match == "differs")
        & ((_.http_blockpage >= 2) | ((_.http_blockpage >= 1) & _.http_blockpage_twin)),
        outcome="blocked",
        comment="In the clear, another page than the one that the controls agree on.",
        source="OONI QA 19, 20; case E1, E7",
    ),
    Rule(
        "hello_disliked",
        (_.path_end == "tls") & _.hello_unlike & ~NAMED & (_.harmless_here != "free"),
        outcome="inconclusive",
        comment="No control said hello as we did, and here a harmless name fares no better: the"
        " server may dislike the program.",
        source="servers that tell browsers by their hello; docs/hello.md",
    ),
    Rule(
        "certificate_forged",
        (_.path_end == "certificate") & (_.path_how == "forged") & (_.path_contradicted >= 1),
        outcome="blocked",
        comment="A bad certificate here that no control was shown.",
        source="case E8",
    ),
    Rule(
        "cut_off_here",
        _.path_end.isin(["tcp", "tls", "http"]) & _.path_how.isin(STRONG)
        & (_.path_contradicted >= 1),
        outcome="blocked",
        comment="Reset, closed or alerted here and not for a control, at the site's own address.",
        source="OONI QA 18, 31, 32, 34, 35, 46",
    ),
    Rule(
        "silent_here",
        _.path_end.isin(["tcp", "tls", "http"]) & _.path_how.isin(WEAK)
        & (_.path_contradicted >= 2),
        outcome="blocked",
        comment="Silent, refused or unreachable here and not for two controls, at the site's own"
        " address.",
        source="OONI QA 29, 30, 36, 37, 42",
    ),
    Rule(
        "trust_store_outdated",
        (_.path_end == "certificate") & (_.path_how == "outdated"), outcome="local_fault",
        comment="A control finds this very certificate good: our authorities or our clock are"
        " out of date.",
        source="design 0001, certificates",
    ),
    Rule(
        "redirect_broken_for_us",
        (_.path_end == "redirect") & (_.path_how == "broken") & (_.path_elsewhere >= 1),
        outcome="server_side",
        comment="The server sends us, and not the controls, to what is no address.",
        source="OONI QA 27, 28",
    ),
    Rule(
        "redirect_endless",
        (_.path_end == "redirect") & _.path_how.isin(["loop", "many", "broken"])
        & (_.path_shared >= 1) & (_.path_elsewhere == 0),
        outcome="down",
        comment="Redirects that lead nowhere, for the controls as well.",
        source="OONI QA 38, 39",
    ),
    Rule(
        "name_exists_nowhere", _.dns_exists_nowhere & (_.dns_injected == 0), outcome="down",
        comment="No control and no encrypted resolver resolves it. An address from our own"
        " resolver, if any, is the wildcard of a provider.",
        source="OONI QA 25, 26, 48, 49",
    ),
    Rule(
        "fails_everywhere",
        _.path_end.isin(["dns", "tcp", "tls", "certificate", "http"]) & (_.path_shared >= 1)
        & (_.path_elsewhere == 0),
        outcome="down",
        comment="No control gets further either.",
        source="OONI QA 1-3, 50",
    ),
    Rule(
        "controls_disagree",
        ((_.path_shared >= 1) & (_.path_elsewhere >= 1)) | ~_.page_controls_agree,
        outcome="inconclusive",
        comment="It fails for one control and works for another, or each gets another page.",
        source="design 0001, principle 4",
    ),
    Rule(
        "one_control_only",
        (_.controls == 1) & (_.path_elsewhere + _.page_differing + _.redirect_unseen >= 1),
        outcome="inconclusive",
        comment="Only one control contradicts what we saw, and this needs two.",
        source="design 0001, principle 4",
    ),
    Rule(
        "no_control", _.controls == 0, outcome="inconclusive",
        comment="No control answered, and what we saw does not speak for itself.",
        source="case E9; OONI QA 7",
    ),
    Rule(
        "too_little_evidence", _.measured, outcome="inconclusive",
        comment="Nothing above is shown.",
        source="vocabulary of outcomes and mechanisms",
    ),
)

TRIGGERS: tuple[Rule, ...] = (
    Rule(
        "trigger_quic_itself",
        ((_.followed == "quic") | ((_.followed == "") & REACHED)) & _met("quic", "silence")
        & (_.quic_elsewhere == "lost") & (_.harmless_here != "free"),
        trigger="protocol",
        comment="QUIC to no site gets through from here, and does for controls to several.",
        source="networks that drop UDP to port 443",
    ),
    Rule(
        "trigger_any_name_elsewhere",
        (_.harmless_elsewhere == "same") & (_.harmless_here == "same") & (_.followed != "quic"),
        trigger="protocol",
        comment="A harmless name at a place that has nothing to do with the target meets the"
        " same end: it is not about the target.",
        source="SNI-agnostic TLS filtering of August 2020",
    ),
    Rule(
        "trigger_hello",
        (_.harmless_here == "same") & (_.other_hello == "free"), trigger="protocol",
        comment="Any name meets the same end, and the same name in another program's hello does"
        " not.",
        source="rung other_hello",
    ),
    Rule(
        "trigger_query_name",
        (_.followed == "dns") & ((_.harmless_here == "free") | (_.bare_dns == "same")),
        trigger="name",
        comment="The resolver, or whoever answers for it, is truthful about other names.",
        source="rung harmless_dns, bare_dns",
    ),
    Rule(
        "trigger_name_anywhere", NAMED, trigger="name",
        comment="The name meets its end where the accused address plays no part.",
        source="rung elsewhere; Quack (USENIX Security 2018)",
    ),
    Rule(
        "trigger_name_here", (_.harmless_here == "free") & (_.again_same >= 2), trigger="name",
        comment="A harmless name passes at the same address and port.",
        source="rung harmless; OONI's sni_blocking",
    ),
    Rule(
        "trigger_port",
        (_.followed == "tcp") & _.other_port.isin(["free", "mixed"]), trigger="port",
        comment="Other ports of the address answer.",
        source="rung other_port",
    ),
    Rule(
        "trigger_address",
        (_.followed == "tcp") & (_.other_port == "same"), trigger="address",
        comment="No port of the address answers, which do for controls.",
        source="rung other_port",
    ),
    Rule(
        "trigger_port_of_address",
        (_.harmless_here == "same") & (_.harmless_other_port == "free"), trigger="port",
        comment="Whatever is said on this port of the address meets the same end, and on another"
        " port it does not.",
        source="rung harmless, name_on_other_port",
    ),
    Rule(
        "trigger_address_whatever_said",
        (_.harmless_here == "same") & (_.elsewhere == "free"), trigger="address",
        comment="Whatever is said at the address meets the same end, and elsewhere it does not.",
        source="rung harmless, elsewhere",
    ),
    Rule(
        "trigger_slow_name", SLOWED_BY_NAME, trigger="name",
        comment="The same page from the same address is fast without its name in the clear.",
        source="rung speed; Xue et al., IMC 2021",
    ),
    Rule(
        "trigger_slow_address", SLOWED_ON_THE_WAY & (_.speed_unnamed == "slow"),
        trigger="address", comment="Whatever is said there, what comes from the address is slow.",
        source="rung speed; H19",
    ),
)

RULES: tuple[Rule, ...] = MECHANISMS + OUTCOMES + TRIGGERS


def _version() -> str:
    """Changes with any rule, any fingerprint, or the derivation of the fields."""
    content = "\n".join(f"{r.id}|{r.when!r}|{r.outcome}|{r.mechanism}|{r.trigger}" for r in RULES)
    said = f"{content}\n{source_text()}\n{signers.source_text()}\n{DERIVATION}"
    digest = hashlib.sha256(said.encode())
    return f"{DERIVATION}-{digest.hexdigest()[:10]}"


RULES_VERSION = _version()
