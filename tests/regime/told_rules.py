"""H06 to H10: the clock, lifting, the registry, the geofence, transit."""

from __future__ import annotations

import msgspec

from analysis.history.event import Interval, Part
from tests.regime.histories import (
    A1,
    ABROAD,
    BASNET,
    BELTELECOM,
    DAY,
    DELOVAYA,
    HOSTER,
    HOUR,
    LIFE,
    MTS,
    RUSSIA,
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

# H06 ------------------------------------------------------------------------------------

NETWORKS = (BELTELECOM, A1, MTS)
DAYTIME = (9, 10, 11, 12, 14, 15, 16, 17, 18, 20)  # Minsk, when the entry was made
ANY_TIME = (0, 2, 3, 5, 7, 9, 12, 16, 19, 22)


def _clock(hours: tuple[int, ...] = DAYTIME, lag: float = 2 * HOUR, width: float = HOUR) -> History:
    """Ten entries of 2023, each blocked *lag* after its inclusion, looked at hourly."""
    stories = []
    for day, hour in enumerate(hours):
        host, start = f"site{day}.example", at("2023-03-06") + day * DAY + (hour - 3) * HOUR
        onset = start + lag
        stories += [
            known("announcements", host=host, what="restrict", body="mininform", listed=start),
            event(f"e{day}", "blocking", [
                part(host, NETWORKS[(day + n) % 3], (onset - width, onset), mechanism="tls.reset")
                for n in range(2)
            ]),
        ]  # fmt: skip
    return all_of(stories)


def _wider(by: float) -> Change:
    def turn(found: Part) -> Part:
        wide = msgspec.structs.replace(found.onset, after=(found.onset.after or 0.0) - by)
        return msgspec.structs.replace(found, onset=wide)

    return parts_turned(turn)


H06 = Story(
    id="H06",
    true=_clock(),
    false={
        "onsets at any hour": _clock(ANY_TIME),
        "onsets days later": _clock(lag=3 * DAY),
    },
    undecidable={
        "tests a day apart": (_clock(width=DAY), "hourly tests"),
        "no decisions are known": (without("announcements")(_clock()), "decision"),
        "no onset": (History(), "onsets of blocks"),
    },
    fields={
        "hourly tests": (_wider(2 * DAY),),
        "freshly announced targets": (turned("announcements", host="other.example"),),
        "decision timestamp": (
            without("announcements"),
            turned("announcements", listed="2023-03-01"),
        ),
        "first failure per network": (
            parts_turned(lambda p: p if p.probe_asn == A1 else None),
            _wider(30 * DAY),
        ),
    },
    confounded={
        "the decision is not the inclusion": turned(
            "announcements", listed="", decided="2023-03-01"
        )(_clock()),
        "blocked before the decision": turned("announcements", listed="2023-05-01")(_clock()),
        "gaps between tests": _clock(width=12 * HOUR),
    },
)  # fmt: skip

# H07 ------------------------------------------------------------------------------------

BLOCKED_AT, RESTORED = at("2015-06-18T12:00"), at("2015-06-24T15:00")
KYKY = "kyky.org"


def _lifts(hours: dict[int, float], width: float = HOUR) -> History:
    """Blocked on all networks in a day, restored, and lifted so many hours later."""
    return all_of([
        known("announcements", host=KYKY, what="restore", body="mininform", announced=RESTORED),
        event("kyky", "blocking", [
            part(KYKY, asn, (BLOCKED_AT + n * HOUR, BLOCKED_AT + n * HOUR + width),
                 (RESTORED + late * HOUR - width, RESTORED + late * HOUR), "http.redirect")
            for n, (asn, late) in enumerate(hours.items())
        ]),
        *(saw(KYKY, RESTORED + 0.5 * HOUR, asn, "blocked", "http.redirect", ip="192.0.2.5")
          for asn in hours),
        *(saw(KYKY, RESTORED + (late + 1) * HOUR, asn, ip="192.0.2.5")
          for asn, late in hours.items()),
    ])  # fmt: skip


SCATTERED = {BELTELECOM: 3.0, A1: 26.0, MTS: 75.0}
_no_lift = parts_turned(lambda p: msgspec.structs.replace(p, lift=None))

H07 = Story(
    id="H07",
    true=_lifts(SCATTERED),
    false={"all lift within hours": _lifts({BELTELECOM: 2.0, A1: 3.0, MTS: 4.0})},
    undecidable={
        "nobody looked for weeks": (_lifts(SCATTERED, width=30 * DAY), "close enough"),
        "no restoration was published": (
            without("announcements")(_lifts(SCATTERED)), "restoration"),
    },
    fields={
        "last failure per network": (
            lambda h: without("verdicts", lambda r: r.outcome == "blocked")(
                parts_turned(lambda p: msgspec.structs.replace(p, lift=Interval(None, p.lift.by))
                             if p.lift else None)(h)),
            lambda h: parts_turned(lambda p: msgspec.structs.replace(
                p, lift=Interval(RESTORED, p.lift.by)) if p.lift else None)(h),
        ),
        "first success per network": (
            _no_lift,
            parts_turned(lambda p: msgspec.structs.replace(
                p, lift=Interval(RESTORED, RESTORED + HOUR))),
        ),
        "published restoration": (
            without("announcements"), turned("announcements", what="restrict"),
            turned("announcements", announced="2015-09-01"),
        ),
        "per network": (parts_turned(lambda p: p if p.probe_asn == A1 else None),),
    },
    confounded={
        "content_changed": _lifts(SCATTERED) + tried(
            "content", "changed", RESTORED + HOUR, A1, KYKY),
        "address_changed": turned("verdicts", lambda r: r.outcome == "ok", ip="192.0.2.99")(
            _lifts(SCATTERED)),
        "gaps between tests": _lifts(SCATTERED, width=10 * DAY),
    },
)  # fmt: skip

# H08 ------------------------------------------------------------------------------------

ANNULLED = at("2024-06-03T12:00")
NAME, FOREIGN = "extremist.by", "foreign.example"


def _registry(zone: str = "nxdomain", state: str = "deleted", outcome: str = "down",
              foreign: str = "blocked") -> History:  # fmt: skip
    """A listed .by name that is gone, and a listed foreign name that fails here."""
    return all_of([
        *(known("registers", register="BY", host=host, listed="2024-05-30")
          for host in (NAME, FOREIGN)),
        known("zones", name=NAME, zone="by", at=ANNULLED, state=zone, vantage="DE"),
        known("registrations", name=NAME, at=ANNULLED, state=state),
        saw(NAME, ANNULLED, BELTELECOM, outcome, "dns.nxdomain"),
        saw(NAME, ANNULLED, ABROAD, "down" if outcome == "down" else "ok",
            "dns.nxdomain" if outcome == "down" else "", cc="DE"),
        saw(FOREIGN, ANNULLED, BELTELECOM, foreign, "tls.reset"),
        saw(FOREIGN, ANNULLED, ABROAD, "ok" if foreign == "blocked" else "down", cc="DE"),
    ])  # fmt: skip


def _of(host: str, cc: str = "") -> Test:
    return lambda row: row.host == host and (not cc or row.probe_cc == cc)


H08 = Story(
    id="H08",
    true=_registry(),
    false={"delegated, and blocked here only": _registry("delegated", "active", "blocked")},
    undecidable={
        "the zone was not asked": (without("zones")(_registry()), "parent zone"),
        "before the rule": (
            turned("verdicts", measured_at=at("2020-08-22"))(_registry()), "since April 2024"),
    },
    fields={
        "parent zone from outside": (
            without("zones"), turned("zones", state="delegated"), turned("zones", vantage="BY"),
        ),
        "WHOIS or RDAP": (without("registrations"), turned("registrations", state="active")),
        "name in Belarus": (
            without("verdicts", _of(NAME, "BY")),
            turned("verdicts", _of(NAME, "BY"), outcome="ok", mechanisms=""),
        ),
        "name from a control": (
            lambda h: turned("verdicts", _of(NAME), controls=0)(
                without("verdicts", _of(NAME, "DE"))(h)),
            turned("verdicts", _of(NAME, "DE"), outcome="ok", mechanisms=""),
        ),
        "foreign names": (
            without("verdicts", _of(FOREIGN)),
            lambda h: turned("verdicts", _of(FOREIGN), outcome="down")(h),
        ),
    },
    confounded={
        "expired": _registry(state="expired"),
        "moved": turned("registrations", holder_changed="2024-06-02")(_registry()),
        "servers_fail": turned("verdicts", lambda r: r.host == NAME,
                               mechanisms="dns.servfail")(_registry(zone="delegated")),
        "hoster": turned("verdicts", _of(NAME), mechanisms="tcp.silence")(_registry()),
    },
)  # fmt: skip

# H09 ------------------------------------------------------------------------------------

FENCE, OPEN = at("2025-01-25T07:00"), at("2025-01-27T20:59")
STATE = "president.gov.by"


def _fence(inside: str = "ok") -> History:
    """A site hosted in Belarus that nobody abroad reaches in the hours of the order."""
    hours = [FENCE + n * HOUR for n in range(1, 61, 4)]
    return all_of([
        known("announcements", host="*", what="geofence", body="oac", effective=FENCE, until=OPEN),
        known("hosting", host=STATE, ip="192.0.2.20", asn=HOSTER, country="BY", at="2025-01-20"),
        *(saw(STATE, when, ABROAD, "down", "tcp.silence", cc="DE") for when in hours),
        *(saw(STATE, when, ABROAD, cc="DE") for when in (FENCE - HOUR, OPEN + HOUR)),
        *(saw(STATE, when, BELTELECOM, inside) for when in hours),
        *(tried("control_fetch", "works" if inside == "ok" else "fails", when, HOSTER, STATE)
          for when in hours),
        saw(STATE, OPEN + 2 * HOUR, BELTELECOM),
    ])  # fmt: skip


_abroad: Test = lambda r: r.probe_cc == "DE"  # noqa: E731
_inside: Test = lambda r: r.probe_cc == "BY"  # noqa: E731

H09 = Story(
    id="H09",
    true=_fence(),
    false={"probes in Belarus fail too": _fence(inside="down")},
    undecidable={
        "no control in Belarus": (without("tests")(_fence()), "control in Belarus"),
        "nobody abroad looked": (without("verdicts", _abroad)(_fence()), "fails from abroad"),
    },
    fields={
        "control abroad": (
            without("verdicts", _abroad), turned("verdicts", _abroad, outcome="ok"),
            without("verdicts", lambda r: _abroad(r) and r.outcome == "ok"),
        ),
        "control in Belarus": (without("tests"), turned("tests", result="fails")),
        "probes in Belarus": (
            without("verdicts", _inside), turned("verdicts", _inside, outcome="down"),
        ),
        "where the host is": (without("hosting"), turned("hosting", country="DE")),
        "order timetable": (
            without("announcements"),
            turned("announcements", until="2025-01-26T12:00+00:00"),
            turned("announcements", effective="2025-01-25T12:00+00:00"),
        ),
    },
    confounded={
        "site_died": turned("verdicts", outcome="down")(_fence()),
        "delivery_rule": turned("verdicts", lambda r: r.outcome == "down", outcome="server_side")(
            _fence()),
        "attack": _fence() + event("attack", "ddos", [part(STATE, ABROAD, (FENCE, FENCE + HOUR))]),
    },
)  # fmt: skip

# H10 ------------------------------------------------------------------------------------

SPILL = at("2014-08-07T12:00")


def _spill(page: str = "F16", basnet: str = "ok") -> History:
    """Customers of one gateway meet the Russian page in the hours in which Russia does."""
    blocked = (DELOVAYA, LIFE)
    return all_of([
        known("registers", register="RU", host=KYKY, listed="2014-08-01", removed="2014-08-20"),
        *(saw(KYKY, SPILL, asn, "blocked", "http.blockpage", fingerprints=page) for asn in blocked),
        *(tried("transit", "RU", SPILL, asn, KYKY) for asn in blocked),
        saw(KYKY, SPILL, RUSSIA, "blocked", "http.blockpage", cc="RU", fingerprints="F16"),
        saw(KYKY, SPILL, BASNET, basnet, "" if basnet == "ok" else "http.blockpage",
            fingerprints="" if basnet == "ok" else page),
    ])  # fmt: skip


_in_russia: Test = lambda r: r.probe_cc == "RU"  # noqa: E731
_basnet: Test = lambda r: r.probe_asn == BASNET  # noqa: E731
_mechanism = {"mechanism": "http.blockpage", "mechanisms": "http.blockpage"}

H10 = Story(
    id="H10",
    true=_spill(),
    false={"all block it with Belarusian pages": _spill(page="F03", basnet="blocked")},
    undecidable={
        "the way is not known": (without("tests")(_spill()), "the way"),
        "no Russian page or entry": (
            without("registers")(turned("verdicts", fingerprints="")(_spill())), "F16"),
    },
    fields={
        "membership of a Russian register": (
            without("registers"), turned("registers", register="UA"),
        ),
        "by date": (turned("registers", listed="2014-09-01", removed=""),
                    turned("registers", removed="2014-08-02")),
        "traceroute or AS path": (without("tests"), turned("tests", result="DE")),
        "Russian probe in the same hour": (
            without("verdicts", _in_russia),
            turned("verdicts", _in_russia, outcome="ok", mechanisms=""),
            turned("verdicts", _in_russia, hour=lambda r: r.hour + 7),
        ),
        "page text": (turned("verdicts", fingerprints=""), turned("verdicts", fingerprints="F03")),
        "BASNET or EU transit": (
            without("verdicts", _basnet),
            turned("verdicts", _basnet, outcome="blocked", fingerprints="F16", **_mechanism),
        ),
    },
    confounded={
        "listed_here": _spill() + known("registers", register="BY", host=KYKY, listed="2014-01-01"),
        "refuses_both": _spill() + saw(KYKY, SPILL, A1, "server_side")
        + saw(KYKY, SPILL, RUSSIA, "server_side", cc="RU"),
        "platform": turned("verdicts", fingerprints="F16,F17")(_spill()),
        "a request carried out by a provider here": turned("tests", result="BY")(_spill()),
    },
)  # fmt: skip

STORIES = (H06, H07, H08, H09, H10)
