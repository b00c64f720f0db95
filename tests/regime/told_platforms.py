"""H11 to H16: platforms, sanctions, name servers, URL entries, Tor in 2016 and in 2020."""

from __future__ import annotations

from typing import Any

from tests.regime.histories import (
    A1,
    ABROAD,
    BELTELECOM,
    DAY,
    DELOVAYA,
    HOSTER,
    MTS,
    RUSSIA,
    Change,
    History,
    Story,
    Test,
    all_of,
    at,
    known,
    saw,
    tried,
    turned,
    without,
)  # fmt: skip


def _is(name: str, cc: str = "", **values: Any) -> Test:
    def test(row: Any) -> bool:
        same = all(getattr(row, key) == value for key, value in values.items())
        return row.test == name and (not cc or row.probe_cc == cc) and same

    return test


def _elsewhere(name: str) -> Test:
    return lambda row: row.test == name and row.probe_cc not in ("BY", "RU")


# H11 ------------------------------------------------------------------------------------

NOTICE = at("2023-05-10T10:00")
HOUSEHOLDS = (BELTELECOM, A1, MTS)


def _platform(mechanism: str = "", certificate: str = "valid", other: str = "ministry") -> History:
    """VK withholds a page from Belarusian addresses, on every network alike."""
    outcome = "blocked" if mechanism else "server_side"
    return all_of([
        *(saw("vk.com", NOTICE, asn, outcome, mechanism) for asn in HOUSEHOLDS),
        *(tried("notice", "ministry", NOTICE, asn, "vk.com") for asn in HOUSEHOLDS[:2]),
        tried("notice", other, NOTICE, MTS, "vk.com"),
        tried("certificate", certificate, NOTICE, BELTELECOM, "vk.com"),
        tried("notice", "ministry", NOTICE, HOSTER, "vk.com"),
        tried("notice", "none", NOTICE, ABROAD, "vk.com", cc="DE"),
    ])  # fmt: skip


H11 = Story(
    id="H11",
    true=_platform(),
    false={
        "the handshake is interfered with": _platform(mechanism="tls.reset"),
        "networks differ": _platform(other="none"),
    },
    undecidable={
        "nobody read the page": (without("tests", _is("notice"))(_platform()), "notice"),
        "the certificate was not kept": (
            without("tests", _is("certificate"))(_platform()), "certificate"),
    },
    fields={
        "valid certificate chain": (
            without("tests", _is("certificate")),
            turned("tests", _is("certificate"), result="forged"),
        ),
        "Belarusian address": (without("tests", _is("notice", probe_asn=MTS)),
                               turned("tests", _is("notice", probe_asn=MTS), result="none")),
        "exit that is geolocated in Belarus": (
            without("tests", _is("notice", probe_asn=HOSTER)),
            turned("tests", _is("notice", probe_asn=HOSTER), result="none"),
        ),
        "page text without login": (
            without("tests", _is("notice", "BY")),
            turned("tests", _is("notice", "BY"), result="none"),
        ),
        "page from abroad": (
            without("tests", _is("notice", "DE")),
            turned("tests", _is("notice", "DE"), result="ministry"),
        ),
        "the fetch itself": (
            without("verdicts"), turned("verdicts", outcome="blocked", mechanisms="dns.nxdomain"),
        ),
    },
    confounded={
        "proxy": turned("verdicts", lambda r: r.probe_asn == A1, fingerprints="F07")(_platform()),
        "the app, not the web": turned("verdicts", nettest="vk_app", fingerprints="F17")(
            without("tests", _is("notice"))(_platform())),
    },
)  # fmt: skip

# H12 ------------------------------------------------------------------------------------

REFUSED = at("2024-02-01T10:00")
WISE = "wise.com"


def _refusal(elsewhere: str = "welcome", outcome: str = "server_side",
             fingerprints: str = "") -> History:  # fmt: skip
    """A delivery network refuses Belarus and Russia; Germany is let in."""

    def answer(asn: int, cc: str, status: float, body: str) -> History:
        return all_of([
            tried("status", str(int(status)), REFUSED, asn, WISE, cc=cc, value=status),
            tried("server", "cloudflare", REFUSED, asn, WISE, cc=cc),
            tried("body_hash", body, REFUSED, asn, WISE, cc=cc),
            tried("certificate", "valid", REFUSED, asn, WISE, cc=cc),
        ])  # fmt: skip

    return all_of([
        *(saw(WISE, REFUSED, asn, outcome, "tls.reset" if outcome == "blocked" else "",
              fingerprints=fingerprints) for asn in HOUSEHOLDS),
        *(answer(asn, "BY", 403.0, "sorry") for asn in HOUSEHOLDS),
        answer(RUSSIA, "RU", 403.0, "sorry"), answer(ABROAD, "DE", 200.0, elsewhere),
    ])  # fmt: skip


H12 = Story(
    id="H12",
    true=_refusal(),
    false={
        "a reset": _refusal(outcome="blocked"),
        "a Belarusian page": _refusal(fingerprints="F03"),
    },
    undecidable={
        "never compared with other countries": (
            without("tests", _elsewhere("body_hash"))(_refusal()), "another country"),
        "no headers": (without("tests", _is("server"))(_refusal()), "headers"),
    },
    fields={
        "status": (
            without("tests", _is("status", "BY")),
            turned("tests", _is("status", "BY"), value=200.0),
            turned("tests", _is("status", probe_asn=MTS), value=451.0),
        ),
        "headers": (
            without("tests", _is("server", "BY")), without("tests", _is("server", "DE")),
            turned("tests", _is("server", "BY"), result="squid"),
        ),
        "body hash here": (
            without("tests", _is("body_hash", "BY")),
            turned("tests", _is("body_hash", "BY"), result="other"),
        ),
        "body hash in Russia": (
            without("tests", _is("body_hash", "RU")),
            turned("tests", _is("body_hash", "RU"), result="welcome"),
        ),
        "body hash in other countries": (
            without("tests", _elsewhere("body_hash")),
            turned("tests", _elsewhere("body_hash"), result="sorry"),
        ),
        "certificate": (
            without("tests", _is("certificate")),
            turned("tests", _is("certificate"), result="forged"),
        ),
        "no Belarusian page": (without("verdicts"), turned("verdicts", fingerprints="F05")),
    },
    confounded={"against_robots": _refusal(elsewhere="sorry")},
)  # fmt: skip

# H13 ------------------------------------------------------------------------------------

PETITION = at("2012-08-12T10:00")
SIBLINGS = ("change.org", "flightradar24.com", "aviasales.ru", "whmcs.com")
SERVER = "ns.dnsmadeeasy.example"
RECORDS = ("a", "ns", "soa")


def _name_server(failing: tuple[str, ...] = SIBLINGS, public: str = "works") -> History:
    """A provider's resolver fails for every name of one foreign name server."""
    return all_of([
        *(known("name_servers", name=n, server=SERVER, at="2012-08-01") for n in SIBLINGS),
        *(tried(f"isp_{record}", "fails" if name in failing else "works", PETITION, BELTELECOM,
                name) for name in SIBLINGS for record in RECORDS),
        *(tried(f"public_{record}", public, PETITION, BELTELECOM, name)
          for name in SIBLINGS for record in RECORDS),
        *(tried("tcp_connect", "works", PETITION, BELTELECOM, name) for name in SIBLINGS),
        tried("isp_a", "works", PETITION, BELTELECOM, "unrelated.example"),
        tried("ns_port_53", "fails", PETITION, BELTELECOM, SERVER),
        tried("ns_port_53", "works", PETITION, ABROAD, SERVER, cc="DE"),
        tried("ns_port_53", "works", PETITION, RUSSIA, SERVER, cc="RU"),
    ])  # fmt: skip


def _sibling(test: str) -> Test:
    return lambda row: row.test == test and row.host in SIBLINGS


H13 = Story(
    id="H13",
    true=_name_server(),
    false={
        "only the target fails": _name_server(failing=("change.org",)),
        "the public resolver fails as well": _name_server(public="fails"),
    },
    undecidable={
        "no siblings": (
            without("tests", lambda r: r.host in SIBLINGS[1:])(_name_server()), "three names"),
        "the name server was not tried": (
            without("tests", _is("ns_port_53"))(_name_server()), "port 53"),
    },
    fields={
        **{
            f"{who} resolver, {record.upper()}": (
                without("tests", _sibling(f"{short}_{record}")),
                turned("tests", _sibling(f"{short}_{record}"),
                       result="works" if short == "isp" else "fails"),
            )
            for who, short in (("provider's", "isp"), ("public", "public")) for record in RECORDS
        },
        "reachability of the name server's port 53": (
            without("tests", _is("ns_port_53", "BY")),
            turned("tests", _is("ns_port_53", "BY"), result="works"),
        ),
        "sibling domains on the same name server": (
            without("name_servers"),
            turned("name_servers", lambda r: r.name != "change.org", server="another.example"),
        ),
        "addresses": (
            without("tests", _is("tcp_connect")),
            turned("tests", _is("tcp_connect"), result="fails"),
        ),
    },
    confounded={
        "server_outage": turned("tests", _is("ns_port_53", "DE"), result="fails")(_name_server()),
        "resolver_fault": turned("tests", _is("isp_a"), result="fails")(_name_server()),
        "russian_filter": turned("tests", _is("ns_port_53", "RU"), result="fails")(_name_server()),
    },
)  # fmt: skip

# H14 ------------------------------------------------------------------------------------

SHARED = at("2020-09-10T10:00")
TEXT_HOST, BIG = "txti.es", "vk.com"
COLLAPSING = (DELOVAYA, MTS)


def _url_entry(path: str = "fails", big: str = "works") -> History:
    """An entry for one page of a small shared host, and one for a page of a large platform."""
    return all_of([
        *(known("registers", register="BY", host=host, entry=f"https://{host}/page",
                entry_kind="url", listed="2020-08-21") for host in (TEXT_HOST, BIG)),
        *(tried(test, result, SHARED, asn, TEXT_HOST)
          for asn in COLLAPSING
          for test, result in (("host_root", path), ("sibling_path", path),
                               ("sibling_subdomain", "works"))),
        *(tried("host_root", big, SHARED, asn, BIG) for asn in COLLAPSING),
    ])  # fmt: skip


_small: Test = lambda r: r.host == TEXT_HOST  # noqa: E731
_root: Test = lambda r: r.test == "host_root" and r.host == TEXT_HOST  # noqa: E731
_big: Test = lambda r: r.host == BIG  # noqa: E731

H14 = Story(
    id="H14",
    true=_url_entry(),
    false={
        "precise to the path": _url_entry(path="works"),
        "large platforms are blocked as hosts": _url_entry(big="fails"),
    },
    undecidable={
        "nobody tried another page": (
            without("tests", _is("sibling_path"))(_url_entry()), "another path"),
        "the entry is a host": (
            turned("registers", entry_kind="host")(_url_entry()), "entry for a URL"),
    },
    fields={
        "host root": (without("tests", _root), turned("tests", _root, result="works")),
        "sibling path": (
            without("tests", _is("sibling_path")),
            turned("tests", _is("sibling_path"), result="works"),
        ),
        "sibling subdomain": (
            without("tests", _is("sibling_subdomain")),
            turned("tests", _is("sibling_subdomain"), result="fails"),
        ),
        "each URL-type entry": (
            without("registers"), turned("registers", entry_kind="host"),
            without("registers", _big),
        ),
        "large platforms": (without("tests", _big), turned("tests", _big, result="fails")),
    },
    confounded={
        "host_listed": _url_entry() + known(
            "registers", register="BY", host=TEXT_HOST, listed="2019-01-01"),
        "domain_blocked": turned("tests", _is("sibling_subdomain"), result="fails")(_url_entry()),
        "a proxy sees paths": turned("tests", _small, probe_asn=A1)(_url_entry()),
    },
)  # fmt: skip

# H15 ------------------------------------------------------------------------------------

FRIED = at("2016-12-10T10:00")
OLDER = tuple(f"198.51.100.{n}" for n in range(1, 7))
YOUNGER = ("198.51.100.201", "198.51.100.202")


def _relays() -> History:
    """Relays of November fail on their ORPort and nowhere else; those of December are open."""
    return all_of([
        *(known("relays", relay=f"R{ip}", role="relay", ip=ip, or_port=9001, dir_port=9030,
                first_seen="2016-03-01") for ip in OLDER),
        *(known("relays", relay=f"R{ip}", role="relay", ip=ip, or_port=9001,
                first_seen="2016-12-03") for ip in YOUNGER),
        *(tried(test, result, FRIED, BELTELECOM, ip=ip, port=port)
          for ip in OLDER
          for test, result, port in (
              ("or_port", "fails", 9001), ("dir_port", "works", 9030),
              ("relay_other_port", "works", 80), ("non_tor_tls", "fails", 9001))),
        *(tried("or_port", "works", FRIED, BELTELECOM, ip=ip, port=9001) for ip in YOUNGER),
        *(tried("or_port", "works", FRIED, ABROAD, ip=ip, port=9001, cc="DE") for ip in OLDER),
        tried("vanilla_bridge", "works", FRIED, BELTELECOM, "hashed-bridge"),
        tried("or_port_dirauth", "works", FRIED, BELTELECOM, ip="203.0.113.9", port=443),
    ])  # fmt: skip


def _both(name: str, other: str) -> tuple[Change, Change]:
    """Take away a test of the probe's, or turn its result to *other*."""
    return without("tests", _is(name, "BY")), turned("tests", _is(name, "BY"), result=other)


_young: Test = lambda r: r.ip in YOUNGER  # noqa: E731

H15 = Story(
    id="H15",
    true=_relays(),
    false={
        "directory ports are blocked": _both("dir_port", "fails")[1](_relays()),
        "authorities are blocked": _both("or_port_dirauth", "fails")[1](_relays()),
        "plain bridges fail": _both("vanilla_bridge", "fails")[1](_relays()),
        "relays are blocked at birth": turned("relays", _young, first_seen="2016-12-08")(
            turned("tests", _young, result="fails")(_relays())),
    },
    undecidable={
        "births are not known": (without("relays")(_relays()), "relays"),
        "no younger relays": (without("tests", _young)(_relays()), "younger"),
        "no plain bridge": (without("tests", _is("vanilla_bridge"))(_relays()), "bridges"),
    },
    fields={
        "ORPort": _both("or_port", "works"),
        "DirPort": _both("dir_port", "fails"),
        "other port": _both("relay_other_port", "fails"),
        "first-seen date": (
            without("relays"), turned("relays", first_seen="2016-12-08"),
            turned("relays", _young, first_seen="2015-01-01"),
        ),
        "vanilla bridge": _both("vanilla_bridge", "fails"),
        "non-Tor TLS on the same address and port": _both("non_tor_tls", "works"),
        "directory authorities": _both("or_port_dirauth", "fails"),
    },
    confounded={
        "relays that are down": turned("tests", _is("or_port", "DE"), result="fails")(_relays()),
        "relays that are asleep": turned("relays", last_seen="2016-11-01")(_relays()),
        "fallback lists": turned("relays", role="fallback")(_relays()),
        "blocks in Russia": turned("tests", measured_at=at("2021-12-10"))(_relays()),
    },
)  # fmt: skip

# H16 ------------------------------------------------------------------------------------

LISTED = at("2021-03-10T10:00")
CHANNELS = {"default": "fails", "email": "fails", "moat": "works", "private": "works"}


def _enumerated(channels: dict[str, str] | None = None, plain: str = "works",
                asn: int = BELTELECOM) -> History:  # fmt: skip
    """Bridges fail by the channel that hands them out; plain ones work."""
    rows = []
    for channel, result in (channels or CHANNELS).items():
        for n in range(3):
            relay = f"{channel}{n}"
            rows += [
                known("relays", relay=relay, role="bridge", channel=channel, transport="obfs4",
                      first_seen="2020-01-01"),
                tried("obfs4", result, LISTED, asn, relay),
                tried("obfs4", "works", LISTED, ABROAD, relay, cc="DE"),
            ]  # fmt: skip
    for n in range(3):
        rows += [
            known("relays", relay=f"plain{n}", role="bridge", channel="moat",
                  first_seen="2020-01-01"),
            tried("vanilla_bridge", plain, LISTED, asn, f"plain{n}"),
        ]  # fmt: skip
    return all_of([
        *rows,
        *(tried("or_port_dirauth", "fails", LISTED, asn, ip=f"203.0.113.{n}", port=443)
          for n in range(4)),
        *(tried("or_port", "fails", LISTED + DAY, asn, ip=ip, port=9001) for ip in OLDER),
    ])  # fmt: skip


def _channel(name: str, cc: str = "") -> Test:
    return lambda row: row.test in ("obfs4", "vanilla_bridge") and row.host.startswith(name) and (
        not cc or row.probe_cc == cc)  # fmt: skip


def _bridges(name: str, other: str) -> tuple[Change, Change]:
    test = _channel(name, "BY")
    return without("tests", test), turned("tests", test, result=other)


H16 = Story(
    id="H16",
    true=_enumerated(),
    false={
        "all bridges fail": _enumerated(dict.fromkeys(CHANNELS, "fails"), plain="fails"),
        "plain bridges fail": _enumerated(plain="fails"),
    },
    undecidable={
        "channels are not known": (
            turned("relays", channel="")(_enumerated()), "bridges"),
        "too few of a channel": (
            without("tests", lambda r: r.host in ("email1", "email2"))(_enumerated()), "mail"),
    },
    fields={
        "directory authorities": _both("or_port_dirauth", "works"),
        "ORPort": _both("or_port", "works"),
        "bridge class: default": _bridges("default", "works"),
        "bridge by channel: mail": _bridges("email", "works"),
        "bridge by channel: others": (
            without("tests", lambda r: r.host.startswith(("moat", "private"))),
            turned("tests", lambda r: r.host.startswith(("moat", "private")) and r.probe_cc == "BY",
                   result="fails"),
        ),
        "bridge class: plain": _bridges("plain", "fails"),
        "channel": (turned("relays", channel="email"), without("relays")),
        "per network": (turned("tests", probe_asn=0),),
    },
    confounded={
        "default bridges are dead": turned("tests", _channel("default", "DE"), result="fails")(
            _enumerated()),
        "bridges come and go": turned("relays", last_seen="2020-12-01")(_enumerated()),
        "few of each": without("tests", lambda r: r.host.endswith(("1", "2")))(_enumerated()),
    },
)  # fmt: skip

STORIES = (H11, H12, H13, H14, H15, H16)
