"""What was seen: one frozen record for each network operation.

Evidence says what happened, never what it means. Nothing here may hold a
verdict, an opinion or an anomaly flag; those belong to ``analysis``.

Records are msgspec structs, so that the same definition is the record in
memory, the row in the database, the answer of a control and the document that
is uploaded, and what arrives from outside is validated by decoding it. Their
JSON carries the record's class as ``kind``. Fields may be added with a default;
none may be renamed.

Times: ``t0`` and ``t`` are seconds since the measurement began, from a
monotonic clock, and below zero where a connection that was made earlier was used
again. Calendar times are POSIX seconds, UTC.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from probe.failure import Failure

PROBE = "probe"  # the vantage of what this machine saw; a control's rows carry its name


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """Fields that every operation has.

    *vantage* says who saw it: ``"probe"`` or the name of a control. *url* is the
    URL that the operation served and *depth* how many redirects lead to it: 0 for
    the target and for its http/https twin. Operations of one connection share a
    *transaction*. *failure* is None where the operation succeeded. *step* names the rung
    of the ladder (`probe.ladder`) that it served; it is empty in the plain pass.
    """

    vantage: str = PROBE
    url: str = ""
    depth: int = 0
    transaction: int = 0
    t0: float = 0.0
    t: float = 0.0
    failure: Failure | None = None
    detail: str = ""
    step: str = ""


class DNSAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message that arrived in answer to a query.

    *t* is its arrival (the kernel's time where it tells), *ip_ttl* the TTL left
    in the IP packet that brought it, None where the transport hides it. *raw* is
    the message as it came; a control leaves it out.
    """

    t: float = 0.0
    rcode: str = "NOERROR"
    addresses: tuple[str, ...] = ()
    cnames: tuple[str, ...] = ()
    ttl: int | None = None
    authoritative: bool = False
    ip_ttl: int | None = None
    raw: bytes = b""


DNSEngine = Literal["system", "udp", "tcp", "dot", "doh", "doq"]


class DNSExchange(Evidence, frozen=True, kw_only=True, tag="dns"):
    """One query to one resolver, with *every* answer that came, in order of arrival.

    *own* is true for the resolvers that this machine is set to use (the system's,
    ``/etc/resolv.conf``) and false for public ones asked for comparison.
    *resolver* is ``"address:port"``, a DoH URL, or empty for the system's.
    *failure* is that of the first answer, which is what a stub would believe;
    *rdtype* is ``"A"``, ``"AAAA"``, ``"HTTPS"``, or ``"ANY"`` for the system's
    (getaddrinfo asks for both families at once; the same word as OONI's).
    *upstream*: the resolver is the one behind the own, which is at home.
    """

    hostname: str
    rdtype: str
    engine: DNSEngine
    resolver: str = ""
    own: bool = False
    upstream: bool = False
    answers: tuple[DNSAnswer, ...] = ()


class TCPConnect(Evidence, frozen=True, kw_only=True, tag="tcp"):
    """A connection to one address.

    *held* is for how many seconds it was then kept open without a word from us
    (0: it was used at once); a reset in that time is this record's failure.
    """

    ip: str
    port: int
    held: float = 0.0


class TLSHandshake(Evidence, frozen=True, kw_only=True, tag="tls"):
    """A handshake, without judging the certificate (see `CertificateCheck`).

    *sni* is None where none was sent. *chain* holds the certificates presented,
    DER, leaf first, also when the handshake failed after them; a control sends
    only *chain_sha256* (hex, same order). *received* counts bytes that came back:
    none, an alert, or a ServerHello are different findings. *alert* is the TLS
    alert number received (RFC 8446, 6). *hello* says whose ClientHello was sent
    (``"python"`` or a browser's, ``"chrome-152"``), *ja4* is its JA4 fingerprint, *segments*
    in how many TCP segments it left, *ech* whether the name was encrypted (RFC 9849):
    then *outer_sni* is the one that everybody on the way could read.
    """

    ip: str
    port: int
    sni: str | None = None
    alpn_offered: tuple[str, ...] = ()
    alpn: str | None = None
    version: str | None = None
    cipher: str | None = None
    chain: tuple[bytes, ...] = ()
    chain_sha256: tuple[str, ...] = ()
    received: int = 0
    alert: int | None = None
    hello: str = ""
    ja4: str = ""
    segments: int = 1
    ech: bool = False
    outer_sni: str | None = None


class QUICHandshake(Evidence, frozen=True, kw_only=True, tag="quic"):
    """A QUIC handshake (RFC 9000, 9001), without judging the certificate.

    Fields as those of `TLSHandshake`; *version* is QUIC's (``"1"``, ``"2"``), *received*
    counts bytes of datagrams that came back. *error_code* is that of a CONNECTION_CLOSE
    received (RFC 9000, 20), *reason* its phrase.
    """

    ip: str
    port: int
    sni: str | None = None
    alpn_offered: tuple[str, ...] = ()
    alpn: str | None = None
    version: str | None = None
    cipher: str | None = None
    chain: tuple[bytes, ...] = ()
    chain_sha256: tuple[str, ...] = ()
    received: int = 0
    error_code: int | None = None
    reason: str = ""


class CertificateCheck(Evidence, frozen=True, kw_only=True, tag="certificate"):
    """Whether the presented chain is good for *hostname* at *checked_at*.

    *failure*: ``ssl_unknown_authority``, ``ssl_invalid_hostname`` or
    ``ssl_invalid_certificate``; *problems* lists all that is wrong, the first one
    being *failure* (a certificate may be expired and for another name).
    *checked_at* is the time used, corrected by the run's clock offset.
    """

    ip: str
    port: int
    hostname: str
    checked_at: float
    problems: tuple[str, ...] = ()
    subject: str = ""
    issuer: str = ""
    not_before: float | None = None
    not_after: float | None = None


class HTTPExchange(Evidence, frozen=True, kw_only=True, tag="http"):
    """One request and what came back. *status* is None where no response head came.

    *location* is the redirect target made absolute, None if there is none.
    *body_length* counts decompressed bytes kept; *body_truncated* says that a
    bound (bytes, time, or compression ratio) ended it. *sketch* is a hex
    similarity sketch of the text (see ``probe.wire.page``). *body* is kept only
    where it may be a block page. *host* is the Host header sent where it is not the
    URL's; *head_t* is when the response head was there.
    """

    ip: str
    port: int
    tls: bool = False
    method: str = "GET"
    protocol: str = ""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    location: str | None = None
    body_length: int = 0
    body_truncated: bool = False
    body_sha256: str = ""
    title: str | None = None
    sketch: str = ""
    body: bytes | None = None
    host: str | None = None
    head_t: float = 0.0


class ControlQuery(Evidence, frozen=True, kw_only=True, tag="control"):
    """Asking one control about one URL. Its answer's evidence carries *control* as vantage.

    *age* is how old the answer was when given (seconds; controls cache),
    *server_time* the control's own clock at that moment, *via* the way out used
    (``"direct"``, ``"proxy"``). *failure* says that the control was down, blocked,
    or answered what cannot be used; *detail* why.
    """

    control: str
    control_url: str
    via: str = "direct"
    status: int | None = None
    age: float = 0.0
    server_time: float | None = None
    software: str = ""


HopTrigger = Literal["syn", "tls", "http", "dns", "quic"]
HopAnswer = Literal[
    "expired", "nothing", "accepted", "refused", "unreachable", "reset", "closed", "answered"
]


class HopProbe(Evidence, frozen=True, kw_only=True, tag="hop"):
    """One packet that was to live for *ttl* hops only, and what came back.

    *trigger* is what the packet held: nothing (a SYN), or *name* in a ClientHello, a
    Host header, a DNS query or a QUIC Initial; for those over TCP the connection was
    made at full length, and *failure* is that of making it. *contrast*: the same with
    what nobody blocks, a harmless name or a neutral address.

    *answer* is ``"expired"`` (a router said time exceeded, or the kernel that one did),
    ``"nothing"``, ``"accepted"`` or ``"refused"`` (a SYN's, or a datagram's port),
    ``"unreachable"``, ``"reset"``, ``"closed"``, ``"answered"`` (*received* is how that
    begins). *router* is who sent the ICMP error: empty where only the kernel's error
    tells that there was one, and where its address would tell whose line this is (then
    *detail* says so). Beside ``"answered"`` it says that the packet died further on as well.
    *hello* is whose ClientHello it was, ``"browser"`` or ``"python"``.
    """

    ip: str
    port: int
    ttl: int
    trigger: HopTrigger
    name: str | None = None
    contrast: bool = False
    answer: HopAnswer = "nothing"
    router: str = ""
    received: bytes = b""
    hello: str = ""


class Transfer(Evidence, frozen=True, kw_only=True, tag="transfer"):
    """A download that was timed, to compare with others on the same line at that time.

    *what* is ``"accused"``, ``"unnamed"`` (the same page from the same address, its name
    not in the clear) or ``"control"``; *source* whose data it is: an address, or a
    control. *round* numbers those that are compared; a control's bytes came *beside* the
    other transfer of that name, at the same time.

    Seconds, one after the other: *connect* (TCP), *handshake* (TLS), *wait* (from the
    request to the head of the response), *seconds* (from there to the last byte).
    *received* bytes of the body came, of *asked* at most; *samples* are (seconds since the
    head, bytes so far); *whole* says that the body ended there by itself. *rtt*, *rtt_min*
    (seconds), *retransmits* (segments of ours) and *out_of_order* (segments that came before
    one that was lost or late) are the kernel's own where it tells (TCP_INFO), else None.
    """

    what: str
    source: str
    ip: str = ""
    port: int = 0
    sni: str | None = None
    host: str | None = None
    round: int = 0
    beside: str = ""
    status: int | None = None
    connect: float = 0.0
    handshake: float = 0.0
    wait: float = 0.0
    seconds: float = 0.0
    asked: int = 0
    received: int = 0
    whole: bool = False
    samples: tuple[tuple[float, int], ...] = ()
    rtt: float | None = None
    rtt_min: float | None = None
    retransmits: int | None = None
    out_of_order: int | None = None


class PacketFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The headers of one captured packet. *way* is seen from this machine.

    *t* as in `Evidence`. *seq* and *ack* are relative to the first ones of the
    connection, None where those are not known; *flags* are letters in scapy's order
    (``"RA"``). *payload* counts bytes. *seq_zero*, *ack_zero*: the number on the wire is 0.
    Of an ICMP error, ports, *seq* and *payload* are those of the packet of ours that it
    quotes, and *quoted* are its flags (``""``: none were quoted).
    """

    t: float = 0.0
    way: Literal["out", "back"] = "back"
    protocol: Literal["tcp", "udp", "icmp"] = "tcp"
    source: str = ""
    sport: int = 0
    dport: int = 0
    ttl: int = 0
    ip_id: int | None = None
    flags: str = ""
    seq: int | None = None
    ack: int | None = None
    seq_zero: bool = False
    ack_zero: bool = False
    window: int = 0
    payload: int = 0
    icmp_type: int | None = None
    icmp_code: int | None = None
    quoted: str = ""


class PacketCapture(Evidence, frozen=True, kw_only=True, tag="packets"):
    """What went over the wire between us and *ip* while something was tried there.

    *port* is theirs. *status* is ``"captured"`` or ``"not_captured"``, the latter with the
    reason in *detail*. *packets* and *raw* (the first bytes of each IP packet, with zeros
    for this machine's own address and for checksums, which cover it) run in parallel;
    *dropped* were beyond the bound. Packets of a connection share our port.
    """

    ip: str
    port: int = 0
    status: Literal["captured", "not_captured"] = "captured"
    packets: tuple[PacketFacts, ...] = ()
    raw: tuple[bytes, ...] = ()
    dropped: int = 0


class Echo(Evidence, frozen=True, kw_only=True, tag="echo"):
    """What was sent to a server that says back what reached it, and what came back.

    *form* says how it answers: ``"bytes"`` (the same bytes) or ``"headers"`` (a JSON
    document of the head of the request). Nothing *received* and no *failure*: nothing came
    until our time was up, or until it closed; which of these is not always known.
    """

    ip: str = ""
    port: int = 0
    form: Literal["bytes", "headers"] = "bytes"
    sent: bytes = b""
    received: bytes = b""


class RelayLink(Evidence, frozen=True, kw_only=True, tag="relay"):
    """Reaching one Tor relay, directory or bridge, in the way that its class is reached.

    *relay* is the class, in OONI's words: ``"or_port"``, ``"or_port_dirauth"``,
    ``"dir_port"``, ``"obfs4"`` and other transports. *name* is the relay's, *channel* how
    a bridge was given out, both where known. *ip* is empty where the address is kept
    secret; *key* then tells such bridges apart. *failure* is that of the whole, *operation*
    the step at which it came.

    What is beside the port that the target names has a class and a *step* of the same name:
    ``"dir_port"``, ``"relay_other_port"`` (another port of the address), ``"non_tor_tls"`` (a
    browser's hello at the OR port). *identity* says of the link handshake whether the relay was
    ``"proved"`` to be the one of the list, is another one that proved itself (``"other"``),
    or proved nothing (``"unproved"``); *fingerprint* and *ed25519* are those proved, *versions*
    the link versions that it offered, *skew* its clock's seconds ahead of ours as corrected.
    """

    relay: str
    ip: str = ""
    port: int = 0
    key: str = ""
    name: str = ""
    channel: str = ""
    operation: str = ""
    identity: Literal["", "proved", "other", "unproved"] = ""
    fingerprint: str = ""
    ed25519: str = ""
    versions: tuple[int, ...] = ()
    skew: float | None = None


class Bootstrap(Evidence, frozen=True, kw_only=True, tag="bootstrap"):
    """A Tor client that was started and watched until it had a circuit, or time was up.

    *transport* is ``"vanilla"`` (relays, no bridge) or a pluggable transport's name, with
    its *rendezvous*, or whose bridges it went by (``"own"``, ``"public"``). *progress* is in
    percent, *stage* Tor's tag of it (``"conn"``, ``"handshake_done"``; control-spec,
    "Bootstrap phases"). *limit* is the time allowed and
    *seconds* what it took, 0 where it did not come to its end. *troubles* are the reasons
    that Tor gave for connections that failed (``"CONNECTREFUSED"``), as often as it gave them.
    """

    transport: str
    rendezvous: str = ""
    progress: int = -1
    stage: str = ""
    seconds: float = 0.0
    limit: float = 0.0
    tool: str = ""
    troubles: tuple[str, ...] = ()


class Reach(Evidence, frozen=True, kw_only=True, tag="reach"):
    """Whether one endpoint of a service worked as its clients use it, beyond TCP and TLS.

    *service* is the scheme of the target, *part* what of the service it is (``"dc"``, as in
    ``analysis/data/services.csv``). *ip* is empty where its name had no address. *operation*
    is the step at which *failure* came: ``"resolve"``, ``"connect"``, ``"tls_handshake"`` or
    ``"quic_handshake"``, ``"certificate"``, ``"handshake"`` (a protocol's own), ``"answer"``, or
    ``"truth"``: there was an answer, and it is not so. *received* is how the endpoint's own
    answer begins. A look at the address that others give for the name has the *step*
    ``"other_address"``.
    """

    service: str
    part: str = ""
    ip: str = ""
    port: int = 0
    operation: str = ""
    received: bytes = b""


AnyEvidence = (
    DNSExchange
    | TCPConnect
    | TLSHandshake
    | QUICHandshake
    | CertificateCheck
    | HTTPExchange
    | ControlQuery
    | HopProbe
    | Transfer
    | PacketCapture
    | Echo
    | RelayLink
    | Bootstrap
    | Reach
)


class AddressInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose an address is: AS number (0 unknown), holder, country (ISO 3166, ``ZZ`` unknown)."""

    asn: int = 0
    holder: str = ""
    cc: str = "ZZ"


class Measurement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that one nettest saw of one target.

    *id* is random hex. *comparison* holds differences between the test and each
    control, facts only (see ``probe.compare``). *addresses* tells whose every
    address in the evidence is. *about* is the id of the measurement that this one
    follows up (`probe.ladder`); empty in the plain pass. *document* and *origin* say where an
    imported one came from: the document's own id, or its SHA-256, and the file (and line).
    """

    id: str
    run_id: str
    nettest: str
    nettest_version: str
    url: str
    category: str = ""
    risk: str = ""
    list_name: str = ""
    started_at: float = 0.0
    runtime: float = 0.0
    software_version: str = ""
    evidence: tuple[AnyEvidence, ...] = ()
    comparison: dict[str, str | bool | int | float | None] = {}
    addresses: dict[str, AddressInfo] = {}
    about: str = ""
    document: str = ""
    origin: str = ""


Ring = Literal["home", "domestic", "foreign"]


class CanaryCheck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One look at something that should always answer: is the line itself alive?

    *ring* is how far out it is: the home router, a domestic site, a foreign one.
    *at* is POSIX seconds by the run's corrected clock; *family* is 4 or 6.
    *resolver_failure* is what the system's resolver said for the canary's name
    (None: it resolved, or the canary is an address).

    At some looks the connection also carries a TLS handshake (*handshake*); then
    *tls_failure* is how that failed, *problems* what is wrong with the certificate that
    came (as in `CertificateCheck`) and *issuer* who signed it. *failure* stays that of TCP.
    """

    run_id: str
    ring: Ring
    name: str
    at: float
    runtime: float = 0.0
    family: int = 4
    failure: Failure | None = None
    resolver_failure: Failure | None = None
    handshake: bool = False
    tls_failure: Failure | None = None
    problems: tuple[str, ...] = ()
    issuer: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One session: who measured, where, with what, and how it ended.

    Nothing here identifies a person: the AS and country of the probe and of its
    resolver, never an address. ``AS0``/``ZZ`` where they could not be learned.
    *clock_offset* is seconds to add to this machine's clock (None: unknown); *started_at* has it
    in it already.
    *captive_portal* is true where a portal answered in place of known pages.
    *ended* is empty while it runs, then one of ``done``, ``budget`` (no time was left to
    follow up all that differs), ``interrupted``,
    ``no_network``, ``captive_portal``, ``wrong_clock``, ``vpn``, ``failed``.

    *way_out* is the kind of interface that traffic leaves by: ``tunnel``, ``unclear``
    (PPP, an unnamed TUN device), ``plain``, or empty where the system does not tell; *vpn*
    whether a VPN carries it to somebody else's network (None: perhaps). *home_router*:
    the first router has a private address. *resolver_at* is where the resolver is that this
    machine asks: on the ``machine``, at ``home`` (a private address) or in the
    ``network``; *resolver_asn* and *resolver_cc* are those of the address that it asks
    the world from, where that could be learned. *forger_at* is how near a forger of all
    certificates answers: on the ``machine``, at the first ``hop``, or ``beyond``; empty
    where there is none.

    Of an imported run, *source* is the software that measured (empty: zond), *report* the
    report that it was (its id; the SHA-256 of a document without one) and *probe_id* the
    pseudonym of the probe there, if any. *network_type* is ``mobile``, ``fixed``, or empty.
    """

    id: str
    started_at: float
    ended_at: float | None = None
    ended: str = ""
    software_version: str = ""
    seed: int = 0
    concurrency: int = 0
    platform: str = ""
    probe_asn: int = 0
    probe_cc: str = "ZZ"
    probe_network: str = ""
    resolver_asn: int = 0
    resolver_network: str = ""
    resolver_cc: str = "ZZ"
    resolver_at: str = ""
    way_out: str = ""
    vpn: bool | None = None
    home_router: bool | None = None
    forger_at: str = ""
    asn_source: str = ""
    ipv4: bool = True
    ipv6: bool = False
    clock_offset: float | None = None
    captive_portal: bool | None = None
    trust_store: str = ""
    controls: tuple[str, ...] = ()
    lists: dict[str, str] = {}
    source: str = ""
    report: str = ""
    probe_id: str = ""
    network_type: str = ""

    @property
    def imported(self) -> bool:
        """Whether it was read from a document, be it another program's or one of ours."""
        return bool(self.source or self.report)
