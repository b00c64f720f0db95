"""H01 to H05: who is bound, gateways, providers' own equipment, shutdowns, two schemes."""

from __future__ import annotations

from tests.regime.histories import (
    A1, ABROAD, ATLANT, BANK, BASNET, BELTELECOM, BSU, COSMOS, DAY, DELOVAYA, HOUR, LIFE, MTS,
    UNIBEL, Change, History, Story, all_of, at, event, known, part, parts_turned, saw, tried,
    turned, without,
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


def _early(row: object) -> bool:
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
            "" if asn == DELOVAYA else mechanism, probes=2,
            hop_asn=0 if asn == DELOVAYA else BELTELECOM)
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


def _is(name: str, **values: object) -> object:
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
        ),
        "three networks, one of them behind NTEC only": (
            without("verdicts", lambda r: r.probe_asn == DELOVAYA),
            turned("verdicts", lambda r: r.probe_asn == COSMOS, outcome="ok", mechanisms=""),
            parts_turned(lambda p: p if p.probe_asn == ATLANT else None),
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
    def here(row: object) -> bool:
        return getattr(row, "probe_asn", 0) == asn

    def less(row: object) -> str:
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

STORIES = (H01, H02, H03)
__all__ = ["BASNET", "LIFE", "STORIES"]
