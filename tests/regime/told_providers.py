"""H01 to H05: who is bound, gateways, providers' own equipment, shutdowns, two schemes."""

from __future__ import annotations

from typing import Any

import msgspec

from analysis.history.event import Interval
from tests.regime.histories import (
    A1,
    ABROAD,
    ATLANT,
    BANK,
    BELTELECOM,
    BSU,
    COSMOS,
    DAY,
    DELOVAYA,
    HOUR,
    LIFE,
    MTS,
    UNIBEL,
    Change,
    History,
    Story,
    Test,
    all_of,
    at,
    event,
    known,
    part,
    parts_turned,
    saw,
    tried,
    turned,
    without,
)  # fmt: skip

# H01 ------------------------------------------------------------------------------------

BEFORE, AFTER = at("2014-10-07"), at("2015-06-02")
BOUND = (UNIBEL, BSU)
HOUSEHOLD = (BELTELECOM, A1)


def _scope(before: str = "ok", after: str = "blocked", state: str = "blocked") -> History:
    """One listed site, on two networks of education and two of households, in both eras."""

    def look(when: float, asns: tuple[int, ...], outcome: str, page: str) -> History:
        blocked = outcome == "blocked"
        return all_of(
            saw("charter97.org", when + n * DAY, asn, outcome, "http.blockpage" if blocked else "",
                probes=2, fingerprints=page if blocked else "")
            for n, asn in enumerate(asns)
        )  # fmt: skip

    return all_of([
        known("registers", register="BY", host="charter97.org", listed="2011-04-07"),
        look(BEFORE, BOUND, state, ""), look(BEFORE, HOUSEHOLD, before, ""),
        look(AFTER, BOUND, "blocked", ""), look(AFTER, HOUSEHOLD, after, "F04"),
    ])  # fmt: skip


def _early(row: Any) -> bool:
    return getattr(row, "measured_at", 0.0) < at("2015-02-25")


_household_early: Change = turned(
    "verdicts", lambda r: _early(r) and r.probe_asn in HOUSEHOLD, outcome="blocked",
    mechanism="tcp.silence", mechanisms="tcp.silence",
)  # fmt: skip

H01 = Story(
    id="H01",
    true=_scope(),
    false={
        "household networks blocked it before": _scope(before="blocked"),
        "household networks left it open for months": _scope(after="ok"),
    },
    undecidable={
        "only household networks were measured": (
            without("verdicts", lambda r: r.probe_asn in BOUND)(_scope()), "no case"),
        "the state's networks did not comply": (_scope(state="ok"), "blocked on a network"),
    },
    fields={
        "same target": (
            turned("verdicts", _early, host="other.example"),
            turned("registers", host="other.example"),
        ),
        "same week": (
            turned("verdicts", lambda r: r.probe_asn in BOUND,
                   measured_at=lambda r: r.measured_at - 28 * DAY),
        ),
        "probes in state and education networks": (
            without("verdicts", lambda r: r.probe_asn in BOUND and _early(r)),
            turned("verdicts", lambda r: r.probe_asn in BOUND and _early(r), outcome="ok",
                   mechanisms=""),
            turned("verdicts", lambda r: r.probe_asn in BOUND, probe_asn=BANK),
        ),
        "probes in residential networks": (
            without("verdicts", lambda r: r.probe_asn in HOUSEHOLD and _early(r)),
            without("verdicts", lambda r: r.probe_asn in HOUSEHOLD and not _early(r)),
            turned("verdicts", lambda r: r.probe_asn in HOUSEHOLD and not _early(r), outcome="ok",
                   mechanisms=""),
            turned("verdicts", lambda r: r.probe_asn in HOUSEHOLD, probe_asn=BANK),
        ),
        "block-page text citing 6/8": (
            turned("verdicts", fingerprints=""), turned("verdicts", fingerprints="F16"),
        ),
    },
    confounded={
        "crisis_block": _household_early(_scope()),
        "asked_for": turned(
            "verdicts", lambda r: r.probe_asn in HOUSEHOLD and r.probe_id.endswith("-0"),
            outcome="ok", mechanisms="", fingerprints="",
        )(_scope()),
        "state networks that did not comply": _scope(state="ok"),
        "filters of companies": turned(
            "verdicts", lambda r: r.probe_asn in HOUSEHOLD and not _early(r), probe_asn=BANK
        )(_scope()),
    },
)  # fmt: skip

# H02 ------------------------------------------------------------------------------------

CRISIS = at("2014-08-14T09:00")
OLD, NEW = "192.0.2.10", "192.0.2.77"
BT_CUSTOMERS = (BELTELECOM, ATLANT, COSMOS)
SITE = "charter97.org"


def _gateway(mechanism: str = "tcp.silence", late: float = 0.0, abroad: str = "ok") -> History:
    """Beltelecom's customers lose a site in one hour; it moves and is followed; four days."""
    end = CRISIS + 4 * DAY
    onsets = {asn: (CRISIS - HOUR, CRISIS) for asn in BT_CUSTOMERS}
    onsets[COSMOS] = (CRISIS - HOUR + late, CRISIS + late)
    looks = [
        saw(SITE, CRISIS + n * HOUR, asn, "ok" if asn == DELOVAYA else "blocked",
            "" if asn == DELOVAYA else mechanism, probes=2)
        for asn in (*BT_CUSTOMERS, DELOVAYA) for n in range(1, 30, 6)
    ]  # fmt: skip
    return all_of([
        event("crisis", "blocking", [
            part(SITE, asn, onset, (end, end + HOUR), mechanism) for asn, onset in onsets.items()
        ]),
        *looks,
        saw(SITE, CRISIS + 2 * HOUR, ABROAD, abroad, cc="DE"),
        tried("tcp_connect", "fails", CRISIS + HOUR, ATLANT, SITE, ip=OLD, port=80),
        tried("tcp_connect", "works", CRISIS + 8 * HOUR, ATLANT, SITE, ip=NEW, port=80),
        tried("tcp_connect", "fails", CRISIS + 9 * HOUR, ATLANT, SITE, ip=NEW, port=80),
        tried("harmless_here", "fails", CRISIS + HOUR, ATLANT, SITE, ip=OLD, port=80),
        tried("last_hop", "asbr1.net.belpak.by", CRISIS + HOUR, ATLANT, SITE, ip=OLD, value=4),
    ])  # fmt: skip


def _is(name: str, **values: object) -> Test:
    return lambda row: row.test == name and all(getattr(row, k) == v for k, v in values.items())


_gone_abroad = turned("verdicts", lambda r: r.probe_cc == "DE", outcome="down")
_beside = event("other", "ddos", [part(SITE, ABROAD, (CRISIS - HOUR, CRISIS))])

H02 = Story(
    id="H02",
    true=_gateway(),
    false={
        "providers follow one another over a day": _gateway(late=20 * HOUR),
        "a page is shown": _gateway(mechanism="http.blockpage"),
        "it fails abroad as well": _gateway(abroad="down"),
    },
    undecidable={
        "nobody looked beside": (without("tests")(_gateway()), "traceroute"),
        "no event": (without("events")(_gateway()), "an event before 2015"),
    },
    fields={
        "TCP connect to the old address": (
            without("tests", _is("tcp_connect", ip=OLD)),
            turned("tests", _is("tcp_connect", ip=OLD), result="works"),
        ),
        "TCP connect to the new address": (
            without("tests", _is("tcp_connect", ip=NEW)),
            lambda h: without("tests", _is("tcp_connect", ip=NEW, result="fails"))(h)
            + tried("tcp_connect", "works", CRISIS + 60 * HOUR, ATLANT, SITE, ip=NEW, port=80),
        ),
        "unrelated site on the same address": (
            without("tests", _is("harmless_here")),
            turned("tests", _is("harmless_here"), result="works"),
        ),
        "traceroute": (
            without("tests", _is("last_hop")),
            turned("tests", _is("last_hop"), result="edge.example"),
            lambda h: turned("verdicts", hop_asn=ABROAD)(without("tests", _is("last_hop"))(h)),
        ),
        "three networks, one of them behind NTEC only": (
            without("verdicts", lambda r: r.probe_asn == DELOVAYA),
            turned("verdicts", lambda r: r.probe_asn == COSMOS, outcome="ok", mechanisms=""),
            parts_turned(lambda p: p if p.probe_asn == ATLANT else None),
        ),
        "onset per network": (
            parts_turned(lambda p: msgspec.structs.replace(
                p, onset=Interval(CRISIS - 9 * HOUR, p.onset.by))),
            parts_turned(lambda p: msgspec.structs.replace(
                p, onset=Interval(CRISIS + p.probe_asn, CRISIS + p.probe_asn + 60))),
        ),
        "no page": (
            without("verdicts"),
            turned("verdicts", lambda r: r.probe_asn == COSMOS, fingerprints="F01"),
        ),
        "its end": (
            turned("events", lift=None),
            turned("events", lift=Interval(CRISIS + 60 * DAY, CRISIS + 61 * DAY)),
        ),
        "control vantage": (
            lambda h: turned("verdicts", controls=0)(without(
                "verdicts", lambda r: r.probe_cc == "DE")(h)),
            _gone_abroad,
        ),
    },
    confounded={
        "attack": _gateway() + _beside,
        "hoster": turned("events", lambda e: e.id == "other", kind="outage")(_gateway() + _beside),
        "transit": turned("verdicts", lambda r: r.probe_asn == COSMOS, fingerprints="F16")(
            _gateway()),
        "an attack alone": turned("events", kind="ddos")(
            turned("verdicts", outcome="down")(_gateway())),
    },
)  # fmt: skip

# H03 ------------------------------------------------------------------------------------

LISTED = at("2020-09-23T12:00")
OWN = {
    BELTELECOM: ("http.redirect", "F01", "http"), DELOVAYA: ("tls.reset", "F12", "https"),
    A1: ("http.redirect", "F05", "http"), ATLANT: ("tls.forged", "F07", "https"),
    MTS: ("dns.substituted", "F08,F09", "http"),
}  # fmt: skip


def _matrix(fingerprints: dict[int, str] | None = None) -> History:
    """One site on one day, with the signature of each provider."""
    return all_of(
        saw("belsat.eu", LISTED, asn, "blocked", mechanism, url=f"{scheme}://belsat.eu/",
            fingerprints=(fingerprints or {}).get(asn, own))
        for asn, (mechanism, own, scheme) in OWN.items()
    )  # fmt: skip


def _lost(asn: int, fingerprint: str) -> tuple[Change, Change]:
    def here(row: Any) -> bool:
        return getattr(row, "probe_asn", 0) == asn

    def less(row: Any) -> str:
        found = str(getattr(row, "fingerprints", "")).split(",")
        return ",".join(i for i in found if i != fingerprint)

    return turned("verdicts", here, fingerprints=less), turned("verdicts", here, probe_asn=COSMOS)


_one = dict.fromkeys(OWN, "F01")

H03 = Story(
    id="H03",
    true=_matrix(),
    false={"one signature everywhere": _matrix(_one)},
    undecidable={
        "only two providers": (
            without("verdicts", lambda r: r.probe_asn not in (BELTELECOM, MTS))(_matrix()), "A1"),
        "no fingerprints": (turned("verdicts", fingerprints="")(_matrix()), "fingerprints"),
    },
    fields={
        "F01, F02 on AS6697": _lost(BELTELECOM, "F01"),
        "F05, F06 on A1": _lost(A1, "F05"),
        "F07 on A1": _lost(ATLANT, "F07"),
        "F08 on MTS": _lost(MTS, "F08"),
        "F09, F10 on MTS": _lost(MTS, "F09"),
        "F11, F12, F13 on AS12406": _lost(DELOVAYA, "F12"),
        "fingerprints": (turned("verdicts", fingerprints="F01"),),
        "network": (turned("verdicts", probe_asn=BELTELECOM),),
        "target": (turned("verdicts", lambda r: r.probe_asn == MTS, host="other.example"),),
    },
    confounded={
        "bought from another": _matrix({DELOVAYA: "F01", A1: "F01", ATLANT: "F01"}),
        "customers of companies": turned("verdicts", probe_asn=BANK)(_matrix()),
        "A1 and Atlant are one": _matrix({BELTELECOM: "F05", DELOVAYA: "F05", MTS: "F05"}),
    },
)  # fmt: skip

# H04 ------------------------------------------------------------------------------------

NIGHT = at("2020-08-09T21:00")
DARK = (BELTELECOM, A1, MTS, LIFE)
FOREIGN = tuple(f"203.0.113.{n}" for n in range(1, 7))


def _shutdown(harmless: str = "fails", of: tuple[int, ...] = DARK) -> History:
    """A night in which TLS abroad fails on *of*, whatever the name; the rest works."""
    when = NIGHT + HOUR
    tls = [
        tried(test, (harmless if asn in of else "works"), when, asn, ip=ip, port=443)
        for asn in DARK for ip in FOREIGN for test in ("harmless_elsewhere", "no_name")
    ]  # fmt: skip
    web = [
        saw(host, when, asn, url=f"http://{host}/")
        for asn in DARK for host in ("neverssl.example", "onliner.by")
    ]  # fmt: skip
    return all_of([
        event("night", "shutdown",
              [part("", asn, (NIGHT - HOUR, NIGHT), (NIGHT + 8 * HOUR, NIGHT + 9 * HOUR),
                    "tls.silence") for asn in of]),
        *tls, *web,
        known("connectivity", feed="ioda", signal="bgp", at=when, level=0.97),
        known("connectivity", feed="ioda", signal="probing", at=when, level=0.6),
    ])  # fmt: skip


def _local(row: Any) -> bool:
    return str(getattr(row, "host", "")).endswith(".by")


def _signal(name: str) -> Test:
    return lambda row: row.signal == name


_failing: dict[str, Any] = {
    "outcome": "blocked", "mechanism": "tcp.silence", "mechanisms": "tcp.silence",
}  # fmt: skip
_attack_then = event("attack", "ddos", [part("president.gov.by", ABROAD, (NIGHT, NIGHT + HOUR))])

H04 = Story(
    id="H04",
    true=_shutdown(),
    false={
        "only names of the list fail": _shutdown(harmless="works"),
        "one network only": _shutdown(of=(BELTELECOM,)),
    },
    undecidable={
        "who could have reported was offline": (
            without("tests", lambda r: r.probe_asn != BELTELECOM)(_shutdown()), "three networks"),
        "nobody looked from outside": (without("connectivity")(_shutdown()), "outside view"),
    },
    fields={
        "TLS with an innocuous name": (
            without("tests", _is("harmless_elsewhere")),
            turned("tests", _is("harmless_elsewhere"), result="works"),
        ),
        "TLS without a name": (
            without("tests", _is("no_name")),
            turned("tests", _is("no_name"), result="works"),
        ),
        "arbitrary foreign addresses": (turned("tests", ip=FOREIGN[0]),),
        "plain HTTP control": (
            without("verdicts", lambda r: not _local(r)),
            turned("verdicts", lambda r: not _local(r), **_failing),
            turned("verdicts", lambda r: not _local(r), url="https://neverssl.example/"),
        ),
        "local .by control": (
            without("verdicts", _local), turned("verdicts", _local, **_failing),
        ),
        "IODA, RIPE, BGP": (
            without("connectivity"), without("connectivity", _signal("bgp")),
            without("connectivity", _signal("probing")),
            turned("connectivity", _signal("probing"), level=1.0),
            turned("connectivity", _signal("bgp"), level=0.1),
        ),
    },
    confounded={
        "upstream_fault": turned("connectivity", level=0.1)(
            turned("verdicts", **_failing)(_shutdown())),
        "attack": _shutdown() + _attack_then,
        "only survivors report": without("tests", lambda r: r.probe_asn in (A1, MTS))(_shutdown()),
    },
)  # fmt: skip

# H05 ------------------------------------------------------------------------------------

RUN_AT = at("2020-08-22T10:00")


def _schemes(http: tuple[str, str, str], https: tuple[str, str]) -> History:
    """svaboda.org by both schemes in one run on Beltelecom."""
    return saw(
        "svaboda.org", RUN_AT, BELTELECOM, http[0], http[1], url="http://svaboda.org/",
        fingerprints=http[2],
    ) + saw("svaboda.org", RUN_AT, BELTELECOM, *https)  # fmt: skip


PAGE, RESET = ("blocked", "http.redirect", "F01"), ("blocked", "tls.reset")
_plain: Test = lambda row: row.url.startswith("http:")  # noqa: E731
_secure: Test = lambda row: row.url.startswith("https:")  # noqa: E731
_both = _schemes(PAGE, RESET)
_sent_on = tried("scheme", "upgraded", RUN_AT, BELTELECOM, "svaboda.org",
                 of=_both.verdicts[0].measurement_id)  # fmt: skip

H05 = Story(
    id="H05",
    true=_both,
    false={
        "neither shows a page": _schemes(("blocked", "http.reset", ""), RESET),
        "https is intercepted as http is": _schemes(PAGE, ("blocked", "tls.forged")),
        "only https is blocked": _schemes(("ok", "", ""), RESET),
    },
    undecidable={
        "https only": (without("verdicts", _plain)(_both), "http:// of the site"),
        "http only": (without("verdicts", _secure)(_both), "https:// of the site"),
        "another network": (turned("verdicts", probe_asn=A1)(_both), "AS6697"),
        "the address is blocked, for either scheme": (
            turned("verdicts", mechanisms="tcp.silence", fingerprints="")(_both), "AS6697"),
    },
    fields={
        "http of the host": (
            without("verdicts", _plain),
            turned("verdicts", _plain, outcome="ok", mechanisms="", fingerprints=""),
        ),
        "https of the same host": (
            without("verdicts", _secure),
            turned("verdicts", _secure, mechanisms="tls.forged"),
            turned("verdicts", _secure, host="other.example"),
        ),
        "the same run": (turned("verdicts", _secure, run_id="another"),),
        "classified separately": (turned("verdicts", mechanisms="tls.forged", fingerprints=""),),
    },
    confounded={
        "sent_on": _both + _sent_on,
        "hsts": turned("tests", result="hsts")(_both + _sent_on),
        "http was skipped": without("verdicts", _plain)(_both),
        "unblocked meanwhile": turned("verdicts", run_id=lambda r: r.url)(
            _schemes(PAGE, ("ok", ""))),
    },
)  # fmt: skip

STORIES = (H01, H02, H03, H04, H05)
