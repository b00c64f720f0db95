"""Rules for what was measured with one control by design, as OONI's probes do.

`analysis.observe.lone` says what such a control is worth. Silence, a refusal, and what
happens behind a redirect that it followed by itself are met here alone; a dead site it
would have met as well. The record of these rules is nobody's yet, so that no more than
0.8 is ever said of them (`analysis.probability`).
"""

from __future__ import annotations

from ibis import _  # type: ignore[import-untyped]  # Ibis ships no types

from analysis.rule import Rule
from analysis.rules.conditions import REACHED, STRONG, WEAK

_DENIED = (
    _.lone_page & (_.path_end == "dns") & ~_.dns_exists_nowhere & ~_.resolver_filters
    & ((_.dns_controls >= 1) | (_.path_depth >= 1))
)
_BARE = REACHED & ~_.path_certified & (_.http_blockpage >= 1) & _.page_bare
_HOWS = (
    ("tcp", ("silence", "refused", "unreachable", "reset")),
    ("tls", ("silence", "reset", "closed", "alert")),
    ("http", ("silence", "reset", "closed")),
)

LONE_MECHANISMS: tuple[Rule, ...] = (
    *(
        Rule(
            f"lone_{layer}_{how}", _.lone_contrasts.contains(f"{layer}.{how}"),
            mechanism=f"{layer}.{how}",
            comment="Met here, and not by the only control, which got the page: at the same"
            " address and port, or behind a redirect that it followed by itself.",
            source="OONI QA 29-37, 42; OONI ts-017 for what its helper does",
        )
        for layer, hows in _HOWS
        for how in hows
    ),
    *(
        Rule(
            f"lone_dns_{kind}", _DENIED & (_.dns_own == kind), mechanism=f"dns.{kind}",
            comment="Own resolvers have no address for the name, of the URL or of where it"
            " redirects to, and the only control came to the page by the same start.",
            source="OONI QA 33",
        )
        for kind in ("nxdomain", "refused", "empty", "bogon")
    ),
    Rule(
        "dns_diverted", _.dns_diverted > 0, mechanism="dns.injected",
        comment="In the clear, a public resolver that knows nothing of our network answers with"
        " an address in it, where controls and encrypted resolvers are told of other networks.",
        source="OONI QA 14, 15, 20, 47; RFC 7871",
    ),
    Rule(
        "dns_ghost_public", _.dns_ghost_public, mechanism="dns.injected",
        comment="In the clear, a public resolver gives an address for a name that exists nowhere,"
        " as a control and an encrypted resolver say.",
        source="OONI QA 16, 17",
    ),
    Rule(
        "http_blockpage_bare", _BARE, mechanism="http.blockpage",
        comment="In the clear, another page than the control's, with no header at all: as one"
        " that is written into a connection, not served.",
        source="OONI QA 19, 20",
    ),
)

LONE_OUTCOMES: tuple[Rule, ...] = (
    Rule(
        "redirect_into_private", _.redirect_private, outcome="local_fault",
        comment="In the clear, sent to a private address: the portal or filter of a household, a"
        " hotel, an employer.",
        source="RFC 1918; Check Point's UserCheck",
    ),
    Rule(
        "page_cut_short", _.lone_control & _.path_cut, outcome="inconclusive",
        comment="The head of the page came and its end did not in time: a line that is slow, or"
        " one that is slowed. One document does not tell which.",
        source="OONI QA 44, 45",
    ),
    Rule(
        "ghost_answer_in_the_clear", _.dns_ghost_public, outcome="blocked",
        comment="The name exists nowhere, yet in the clear even a public resolver has an address"
        " for it: somebody answers in its place.",
        source="OONI QA 16, 17",
    ),
    Rule(
        "page_without_head", _BARE, outcome="blocked",
        comment="In the clear, another page than the control's, with no header at all.",
        source="OONI QA 19, 20",
    ),
    Rule(
        "cut_off_here_alone",
        _.lone_contradicts & _.path_how.isin(STRONG), outcome="blocked",
        comment="Reset, closed or alerted here and not for the only control, which came to the"
        " page by the same start.",
        source="OONI QA 31, 32, 34, 35",
    ),
    Rule(
        "silent_here_alone",
        _.lone_contradicts & _.path_how.isin(WEAK), outcome="blocked",
        comment="Silent, refused or unreachable here, while the only control, asked over the same"
        " line at that moment, got to the page: the site is up and the line as well.",
        source="OONI QA 29, 30, 36, 37, 42",
    ),
    Rule(
        "denied_here_alone", _DENIED & _.dns_own.isin(["nxdomain", "refused", "empty", "bogon"]),
        outcome="blocked",
        comment="Own resolvers have no address for the name, of the URL or of where it redirects"
        " to, and the only control came to the page by the same start. A resolver in trouble fails;"
        " it does not deny.",
        source="OONI QA 33",
    ),
)
