"""What a measurement means: the first rule that fires decides."""

from __future__ import annotations

from ibis import _  # type: ignore[import-untyped]  # Ibis ships no types

from analysis.rule import Rule
from analysis.rules.conditions import (
    DNS_FINE,
    FOLLOWED,
    LIED,
    LIES,
    MOODY,
    NAMED,
    NAMED_EACH_TIME,
    REACHED,
    REPLACED,
    SEEPS,
    STRONG,
    THROTTLED,
    UNINJECTED,
    VOUCHED,
    WEAK,
)
from analysis.rules.lone import LONE_OUTCOMES

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
        "lie_of_filtering_resolver",
        _.lone_control & LIED & UNINJECTED & _.resolver_filters, outcome="inconclusive",
        comment="The resolver is a public one that filters for who chooses it, and nothing tells"
        " its own word from one that is put in its mouth on the way.",
        source="documentation of Quad9, OpenDNS, AdGuard, NextDNS, CleanBrowsing",
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
        (_.path_end == "certificate") & (_.path_how == "forged") & (_.path_contradicted >= 2),
        outcome="blocked",
        comment="A bad certificate here that no control was shown, and two were shown a good one.",
        source="case E8",
    ),
    Rule(
        "cut_off_here",
        _.path_end.isin(["tcp", "tls", "http"]) & _.path_how.isin(STRONG)
        & (_.path_contradicted >= 2),
        outcome="blocked",
        comment="Reset, closed or alerted here and not for two controls, at the site's own"
        " address.",
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
    *LONE_OUTCOMES,
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
        "no_control", (_.controls == 0) & (_.service == ""), outcome="inconclusive",
        comment="No control answered, and what we saw does not speak for itself.",
        source="case E9; OONI QA 7",
    ),
    Rule(
        "too_little_evidence", _.measured, outcome="inconclusive",
        comment="Nothing above is shown.",
        source="vocabulary of outcomes and mechanisms",
    ),
)
