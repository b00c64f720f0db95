"""The rules for services that are no sites: what a row of `service_rows` means.

The same form as `analysis.rules`, and asked beside them: no condition here holds on a
site's row. A nettest of ours has controls, which try the same endpoint at that time: what fails
there as well is down; whatever happens here needs two controls that get through, and must
have come twice. There is no control in OONI's documents. So there silence, a refusal
or an unreachable network accuse nobody, unless what is silent is run by people independent
of each other, all of it is gone at once and the line is alive. A reset, an end of file or an
alert are an answer, which no dead host gives: at every address of a part, in several
networks, beside a line that is alive, somebody on the way gives it. What one endpoint's
failure means, the others' measurements of it at that time say: `analysis.service_witnesses`.
"""

from __future__ import annotations

from ibis import _  # type: ignore[import-untyped]  # Ibis ships no types
from ibis.common.deferred import Deferred  # type: ignore[import-untyped]

from analysis.rule import Rule
from analysis.services import UNJUDGED

FEWEST = 3  # endpoints of one part, of one operator's
FEWEST_INDEPENDENT = 5  # endpoints of one part, of as many operators in as many networks
NEARLY_ALL = 0.8  # of the endpoints of a part that is gone, fail alike

SERVICE = (_.service != "") & _.measured
WORKS = _.service_end == "works"
ENDPOINT = SERVICE & ~_.service_whole & ~WORKS
WHOLE_LOST = SERVICE & _.service_whole & _.service_lost
NETWORKED = ~_.service_end.isin(["bootstrap", "echo", "certificate"])
ANSWERED = _.service_how.isin(["reset", "closed", "alert"])
# Something outside the part answers: the line carries.
ALIVE = _.service_alive >= 1
PART_LOST = (_.service_working == 0) & (_.service_endpoints >= 1) & NETWORKED
ALIKE = _.service_alike >= NEARLY_ALL * _.service_endpoints

# With controls: what they saw of the same endpoint, and that it failed here more than once.
ASKED = ENDPOINT & (_.service_controls >= 1)
ONLY_HERE = ASKED & (_.service_controls_working == _.service_controls)
EVERYWHERE = ASKED & (_.service_controls_working == 0)
AGAIN = _.service_tries >= 2
SURELY_HERE = ONLY_HERE & (_.service_controls >= 2) & AGAIN
PROVEN = (_.service_proof != "") & ~WORKS
LOST_TO_ANSWERS = (
    PART_LOST & ANSWERED & ALIKE & ALIVE
    & (_.service_endpoints >= FEWEST) & (_.service_networks >= 2)
)
LOST_TO_ALL = (
    PART_LOST & ALIKE & ALIVE & _.service_independent
    & (_.service_endpoints >= FEWEST_INDEPENDENT) & (_.service_networks >= FEWEST_INDEPENDENT)
    & (_.service_end != "dns")
)
ACCUSED = PROVEN | LOST_TO_ANSWERS | LOST_TO_ALL
# What fails names how, also where that decides nothing: others may know better. The whole does
# where it is lost, or a part of it is accused.
NAMED = ENDPOINT | (SERVICE & _.service_whole & (_.service_lost | ACCUSED))


def _met(end: str | list[str], how: str | list[str]) -> Deferred:
    ends, hows = [end] if isinstance(end, str) else end, [how] if isinstance(how, str) else how
    return NAMED & _.service_end.isin(ends) & _.service_how.isin(hows)


# A transport's own handshake does for it what TLS does for others; what is asked inside is
# hidden by it.
_SECURE = ["tls", "link", "answer"]
_SEEN = "A service's endpoint or part: "

SERVICE_MECHANISMS: tuple[Rule, ...] = (
    *(
        Rule(
            f"service_dns_{how}", _met("dns", how), mechanism=f"dns.{how}",
            comment=f"{_SEEN}own resolvers answer so for its name.",
            source="OONI ts-018, ts-019, ts-029",
        )
        for how in ("nxdomain", "refused", "servfail", "empty", "silence", "bogon", "substituted")
    ),
    *(
        Rule(
            f"service_tcp_{how}", _met("tcp", how), mechanism=f"tcp.{how}",
            comment=f"{_SEEN}connecting ends so.",
            source="OONI ts-018, ts-020, ts-023; Tor relays in Belarus 2016 and 2020",
        )
        for how in ("silence", "refused", "reset", "unreachable")
    ),
    *(
        Rule(
            f"service_tls_{how}", _met(_SECURE, how), mechanism=f"tls.{how}",
            comment=f"{_SEEN}the handshake ends so: TLS, or a transport's own.",
            source="OONI ts-020, ts-023, ts-029",
        )
        for how in ("silence", "reset", "closed", "alert")
    ),
    *(
        Rule(
            f"service_quic_{how}", _met("quic", how), mechanism=f"quic.{how}",
            comment=f"{_SEEN}the handshake of QUIC ends so.", source="RFC 9250",
        )
        for how in ("silence", "closed")
    ),
    Rule(
        "service_tls_forged", _met("certificate", "forged"), mechanism="tls.forged",
        comment=f"{_SEEN}a certificate that is not the service's, while others' are good.",
        source="OONI ts-029; case E8",
    ),
    Rule(
        "service_tls_somebody_else",
        ONLY_HERE & (_.service_end == "certificate") & (_.service_how == "bad"),
        mechanism="tls.forged",
        comment="Who answers here cannot prove to be the endpoint, and does so to every control.",
        source="tor-spec, negotiating and initializing channels",
    ),
    *(
        Rule(
            f"service_http_{how}", _met("http", how), mechanism=f"http.{how}",
            comment=f"{_SEEN}the request ends so.", source="OONI ts-020",
        )
        for how in ("silence", "reset", "closed", "redirect", "blockpage")
    ),
    Rule(
        "echo_altered",
        SERVICE & ~EVERYWHERE & (_.service_end == "echo") & (_.service_how == "altered"),
        mechanism="http.altered",
        comment="What a server says has reached it is ours, and not as we sent it: somebody on"
        " the way reads and rewrites requests.",
        source="OONI ts-006, ts-007; Reis et al., NSDI 2008",
    ),
)  # fmt: skip

SERVICE_OUTCOMES: tuple[Rule, ...] = (
    Rule(
        "nettest_unjudged", SERVICE & (_.service == UNJUDGED), outcome="not_measured",
        comment="The evidence of this nettest is kept, and there is no rule for what it asks.",
        source="docs/services.md",
    ),
    Rule(
        "service_works", SERVICE & ~_.service_whole & WORKS, outcome="ok",
        comment="The endpoint answered as it should, over a certificate that is good where it"
        " has one.",
        source="OONI ts-018, ts-019, ts-020, ts-023, ts-029",
    ),
    Rule(
        "service_instrument_fault",
        SERVICE & (_.service_end == "certificate") & (_.service_how == "outdated"),
        outcome="local_fault",
        comment="The certificate is of the service's own authority, which this version of the"
        " nettest does not know yet: its fault, and in every country at once.",
        source="OONI's signal nettest before 0.2.2, from October 2022 on",
    ),
    Rule(
        "service_behind_portal", SERVICE & _.captive_portal & ~WORKS, outcome="local_fault",
        comment="A portal answers in the place of services.",
        source="design 0001, principle 7",
    ),
    Rule(
        "service_line_lost",
        SERVICE & (_.home_lost | (_.domestic_lost & _.foreign_lost)) & ~WORKS,
        outcome="local_fault",
        comment="The router, or everything beyond it, was gone meanwhile.",
        source="design 0001, principle 7",
    ),
    Rule(
        "service_outer_ring_lost", SERVICE & _.foreign_lost & ~WORKS, outcome="inconclusive",
        comment="Nothing foreign was reachable meanwhile: a finding of its own, and none about"
        " this service.",
        source="design 0001, principle 7",
    ),
    Rule(
        "service_resolver_dead",
        SERVICE & _.resolver_dead & (_.service_end == "dns") & (_.service_how != "bogon"),
        outcome="local_fault",
        comment="The own resolver failed for this name as it did for nearly every canary's.",
        source="design 0001, principle 7",
    ),
    Rule(
        "service_certificate_replaced",
        SERVICE & (_.service_end == "certificate") & (_.service_how == "replaced"),
        outcome="inconclusive",
        comment="A program of the user's own, or a product that employers and operators buy, has"
        " signed: nothing tells which of them.",
        source="de Carné de Carnavalet and Mannan, NDSS 2016; Durumeric et al., NDSS 2017",
    ),
    Rule(
        "echo_rewritten",
        SERVICE & ~EVERYWHERE & (_.service_end == "echo") & (_.service_how == "altered"),
        outcome="ok",
        comment="Requests are rewritten on the way and come through: a middlebox is there, which"
        " is no block.",
        source="OONI ts-006, ts-007",
    ),
    Rule(
        "echo_of_somebody_else",
        SERVICE & (_.service_end == "echo") & (_.service_how == "other"), outcome="inconclusive",
        comment="Something came back that has nothing of ours: from a proxy on the way, or from"
        " whoever has the helper's address now.",
        source="OONI ts-006, ts-007",
    ),
    Rule(
        "echo_unanswered",
        SERVICE & (_.service_end == "echo") & ~_.service_how.isin(["altered", "other"]),
        outcome="inconclusive",
        comment="Nothing came back: an answer that is missing is not one that was altered.",
        source="OONI ts-006 calls it tampering; its own measurements of 2019 from AS45595",
    ),
    Rule(
        "service_down", EVERYWHERE, outcome="down",
        comment="It fails from every control that tried it as well, at the same time.",
        source="OONI ts-023 has no control: a dead relay looks blocked",
    ),
    Rule(
        "service_controls_disagree",
        ASKED & (_.service_controls_working >= 1)
        & (_.service_controls_working < _.service_controls),
        outcome="inconclusive",
        comment="It works from some controls and fails from others: it comes and goes, or is"
        " choosy about who asks.",
        source="design.md, decision 8",
    ),
    Rule(
        "service_somebody_else",
        SURELY_HERE & (_.service_end == "certificate"), outcome="blocked",
        comment="Whoever answers here cannot prove to be the endpoint, and it does so to every"
        " control, two at least: somebody has taken its place, twice.",
        source="tor-spec, negotiating and initializing channels; OONI ts-028",
    ),
    Rule(
        "resolver_answers_otherwise",
        ONLY_HERE & AGAIN & (_.service_end == "answer") & (_.service_how == "untrue"),
        outcome="server_side",
        comment="Who proved to be the resolver answers here, and not to the controls, what is not"
        " so: nobody on the way can change what it says.",
        source="RFC 7858, RFC 8484; OONI ts-028",
    ),
    Rule(
        "service_ended_here", SURELY_HERE & ANSWERED, outcome="blocked",
        comment="Reset, closed or alerted here, each time, and at that time it works from"
        " two or more places elsewhere: no dead host answers.",
        source="Tor relays in Belarus 2016 (F14)",
    ),
    Rule(
        "service_silent_here",
        SURELY_HERE
        & _.service_end.isin(["dns", "tcp", "tls", "link", "http", "quic", "answer"]),
        outcome="blocked",
        comment="It does not work here, each time, and at that time it works from two or more"
        " places elsewhere.",
        source="Ensafi et al., PETS 2015; E17",
    ),
    Rule(
        "service_fails_once", ONLY_HERE, outcome="inconclusive",
        comment="It fails here and works elsewhere; once only, or one control only has seen it.",
        source="design.md, decision 8",
    ),
    Rule(
        "service_proven", (ENDPOINT | WHOLE_LOST) & PROVEN, outcome="blocked",
        comment="The network's own resolver gives an address that no site can have, or the"
        " certificate or the page is another's, which no dead host and no server shows.",
        source="OONI ts-018, ts-019, ts-029; regime fingerprints F01-F18",
    ),
    Rule(
        "service_cut_off", (ENDPOINT | WHOLE_LOST) & LOST_TO_ANSWERS & ~WORKS, outcome="blocked",
        comment="Every endpoint of the part, in several networks, is reset, closed or alerted,"
        " and the line carries: a dead host does not answer.",
        source="Tor relays in Belarus 2016 (F14); OONI ts-020",
    ),
    Rule(
        "relays_all_gone", (ENDPOINT | WHOLE_LOST) & LOST_TO_ALL & ~WORKS, outcome="blocked",
        comment="Relays of people who have nothing to do with each other, in as many networks,"
        " all fail alike at one time, and the line carries: no outage does that.",
        source="OONI ts-023; Dunna et al., FOCI 2018, for dead relays",
    ),
    Rule(
        "service_reached", SERVICE & _.service_whole & ~_.service_lost, outcome="ok",
        comment="Every part that the service needs has an endpoint that works. What fails beside"
        " it is told by the endpoints' own rows.",
        source="OONI ts-018, ts-020",
    ),
    Rule(
        "bootstrap_absent",
        SERVICE & (_.service_end == "bootstrap") & (_.service_how == "absent"),
        outcome="not_measured",
        comment="The client, its transport or a bridge for it is not on this machine, or does not"
        " run there: no word of the network.",
        source="docs/tor.md",
    ),
    Rule(
        "bootstrap_clock",
        SERVICE & (_.service_end == "bootstrap") & (_.service_how == "clock_skew"),
        outcome="local_fault",
        comment="The client came as far as the network's own clock, and this machine's is off.",
        source="tor control-spec, bootstrap phases",
    ),
    Rule(
        "bootstrap_stuck",
        SERVICE & (_.service_end == "bootstrap") & (_.service_part != "snowflake"),
        outcome="inconclusive",
        comment="The client found no circuit in its time, and stood at the stage that the row"
        " tells: relays that are full, a phone asleep and a censor all look so.",
        source="OONI ts-016; tor control-spec, bootstrap phases",
    ),
    Rule(
        "snowflake_stuck",
        SERVICE & (_.service_end == "bootstrap") & (_.service_part == "snowflake"),
        outcome="inconclusive",
        comment="Snowflake needs a broker, a front and a volunteer's proxy that happens to be"
        " free: that it finds none says little about who is on the way.",
        source="OONI ts-030; Bocovich et al., USENIX Security 2024",
    ),
    Rule(
        "service_certificate_doubtful",
        (ENDPOINT | WHOLE_LOST) & (_.service_end == "certificate")
        & _.service_how.isin(["bad", "own"]),
        outcome="inconclusive",
        comment="A bad certificate, and nothing that vouches for the authorities and the clock"
        " by which it was judged.",
        source="design 0001, certificates",
    ),
    Rule(
        "service_lost_here", (ENDPOINT | WHOLE_LOST) & PART_LOST & ALIVE, outcome="inconclusive",
        comment="No endpoint of the part works, while other parts do: blocked, or down for"
        " everybody, which nothing in this document tells.",
        source="OONI ts-020 calls it blocked",
    ),
    Rule(
        "service_lost_with_line", (ENDPOINT | WHOLE_LOST) & PART_LOST & ~ALIVE,
        outcome="inconclusive",
        comment="No endpoint of the part works, and nothing shows that the line did.",
        source="case E10",
    ),
    Rule(
        "service_endpoint_fails", ENDPOINT & (_.service_working >= 1), outcome="inconclusive",
        comment="This endpoint fails and others of its part work: it may be dead.",
        source="OONI ts-023 has no control: a dead relay looks blocked",
    ),
)

SERVICE_TRIGGERS: tuple[Rule, ...] = (
    Rule(
        "trigger_protocol_of_service",
        NAMED & (_.service_same_port == "free") & _.service_end.isin(["tls", "link"]),
        trigger="protocol",
        comment="At the same port of the same address another protocol's handshake comes through.",
        source="H15: any protocol at the OR ports, so no recognition of Tor's",
    ),
    Rule(
        "trigger_port_of_service", NAMED & (_.service_other_port == "free"), trigger="port",
        comment="Another port of the same address works.",
        source="H15: relays' OR ports, and not their directory ports",
    ),
    Rule(
        "trigger_address_of_service",
        NAMED & (_.service_other_port == "same") & (_.service_end == "tcp"), trigger="address",
        comment="No port of the address that was tried works.",
        source="OONI ts-020",
    ),
)
