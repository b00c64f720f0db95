"""One flat typed row for each target: what the rules read.

Pure: a row is derived from the evidence of one measurement, its run and the run's
canaries, by the functions of ``analysis.observe``. A field says how this place differs
from the controls or what surrounds the measurement, never what that means: the rules
say that. Every field is a scalar, so that the rows are a table in any engine.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

DERIVATION = "2026-11-23"  # of the fields from the evidence; changes with their meaning


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules know of one target in one run. The annotations are the documentation."""

    # What was measured, by whom
    run_id: Annotated[str, Meta(description="the run")]
    measurement_id: Annotated[str, Meta(description="the measurement; empty: none was made")] = ""
    url: Annotated[str, Meta(description="the target")]
    category: Annotated[str, Meta(description="Citizen Lab's category code")] = ""
    nettest: Annotated[str, Meta(description="the nettest; empty: none was made")] = ""
    measured_at: Annotated[float, Meta(description="start, POSIX seconds; 0: not measured")] = 0.0
    probe_cc: Annotated[str, Meta(description="country of the probe, ISO 3166")] = "ZZ"
    probe_asn: Annotated[int, Meta(description="AS of the probe; 0 unknown")] = 0
    measured: Annotated[bool, Meta(description="there is evidence of the probe's")] = False
    run_ended: Annotated[str, Meta(description="how the run ended, `Run.ended`")] = ""
    source: Annotated[str, Meta(description="software that measured; empty: zond")] = ""
    document: Annotated[
        str, Meta(description="of an imported one, the document's own id or its SHA-256")
    ] = ""
    origin: Annotated[str, Meta(description="the file, and line, it was imported from")] = ""
    probe_id: Annotated[str, Meta(description="pseudonym of the probe, where it has one")] = ""
    resolver_asn: Annotated[int, Meta(description="AS of the own resolver; 0 unknown")] = 0
    resolver_filters: Annotated[
        bool, Meta(description="the own resolver is a public one that filters for who chooses it")
    ] = False
    network_type: Annotated[str, Meta(description="mobile, fixed; empty: unknown")] = ""

    # The controls
    controls: Annotated[
        int, Meta(description="controls that answered usefully and are reliable")
    ] = 0
    controls_asked: Annotated[int, Meta(description="controls that were asked")] = 0
    controls_unreliable: Annotated[
        int, Meta(description="controls left out for their record over the run")
    ] = 0

    lone_control: Annotated[
        bool, Meta(description="it asks one control by design, as OONI's probes do, which answered")
    ] = False
    lone_page: Annotated[
        bool, Meta(description="that control got a page, following redirects by itself")
    ] = False
    lone_contrasts: Annotated[
        str,
        Meta(
            description="layer.how, comma between, of what that control did not meet on the path:"
            " at the same address and port, or behind a redirect where the address is surely the"
            " site's"
        ),
    ] = ""
    lone_contradicts: Annotated[
        bool, Meta(description="how the path ends is one of these")
    ] = False

    # The surroundings
    captive_portal: Annotated[bool, Meta(description="a portal answered during the run")] = False
    home_lost: Annotated[bool, Meta(description="home canaries failed meanwhile")] = False
    domestic_lost: Annotated[bool, Meta(description="domestic canaries failed meanwhile")] = False
    domestic_alive: Annotated[bool, Meta(description="a domestic canary answered then")] = False
    foreign_lost: Annotated[bool, Meta(description="foreign canaries failed meanwhile")] = False
    resolver_dead: Annotated[
        bool, Meta(description="the own resolver failed for nearly all canaries meanwhile")
    ] = False
    resolver_alive: Annotated[
        bool, Meta(description="the own resolver answered for a canary meanwhile")
    ] = False

    forger: Annotated[
        bool, Meta(description="somebody signs for nearly all canaries, unknown to our store")
    ] = False
    forger_near: Annotated[
        bool, Meta(description="and answers from this machine, or at the household's router")
    ] = False

    line_connects: Annotated[
        int, Meta(description="connections of ours that stood, over the run's plain pass")
    ] = 0
    line_late: Annotated[
        int, Meta(description="of those, as late as one whose SYN, or its answer, was lost")
    ] = 0
    canary_looks: Annotated[int, Meta(description="looks at canaries over the run, IPv4")] = 0
    canary_failures: Annotated[int, Meta(description="of those, in vain")] = 0

    resolver_foreign: Annotated[
        bool, Meta(description="the resolver asks the world from another country than the probe's")
    ] = False
    home_router: Annotated[
        bool, Meta(description="the first router is the household's own: a private address")
    ] = False

    # The name: the first on the user's path that does not lead where it should
    dns_own: Annotated[
        str,
        Meta(
            description="own resolvers: true, lie, bogon, nxdomain, refused, servfail, empty,"
            " silence, other, unclear (nothing to compare with), none (not asked)"
        ),
    ] = "none"
    dns_controls: Annotated[int, Meta(description="controls that resolved the name")] = 0
    dns_witnesses: Annotated[
        int,
        Meta(
            description="controls, plus one for an encrypted resolver, that resolve the name"
            " to addresses which our own resolvers did not give"
        ),
    ] = 0
    dns_proof: Annotated[
        bool,
        Meta(
            description="an address that our own resolvers did not give has a valid certificate"
            " for the name"
        ),
    ] = False
    dns_injected: Annotated[
        int, Meta(description="queries whose first answer was forged, as a later one shows")
    ] = 0
    dns_all_injected: Annotated[
        bool, Meta(description="each own UDP exchange that shows `dns_own` was such a query")
    ] = False
    dns_intercepted: Annotated[
        int,
        Meta(description="public resolvers that lie in the clear while encrypted ones do not"),
    ] = 0
    dns_ghost: Annotated[
        bool, Meta(description="an address for a name that exists nowhere, denied right after")
    ] = False
    dns_diverted: Annotated[
        int,
        Meta(
            description="public resolvers that do not tell sites who asks, and in the clear give"
            " addresses in the probe's own network which no control or encrypted resolver gives"
        ),
    ] = 0
    dns_ghost_public: Annotated[
        bool,
        Meta(
            description="a public resolver gives in the clear an address for a name that exists"
            " nowhere, as an encrypted one says as well"
        ),
    ] = False
    dns_at_home: Annotated[
        str, Meta(description="as `dns_own`, of the own resolvers at private addresses")
    ] = "none"
    dns_in_network: Annotated[
        str,
        Meta(
            description="as `dns_own`, of the own resolvers in the network, the one behind the"
            " resolver at home among them"
        ),
    ] = "none"
    dns_exists_nowhere: Annotated[
        bool, Meta(description="neither a control nor an encrypted resolver resolves the name")
    ] = False

    # The user's path: own resolver, its address, the page, the redirects
    path_end: Annotated[
        str,
        Meta(
            description="where the path ends: page, or what failed: dns, tcp, tls, certificate,"
            " http, redirect; nothing: it was not measured to its end"
        ),
    ] = "nothing"
    path_how: Annotated[
        str,
        Meta(
            description="how it failed: silence, refused, unreachable, reset, closed, alert,"
            " other; a certificate: forged, replaced (by who signs for everybody here, or by a"
            " product that does), outdated (our store or clock), bad, unclear; a"
            " redirect: loop, many, broken, unvouched; dns: as `dns_own`"
        ),
    ] = ""
    path_signer: Annotated[
        str,
        Meta(
            description="who signed the bad certificate there, by name: a program (antivirus,"
            " parents' filter), a gateway (employer's or operator's), a state; empty: unknown"
        ),
    ] = ""
    path_cut: Annotated[
        bool, Meta(description="it ends in an answer whose head came, and whose body did not end")
    ] = False
    path_depth: Annotated[int, Meta(description="redirects until there")] = 0
    path_ip: Annotated[str, Meta(description="the address where it ends; empty: none")] = ""
    path_contradicted: Annotated[
        int,
        Meta(description="controls that succeed there, at an address that is surely the site's"),
    ] = 0
    path_elsewhere: Annotated[
        int, Meta(description="controls that get past this layer there, at any address")
    ] = 0
    path_shared: Annotated[
        int, Meta(description="controls that do not get past this layer there either")
    ] = 0
    path_certified: Annotated[
        bool, Meta(description="the page came over a certificate valid for its name")
    ] = False
    path_status: Annotated[int, Meta(description="HTTP status of the page; 0 without one")] = 0
    path_genuine: Annotated[
        bool, Meta(description="the page came from an address that is surely the site's")
    ] = False

    # The page
    page_match: Annotated[
        str,
        Meta(
            description="likeness with the most like control's page: same, similar, unknown,"
            " differs; empty: no control's page can be compared"
        ),
    ] = ""
    page_compared: Annotated[int, Meta(description="controls whose page can be compared")] = 0
    page_differing: Annotated[int, Meta(description="controls with another page")] = 0
    page_controls_agree: Annotated[
        bool, Meta(description="the controls' pages are alike among themselves")
    ] = True
    page_twin: Annotated[
        str, Meta(description="likeness with our own page over https; empty: nothing to compare")
    ] = ""
    page_twin_backs: Annotated[
        bool, Meta(description="our own page over https is the page that a control got")
    ] = False
    page_richer: Annotated[
        bool, Meta(description="much longer than any control's page")
    ] = False
    page_origin: Annotated[
        bool,
        Meta(description="carries the same header of the site's own as the controls' refusals"),
    ] = False
    page_replaced: Annotated[
        bool,
        Meta(
            description="in the clear: the title or the headers of the page that a control and"
            " we ourselves over https get, byte for byte, and other words"
        ),
    ] = False
    page_bare: Annotated[
        bool, Meta(description="in the clear, without one header, while controls' pages have some")
    ] = False
    page_own: Annotated[
        bool,
        Meta(description="has a title and text of some length, which no other site of the run has"),
    ] = False
    page_status_shared: Annotated[
        int, Meta(description="controls with the same status, where it is an error")
    ] = 0
    page_status_good: Annotated[int, Meta(description="controls with a status below 400")] = 0
    redirect_private: Annotated[
        bool, Meta(description="the path ends where a clear-text redirect names a private address")
    ] = False
    redirect_unseen: Annotated[
        int,
        Meta(
            description="controls that were answered, and not sent where a redirect in the"
            " clear sent us, for which nobody vouches"
        ),
    ] = 0

    # Contrasts anywhere on the path or at its twin: the most controls that succeed where
    # we, at an address that is surely the site's, met this
    tcp_silence: Annotated[int, Meta(description="no answer to SYN")] = 0
    tcp_refused: Annotated[int, Meta(description="RST to SYN")] = 0
    tcp_reset: Annotated[int, Meta(description="RST once established, before a word of ours")] = 0
    tcp_unreachable: Annotated[int, Meta(description="ICMP says unreachable")] = 0
    tls_silence: Annotated[int, Meta(description="no answer to the ClientHello")] = 0
    tls_reset: Annotated[int, Meta(description="RST to the ClientHello")] = 0
    tls_closed: Annotated[int, Meta(description="FIN, or no TLS, to the ClientHello")] = 0
    tls_alert: Annotated[int, Meta(description="an alert to the ClientHello")] = 0
    tls_forged: Annotated[int, Meta(description="another certificate, and a bad one")] = 0
    quic_silence: Annotated[int, Meta(description="no answer to a QUIC Initial")] = 0
    quic_closed: Annotated[
        int, Meta(description="a CONNECTION_CLOSE, or other versions, to a QUIC Initial")
    ] = 0
    quic_refused: Annotated[
        int, Meta(description="a server's refusal, or ICMP, to a QUIC Initial")
    ] = 0
    quic_elsewhere: Annotated[
        str,
        Meta(
            description="QUIC to other sites of the run: works, lost (silent, and not for"
            " controls), or empty: not known"
        ),
    ] = ""
    http_silence: Annotated[int, Meta(description="no answer to the request")] = 0
    http_reset: Annotated[int, Meta(description="RST to the request")] = 0
    http_closed: Annotated[int, Meta(description="FIN to the request")] = 0
    http_blockpage: Annotated[
        int,
        Meta(
            description="in the clear, another page than the controls', who agree; nothing of"
            " ours vouches for it"
        ),
    ] = 0
    http_blockpage_twin: Annotated[
        bool, Meta(description="the same, and our own page over https is the controls'")
    ] = False
    http_redirect: Annotated[
        int, Meta(description="as `redirect_unseen`, on the path or at the twin")
    ] = 0
    http_redirect_twin: Annotated[
        bool, Meta(description="the same, and our own page over https is the controls'")
    ] = False
    http_altered: Annotated[
        bool, Meta(description="in the clear, the controls' page with parts changed")
    ] = False

    # The ladder: of what was looked at again, that on the user's path, else the first that
    # happened again. A rung is same, free, mixed, other (telling nothing), or empty.
    followed: Annotated[str, Meta(description="the layer that was followed up; empty: none")] = ""
    again_tries: Annotated[int, Meta(description="repetitions")] = 0
    again_same: Annotated[int, Meta(description="repetitions that ended as the first time")] = 0
    again_passed: Annotated[int, Meta(description="repetitions in which an answer came")] = 0
    elsewhere: Annotated[
        str, Meta(description="the name, at an address that has nothing to do with it")
    ] = ""
    harmless_elsewhere: Annotated[
        str, Meta(description="a harmless name, at that address, before")
    ] = ""
    harmless_here: Annotated[
        str, Meta(description="a harmless name, at the same address or resolver")
    ] = ""
    no_name: Annotated[str, Meta(description="no SNI, or the address as Host")] = ""
    other_case: Annotated[str, Meta(description="the name in capitals")] = ""
    suffix: Annotated[str, Meta(description="the name at the head of a longer one")] = ""
    subdomain: Annotated[str, Meta(description="a name under the name")] = ""
    host_only: Annotated[
        str, Meta(description="the name in the Host header only, over TLS with a harmless SNI")
    ] = ""
    say_nothing: Annotated[str, Meta(description="a connection on which nothing is said")] = ""
    other_port: Annotated[str, Meta(description="connecting to other ports of the address")] = ""
    other_family: Annotated[str, Meta(description="the same over the other IP version")] = ""
    port_elsewhere: Annotated[
        str, Meta(description="connecting to the port at addresses that have nothing to do with it")
    ] = ""
    name_other_port: Annotated[
        str, Meta(description="the name, on a port of the address where something else is spoken")
    ] = ""
    harmless_other_port: Annotated[str, Meta(description="a harmless name, there")] = ""
    split_hello: Annotated[str, Meta(description="the ClientHello in two segments")] = ""
    ech_hello: Annotated[str, Meta(description="the name encrypted (ECH)")] = ""
    hello_unlike: Annotated[
        bool, Meta(description="no control sent the kind of ClientHello that we sent")
    ] = False
    other_hello: Annotated[str, Meta(description="the ClientHello of another program")] = ""
    quic_instead: Annotated[
        str, Meta(description="the name over QUIC, to a site that speaks it")
    ] = ""
    bare_dns: Annotated[
        str, Meta(description="a question about the name, sent to where no resolver is")
    ] = ""
    dns_tcp: Annotated[str, Meta(description="the same resolver, asked over TCP")] = ""
    dns_others: Annotated[str, Meta(description="other resolvers, in the clear")] = ""
    residual: Annotated[
        float,
        Meta(description="seconds of residual blocking after the name; 0 none, -1 unknown"),
    ] = -1.0

    # Where it is met, by packets that were to die on their way; see `analysis.observe.location`
    hop_low: Annotated[int, Meta(description="the first hop where it may be; 0: not known")] = 0
    hop_high: Annotated[
        int, Meta(description="the last hop where it may be: the same, where it is known")
    ] = 0
    hop_ip: Annotated[str, Meta(description="the router at `hop_high`; empty: not known")] = ""
    hop_asn: Annotated[int, Meta(description="whose that is; 0 unknown")] = 0
    hop_near: Annotated[
        bool, Meta(description="it is of the household's own network, its address not told")
    ] = False
    hop_met: Annotated[int, Meta(description="connections that agree with that")] = 0
    hop_tries: Annotated[int, Meta(description="connections there and at the hop before")] = 0
    hop_position: Annotated[
        str,
        Meta(
            description="on-path: the datagram that was answered was seen to go on; in-path: others"
            " are seen to, what met it was not; empty: not known"
        ),
    ] = ""
    path_length: Annotated[
        int, Meta(description="hops to the accused address; 0: not seen")
    ] = 0

    # Packets of that follow-up, where the process may capture; -1 unknown
    packets: Annotated[str, Meta(description="captured, not_captured, or empty: no follow-up")] = ""
    position: Annotated[
        str,
        Meta(
            description="on-path: the true answer came beside the forged one; in-path: it was kept"
            " back, more than once; empty: unknown"
        ),
    ] = ""
    reset_ttl: Annotated[int, Meta(description="TTL of a reset that came in its place")] = -1
    reset_ttl_synack: Annotated[
        int, Meta(description="TTL of the server's SYN,ACK in that connection")
    ] = -1
    reset_window: Annotated[int, Meta(description="window of the reset, as on the wire")] = -1
    reset_ip_id: Annotated[int, Meta(description="IP identification of the reset")] = -1

    # Timed side by side (`analysis.observe.speed`): the page against the way over a control,
    # and against itself without its name in the clear; p-values are against a margin
    speed_seconds: Annotated[
        float, Meta(description="the page took here, in the median; 0: it was not timed")
    ] = 0.0
    speed_pairs: Annotated[int, Meta(description="pairs: here, over a control")] = 0
    speed_ratio: Annotated[
        float, Meta(description="times as long as over a control, in the median")
    ] = 0.0
    speed_p: Annotated[
        float, Meta(description="p-value of the page taking over 2.5 times as long as that")
    ] = 1.0
    speed_excess: Annotated[float, Meta(description="seconds longer, in the median")] = 0.0
    speed_rtt_excess: Annotated[
        float, Meta(description="seconds that a round trip takes longer than over a control")
    ] = 0.0
    speed_controls: Annotated[int, Meta(description="controls that timed the page")] = 0
    speed_name_pairs: Annotated[int, Meta(description="pairs: with, without the name")] = 0
    speed_name_ratio: Annotated[
        float, Meta(description="times as long as without the name, in the median")
    ] = 0.0
    speed_name_p: Annotated[
        float, Meta(description="p-value of the page taking over 1.5 times as long as that")
    ] = 1.0
    speed_unnamed: Annotated[
        str, Meta(description="without the name the page is slow, fast; empty: not compared")
    ] = ""
    speed_cut: Annotated[
        bool,
        Meta(description="its end did not come; what came took over 3 s, and less for controls"),
    ] = False
    server_slow: Annotated[
        bool, Meta(description="the page takes a control at least half of our time")
    ] = False
    line_slow: Annotated[
        bool, Meta(description="a control's bytes took us at least half of the page's time")
    ] = False

    # Fingerprints: ids, comma between, empty where none matches
    fingerprint_redirect: Annotated[str, Meta(description="of a Location in the clear")] = ""
    fingerprint_page: Annotated[str, Meta(description="of a page that controls did not get")] = ""
    fingerprint_certificate: Annotated[str, Meta(description="of a bad certificate")] = ""
    fingerprint_dns: Annotated[
        str, Meta(description="of an address in an answer that no control was given")
    ] = ""
    fingerprint_forged: Annotated[
        str, Meta(description="of what was served at an address from a lying answer")
    ] = ""
    fingerprint_path: Annotated[
        str, Meta(description="those of the above that the user's path itself met")
    ] = ""
    fingerprint_platform: Annotated[
        str, Meta(description="of the platform's own challenge, refusal or notice, on the path")
    ] = ""
    fingerprint_packet: Annotated[
        str, Meta(description="of captured packets; symptoms, which confirm nothing")
    ] = ""
    fingerprint_symptom: Annotated[
        str, Meta(description="of mere symptoms, which confirm nothing")
    ] = ""

    # A service that is no site (`analysis.observe.services`): one of its endpoints, or the
    # whole. Of the whole, *part* and all that follows is of the part that fares worst
    service: Annotated[str, Meta(description="the service, as `telegram`; empty: a site")] = ""
    service_whole: Annotated[
        bool, Meta(description="the row is about the whole service, not one endpoint")
    ] = False
    service_part: Annotated[
        str, Meta(description="the part of it, as `dc`, `web`, `or_port`; see `data/services.csv`")
    ] = ""
    service_end: Annotated[
        str,
        Meta(
            description="where the way to the endpoint ends: works, or what failed: dns, tcp, tls,"
            " certificate, http, quic, link (its own protocol), answer (it spoke, and not as it"
            " should), elsewhere (at the address that the own resolver gives and others do not),"
            " bootstrap, echo; empty: not measured"
        ),
    ] = ""
    service_how: Annotated[
        str,
        Meta(
            description="how it failed: silence, refused, unreachable, reset, closed, alert,"
            " other; an answer: untrue; dns: as `dns_own`; a certificate: outdated (the instrument"
            " does not know the service's authority), own (it should), replaced, forged, bad;"
            " an echo: altered, other, silence; a bootstrap: its stage, absent or clock_skew;"
            " whole: mixed, where not all fail alike"
        ),
    ] = ""
    service_endpoints: Annotated[int, Meta(description="endpoints of the part that were tried")] = 0
    service_working: Annotated[int, Meta(description="of those, that work")] = 0
    service_alike: Annotated[
        int, Meta(description="of those, that end as this one does; whole: as most")
    ] = 0
    service_networks: Annotated[
        int, Meta(description="networks (/16, IPv6 /32) that the part's endpoints are in")
    ] = 0
    service_independent: Annotated[
        bool, Meta(description="the part's endpoints are run by people independent of each other")
    ] = False
    service_alive: Annotated[
        int, Meta(description="endpoints of other parts that work, in the same document")
    ] = 0
    service_lost: Annotated[
        bool, Meta(description="whole: a part that the service needs has no endpoint that works")
    ] = False
    service_proof: Annotated[
        str,
        Meta(
            description="what no server and no dead host shows: bogon (from the network's own"
            " resolver), forged (others' certificates are good), fingerprint; empty: nothing"
        ),
    ] = ""
    service_other_port: Annotated[
        str,
        Meta(
            description="other ports of the same address: free, same, mixed; empty: not tried"
        ),
    ] = ""
    service_same_port: Annotated[
        str,
        Meta(
            description="what is not the service's own protocol, at its port: free, same; empty:"
            " not tried"
        ),
    ] = ""
    service_tries: Annotated[int, Meta(description="how often the endpoint was tried")] = 0
    service_controls: Annotated[
        int, Meta(description="controls that tried the endpoint at that time")
    ] = 0
    service_controls_working: Annotated[
        int, Meta(description="of those, from which it works")
    ] = 0
    service_progress: Annotated[int, Meta(description="a bootstrap's percent; -1: none")] = -1
    service_channel: Annotated[
        str, Meta(description="how a bridge was given out; empty: not told, or no bridge")
    ] = ""


def describe() -> dict[str, tuple[str, str]]:
    """Each field's type and description, in order."""
    described = {}
    for column in msgspec.inspect.type_info(Observation).fields:  # type: ignore[attr-defined]
        kind = column.type
        about = ""
        if isinstance(kind, msgspec.inspect.Metadata):
            about = (kind.extra_json_schema or {}).get("description", "")
            kind = kind.type
        described[column.encode_name] = (type(kind).__name__.removesuffix("Type").lower(), about)
    return described
