"""The allow-list: every field of every record that may leave, how, and why.

Rule: what is not named here does not leave, and a test fails when a record gains a field
that is neither named nor refused. `How` is what happens to it on its way out; whatever the
way, the user's identity is taken out of all text and bytes.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from probe import evidence as e


class How(Enum):
    """What happens to a field; the value is how the documentation says it."""

    KEEP = "as it is"
    TEXT = "text, whose it is taken out"
    ADDRESS = "an address; the user's own becomes the first one of its kind of network"
    RESOLVER = "an address and port, or a URL; an address at home becomes that of its network"
    URL = "a URL; what only this user was given in it is taken out"
    HEADERS = "names as they are, values without cookies, tokens, seconds and whose they are"
    BODY = "suspected block pages only, to 64 KiB, without tokens and whose they are"
    BODY_HASH = "as it is where a control saw the same; else that of what is sent, or keyed"
    BYTES = "bytes, whose they are overwritten in place"
    PACKETS = "bytes, our addresses and ports overwritten in place"
    MOMENT = "a time, moved with all others of the run so that it began at a full minute"
    SECONDS = "rounded to a minute"
    CONTROL = "a control's name; one of the user's own becomes a number"
    CONTROL_URL = "a URL; that of the user's own control is left out"
    CONTROLS = "URLs; those of the user's own controls are left out"
    SOURCE = "an address, or a control's name, treated as such"
    LIST = "the name of a list that comes with zond; else left out"
    LISTS = "the lists that come with zond, with their versions"
    SYSTEM = "the kind of system and of machine; versions are left out"
    FACTS = "names and values, treated by what they are"
    OF_ADDRESSES = "by address; the user's own are left out"
    INSIDE = "records, treated field by field"
    OUT = "left out"


class Rule(NamedTuple):
    how: How
    why: str


_OUTCOME = "what happened, in the closed vocabulary of `probe.failure`"
_SERVER = "whom the operation was with: a site's or the operator's address"
_PORT = "on which port; some blocks are of one"
_CRYPTO = "what was negotiated: forgers negotiate otherwise"
_CHAIN = "a site's certificates are public, a forged one names who forged it"

COMMON = {
    "vantage": Rule(How.CONTROL, "who saw it: the probe or a control"),
    "url": Rule(How.URL, "which URL the operation served"),
    "depth": Rule(How.KEEP, "how many redirects lead to it"),
    "transaction": Rule(How.KEEP, "which operations were of one connection"),
    "t0": Rule(How.KEEP, "when it began, in seconds of the measurement: orders the operations"),
    "t": Rule(How.KEEP, "when it ended: how fast an answer was tells who gave it"),
    "failure": Rule(How.KEEP, _OUTCOME),
    "detail": Rule(How.TEXT, "the original words of a failure"),
    "step": Rule(How.KEEP, "which rung of the ladder it was"),
}

_TLS = {
    "ip": Rule(How.ADDRESS, _SERVER),
    "port": Rule(How.KEEP, _PORT),
    "sni": Rule(How.TEXT, "the name that a censor could read"),
    "alpn_offered": Rule(How.KEEP, "what was offered; the same for all probes of a version"),
    "alpn": Rule(How.KEEP, _CRYPTO),
    "version": Rule(How.KEEP, _CRYPTO),
    "cipher": Rule(How.KEEP, _CRYPTO),
    "chain": Rule(How.BYTES, _CHAIN),
    "chain_sha256": Rule(How.KEEP, _CHAIN),
    "received": Rule(How.KEEP, "how many bytes came: nothing, an alert or a hello"),
}

ALLOWED: dict[type, dict[str, Rule]] = {
    e.DNSAnswer: {
        "t": Rule(How.KEEP, "an injected answer is there before the true one"),
        "rcode": Rule(How.KEEP, "some blocks are a refusal"),
        "addresses": Rule(How.ADDRESS, "what the name was said to be"),
        "cnames": Rule(How.TEXT, "names of block pages"),
        "ttl": Rule(How.KEEP, "forged answers have one of their own"),
        "authoritative": Rule(How.KEEP, "forged answers get it wrong"),
        "ip_ttl": Rule(How.KEEP, "how far away the sender was"),
        "raw": Rule(How.BYTES, "the message: how it was forged; without the client's subnet"),
    },
    e.DNSExchange: COMMON | {
        "hostname": Rule(How.TEXT, "the name that was asked for"),
        "rdtype": Rule(How.KEEP, "what was asked of it"),
        "engine": Rule(How.KEEP, "over which transport"),
        "resolver": Rule(How.RESOLVER, "who lies: the operator's resolver or one that it forges"),
        "own": Rule(How.KEEP, "whether it is the one that this machine is set to use"),
        "upstream": Rule(How.KEEP, "whether it is the one behind a resolver at home"),
        "answers": Rule(How.INSIDE, "every answer that came"),
    },
    e.TCPConnect: COMMON | {
        "ip": Rule(How.ADDRESS, _SERVER),
        "port": Rule(How.KEEP, _PORT),
        "held": Rule(How.KEEP, "for how long nothing was said"),
    },
    e.TLSHandshake: COMMON | _TLS | {
        "alert": Rule(How.KEEP, "how the other side refused"),
        "hello": Rule(How.KEEP, "whose ClientHello it was: some are blocked"),
        "ja4": Rule(How.KEEP, "its fingerprint; that of a program, not of a machine"),
        "segments": Rule(How.KEEP, "whether the name was cut in two"),
        "ech": Rule(How.KEEP, "whether the name was hidden"),
        "outer_sni": Rule(How.TEXT, "the name that a censor could read instead"),
    },
    e.QUICHandshake: COMMON | _TLS | {
        "error_code": Rule(How.KEEP, "how the other side refused"),
        "reason": Rule(How.TEXT, "in which words"),
    },
    e.CertificateCheck: COMMON | {
        "ip": Rule(How.ADDRESS, _SERVER),
        "port": Rule(How.KEEP, _PORT),
        "hostname": Rule(How.TEXT, "for which name"),
        "checked_at": Rule(How.MOMENT, "by which date: certificates expire"),
        "problems": Rule(How.KEEP, _OUTCOME),
        "subject": Rule(How.TEXT, _CHAIN),
        "issuer": Rule(How.TEXT, _CHAIN),
        "not_before": Rule(How.KEEP, _CHAIN),
        "not_after": Rule(How.KEEP, _CHAIN),
    },
    e.HTTPExchange: COMMON | {
        "ip": Rule(How.ADDRESS, _SERVER),
        "port": Rule(How.KEEP, _PORT),
        "tls": Rule(How.KEEP, "whether somebody on the way could read and change it"),
        "method": Rule(How.KEEP, "what was asked"),
        "protocol": Rule(How.KEEP, "in which protocol"),
        "status": Rule(How.KEEP, "what was answered"),
        "headers": Rule(How.HEADERS, "who answered: forged heads differ from the site's"),
        "location": Rule(How.URL, "where it leads: block pages are known by their address"),
        "body_length": Rule(How.KEEP, "pages of one length are one page"),
        "body_truncated": Rule(How.KEEP, "whether it is all"),
        "body_sha256": Rule(How.BODY_HASH, "the same page for many names is a block page"),
        "title": Rule(How.TEXT, "block pages are known by it"),
        "sketch": Rule(How.KEEP, "how like the controls' page it is; that of what is sent"),
        "body": Rule(How.BODY, "block pages are known by their words"),
        "host": Rule(How.TEXT, "the name that was asked for in place of the URL's"),
        "head_t": Rule(How.KEEP, "how fast the answer was tells who gave it"),
    },
    e.ControlQuery: COMMON | {
        "control": Rule(How.CONTROL, "which control: they disagree, and some lie"),
        "control_url": Rule(How.CONTROL_URL, "where it answers"),
        "via": Rule(How.KEEP, "whether a proxy carried it"),
        "status": Rule(How.KEEP, "whether it was blocked itself"),
        "age": Rule(How.KEEP, "how old its answer was"),
        "server_time": Rule(How.MOMENT, "which of two clocks is wrong"),
        "software": Rule(How.TEXT, "what kind of control: they tell different things"),
    },
    e.HopProbe: COMMON | {
        "ip": Rule(How.ADDRESS, _SERVER),
        "port": Rule(How.KEEP, _PORT),
        "ttl": Rule(How.KEEP, "how far it was to go"),
        "trigger": Rule(How.KEEP, "what it carried"),
        "name": Rule(How.TEXT, "which name it carried"),
        "contrast": Rule(How.KEEP, "whether that was a harmless one"),
        "answer": Rule(How.KEEP, "what came back"),
        "router": Rule(How.ADDRESS, "where on the path the censor is; routers at home are"
                       " withheld when it is measured already"),
        "received": Rule(How.BYTES, "how the answer begins"),
        "hello": Rule(How.KEEP, "whose ClientHello it was"),
    },
    e.Transfer: COMMON | {
        "what": Rule(How.KEEP, "which of those that are compared"),
        "source": Rule(How.SOURCE, "whose data it was: an address or a control"),
        "ip": Rule(How.ADDRESS, _SERVER + "; that of the user's own control is left out"),
        "port": Rule(How.KEEP, _PORT),
        "sni": Rule(How.TEXT, "the name that a censor could read"),
        "host": Rule(How.TEXT, "the name that was asked for"),
        "round": Rule(How.KEEP, "which of them were at the same time"),
        "beside": Rule(How.KEEP, "which of them were at the same time"),
        "status": Rule(How.KEEP, "what was answered"),
        "connect": Rule(How.KEEP, "seconds"),
        "handshake": Rule(How.KEEP, "seconds"),
        "wait": Rule(How.KEEP, "seconds"),
        "seconds": Rule(How.KEEP, "how fast it was"),
        "asked": Rule(How.KEEP, "bytes"),
        "received": Rule(How.KEEP, "bytes"),
        "whole": Rule(How.KEEP, "whether it was cut off"),
        "samples": Rule(How.KEEP, "when it became slow"),
        "rtt": Rule(How.KEEP, "loss and delay tell throttling from a bad line"),
        "rtt_min": Rule(How.KEEP, "loss and delay tell throttling from a bad line"),
        "retransmits": Rule(How.KEEP, "loss and delay tell throttling from a bad line"),
        "out_of_order": Rule(How.KEEP, "loss and delay tell throttling from a bad line"),
    },
    e.PacketFacts: {
        "t": Rule(How.KEEP, "injected packets come too early"),
        "way": Rule(How.KEEP, "who sent it"),
        "protocol": Rule(How.KEEP, "of which protocol"),
        "source": Rule(How.ADDRESS, "who said that it could not be delivered"),
        "sport": Rule(How.KEEP, "which connection it was of; our own ports are numbered anew"),
        "dport": Rule(How.KEEP, "which connection it was of; our own ports are numbered anew"),
        "ttl": Rule(How.KEEP, "injected packets come from another distance"),
        "ip_id": Rule(How.KEEP, "injectors have habits"),
        "flags": Rule(How.KEEP, "what it said"),
        "seq": Rule(How.KEEP, "where in the connection; counted from its beginning"),
        "ack": Rule(How.KEEP, "where in the connection; counted from its beginning"),
        "seq_zero": Rule(How.KEEP, "injectors have habits"),
        "ack_zero": Rule(How.KEEP, "injectors have habits"),
        "window": Rule(How.KEEP, "injectors have habits"),
        "payload": Rule(How.KEEP, "how much it carried"),
        "icmp_type": Rule(How.KEEP, "why it could not be delivered"),
        "icmp_code": Rule(How.KEEP, "why it could not be delivered"),
        "quoted": Rule(How.KEEP, "which packet that is about"),
    },
    e.PacketCapture: COMMON | {
        "ip": Rule(How.ADDRESS, _SERVER),
        "port": Rule(How.KEEP, _PORT),
        "status": Rule(How.KEEP, "whether this machine could capture"),
        "packets": Rule(How.INSIDE, "the headers"),
        "raw": Rule(How.PACKETS, "the packets themselves: a later eye sees more in them"),
        "dropped": Rule(How.KEEP, "how many are missing"),
    },
    e.Echo: COMMON | {
        "ip": Rule(How.ADDRESS, _SERVER),
        "port": Rule(How.KEEP, _PORT),
        "form": Rule(How.KEEP, "how it answers"),
        "sent": Rule(How.BYTES, "what was sent"),
        "received": Rule(How.BYTES, "what reached the server: who changes it on the way"),
    },
    e.RelayLink: COMMON | {
        "relay": Rule(How.KEEP, "of which class"),
        "ip": Rule(How.ADDRESS, "which relay; empty where the bridge is secret"),
        "port": Rule(How.KEEP, _PORT),
        "key": Rule(How.KEEP, "tells secret bridges of one batch apart, and not which they are"),
        "name": Rule(How.TEXT, "which relay"),
        "channel": Rule(How.TEXT, "how the bridge was given out: censors collect by channel"),
        "operation": Rule(How.KEEP, "at which step it failed"),
        "identity": Rule(How.KEEP, "whether the relay proved to be itself: some are pretended"),
        "fingerprint": Rule(How.KEEP, "who answered; a public relay's, of a secret bridge empty"),
        "ed25519": Rule(How.KEEP, "who answered; a public relay's, of a secret bridge empty"),
        "versions": Rule(How.KEEP, "which link versions it offered: who pretends offers others"),
        "skew": Rule(How.SECONDS, "how wrong its clock or ours is: old certificates look forged"),
    },
    e.Bootstrap: COMMON | {
        "transport": Rule(How.KEEP, "by which way"),
        "rendezvous": Rule(How.TEXT, "over whom the way is found"),
        "progress": Rule(How.KEEP, "how far it came"),
        "stage": Rule(How.KEEP, "how far it came"),
        "seconds": Rule(How.KEEP, "how fast it was"),
        "limit": Rule(How.KEEP, "how long it was given"),
        "tool": Rule(How.TEXT, "which version of which program"),
        "troubles": Rule(How.TEXT, "why connections failed"),
    },
    e.Reach: COMMON | {
        "service": Rule(How.KEEP, "of which service"),
        "part": Rule(How.KEEP, "which part of it"),
        "ip": Rule(How.ADDRESS, _SERVER),
        "port": Rule(How.KEEP, _PORT),
        "operation": Rule(How.KEEP, "at which step it failed"),
        "received": Rule(How.BYTES, "how its own answer begins: who else answers says otherwise"),
    },
    e.AddressInfo: {
        "asn": Rule(How.KEEP, "whose network"),
        "holder": Rule(How.TEXT, "whose network"),
        "cc": Rule(How.KEEP, "in which country"),
    },
    e.Measurement: {
        "id": Rule(How.KEEP, "random; the dataset holds each measurement once"),
        "run_id": Rule(How.KEEP, "random; joins it with its run and canaries"),
        "nettest": Rule(How.KEEP, "what was measured"),
        "nettest_version": Rule(How.KEEP, "how"),
        "url": Rule(How.TEXT, "the target; those of a personal list do not leave at all"),
        "category": Rule(How.KEEP, "the list's word"),
        "risk": Rule(How.KEEP, "the list's word"),
        "list_name": Rule(How.LIST, "which list it is on"),
        "started_at": Rule(How.MOMENT, "when: blocks begin and end"),
        "runtime": Rule(How.KEEP, "how long it took"),
        "software_version": Rule(How.KEEP, "by which instrument"),
        "evidence": Rule(How.INSIDE, "what was seen"),
        "comparison": Rule(How.FACTS, "where it differs from the controls, or what it follows up"),
        "addresses": Rule(How.OF_ADDRESSES, "whose the servers' addresses are"),
        "about": Rule(How.KEEP, "which measurement it follows up"),
        "document": Rule(How.OUT, "others' documents are not ours to send"),
        "origin": Rule(How.OUT, "a file's name on this machine"),
    },
    e.CanaryCheck: {
        "run_id": Rule(How.KEEP, "joins it with its run"),
        "ring": Rule(How.KEEP, "how far out"),
        "name": Rule(How.ADDRESS, "what should always answer; the home router is unnamed"),
        "at": Rule(How.MOMENT, "whether the line was alive then"),
        "runtime": Rule(How.KEEP, "how long it took"),
        "family": Rule(How.KEEP, "IPv4 or IPv6"),
        "failure": Rule(How.KEEP, _OUTCOME),
        "resolver_failure": Rule(How.KEEP, _OUTCOME),
        "handshake": Rule(How.KEEP, "whether certificates were looked at"),
        "tls_failure": Rule(How.KEEP, _OUTCOME),
        "problems": Rule(How.KEEP, "whether somebody opens what is encrypted"),
        "issuer": Rule(How.TEXT, "who does: an operator or a program at home"),
    },
    e.Run: {
        "id": Rule(How.KEEP, "random; joins it with its measurements"),
        "started_at": Rule(How.MOMENT, "when"),
        "ended_at": Rule(How.MOMENT, "how long it took"),
        "ended": Rule(How.KEEP, "whether it came to its end"),
        "software_version": Rule(How.KEEP, "by which instrument"),
        "seed": Rule(How.OUT, "one that is set by hand would join runs of one person"),
        "concurrency": Rule(How.KEEP, "how busy the line was with ourselves"),
        "platform": Rule(How.SYSTEM, "instruments differ between systems"),
        "probe_asn": Rule(How.KEEP, "whose network: what every finding is about"),
        "probe_cc": Rule(How.KEEP, "in which country"),
        "probe_network": Rule(How.TEXT, "whose network"),
        "resolver_asn": Rule(How.KEEP, "whose resolver: who would lie"),
        "resolver_network": Rule(How.TEXT, "whose resolver"),
        "resolver_cc": Rule(How.KEEP, "whose resolver"),
        "resolver_at": Rule(How.KEEP, "whether it is at home: then it is not the operator's lie"),
        "way_out": Rule(How.KEEP, "whether a tunnel carried it"),
        "vpn": Rule(How.KEEP, "whether it is about another network"),
        "home_router": Rule(How.KEEP, "whether there is a router that may interfere"),
        "forger_at": Rule(How.KEEP, "whether a program at home interferes"),
        "asn_source": Rule(How.TEXT, "how old the table of networks is"),
        "ipv4": Rule(How.KEEP, "what could be measured"),
        "ipv6": Rule(How.KEEP, "what could be measured"),
        "clock_offset": Rule(How.SECONDS, "whether times can be trusted; a clock's error in"
                             " milliseconds is that of one machine"),
        "captive_portal": Rule(How.KEEP, "whether anything could be measured"),
        "trust_store": Rule(How.TEXT, "by which roots certificates were judged"),
        "controls": Rule(How.CONTROLS, "who was asked"),
        "lists": Rule(How.LISTS, "what was measured"),
        "source": Rule(How.TEXT, "by which program; empty for ours"),
        "report": Rule(How.OUT, "others' documents are not ours to send"),
        "probe_id": Rule(How.OUT, "a pseudonym given elsewhere"),
        "network_type": Rule(How.KEEP, "mobile networks have censors of their own"),
    },
}  # fmt: skip
