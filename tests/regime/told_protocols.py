"""H17 to H21: anonymizers, ports, shaping, mobile shutdowns, mirrors."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from analysis.history.event import Interval
from tests.regime.histories import (
    A1,
    ABROAD,
    BELTELECOM,
    DAY,
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
    date,
    event,
    known,
    part,
    parts_turned,
    saw,
    tried,
    turned,
    without,
)  # fmt: skip


def _is(name: str, **values: Any) -> Test:
    return lambda row: row.test == name and all(getattr(row, k) == v for k, v in values.items())


# H17 ------------------------------------------------------------------------------------

BATCH = at("2021-03-15T10:00")
PROXIES = tuple(f"proxy{n}.example" for n in range(6))
CALM, CRISIS = at("2021-03-20T10:00"), at("2020-08-10T10:00")


def _batch(announced: bool = False, calm: str = "works") -> History:
    """Six web proxies in one day without a word; VPN protocols alone except in August 2020."""
    decided = PROXIES if announced else ("news.example",)
    return all_of([
        date("2020-08-09", "2020-08-12", crisis=True),
        *(saw(host, BATCH + HOUR, BELTELECOM, "blocked", "tls.reset", category="ANON")
          for host in PROXIES),
        event("batch", "blocking", [
            part(host, BELTELECOM, (BATCH - HOUR, BATCH), mechanism="tls.reset")
            for host in PROXIES
        ]),
        *(known("announcements", host=host, what="restrict", body="mininform",
                announced=BATCH - 2 * DAY) for host in decided),
        *(tried(protocol, result, when, BELTELECOM)
          for protocol in ("openvpn", "wireguard")
          for when, result in ((CALM, calm), (CRISIS, "fails"))),
        *(tried(protocol, "works", CALM, RUSSIA, cc="RU") for protocol in ("openvpn", "wireguard")),
    ])  # fmt: skip


def _calm(name: str) -> Test:
    return lambda row: row.test == name and row.measured_at == CALM and row.probe_cc == "BY"


_crisis: Test = lambda r: r.measured_at == CRISIS  # noqa: E731

H17 = Story(
    id="H17",
    true=_batch(),
    false={
        "each has a decision": _batch(announced=True),
        "protocols are blocked in calm weeks": _batch(calm="fails"),
    },
    undecidable={
        "no log of decisions": (without("announcements")(_batch()), "log of decisions"),
        "protocols were not tried": (without("tests")(_batch()), "OpenVPN"),
        "blocked one by one": (
            parts_turned(lambda p: p if p.host == PROXIES[0] else None)(_batch()), "five"),
    },
    fields={
        "onset of anonymizers": (
            without("events"),
            parts_turned(lambda p: msgspec.structs.replace(
                p, onset=Interval(None, BATCH + PROXIES.index(p.host) * 9 * DAY))),
        ),
        "announcement log": (
            without("announcements"),
            lambda h: h + _batch(announced=True),
            turned("announcements", announced="2019-01-01"),
        ),
        "OpenVPN in calm weeks": (
            without("tests", _calm("openvpn")),
            turned("tests", _calm("openvpn"), result="fails"),
        ),
        "WireGuard in calm weeks": (
            without("tests", _calm("wireguard")),
            turned("tests", _calm("wireguard"), result="fails"),
        ),
        "protocols in weeks of crisis": (
            without("tests", _crisis), without("calendar"), turned("calendar", crisis=False),
        ),
        "category": (turned("verdicts", category="NEWS"),),
    },
    confounded={
        "refuses_itself": turned("verdicts", outcome="server_side", mechanisms="")(_batch()),
        "russian_transit": turned("tests", result="fails")(_batch()),
    },
)  # fmt: skip

# H18 ------------------------------------------------------------------------------------

PSIPHON = "psiphon.ca"


def _ports(odd_later: float = 0.5, web_later: float = 0.0, odd_first: float = 0.0) -> History:
    """A name on odd ports and on the web's, ten times a day, for three weeks of August."""
    rows = []
    for day in range(21):
        when = at("2020-08-10") + day * DAY
        later = when >= at("2020-08-23")
        for n in range(10):
            share = n / 10
            odd = share < (odd_later if later else odd_first)
            web = share < (web_later if later else 0.0)
            rows += [
                tried("name_other_port", "works" if odd else "fails", when, BELTELECOM, PSIPHON,
                      port=7 if n % 2 else 9),
                tried("name_web_port", "works" if web else "fails", when, BELTELECOM, PSIPHON,
                      port=80 if n % 2 else 443),
                tried("harmless_other_port", "works" if share < 0.6 else "fails", when, BELTELECOM,
                      "google.pt", port=9),
            ]  # fmt: skip
    return all_of(rows)


def _phase(name: str, later: bool) -> Test:
    turn = at("2020-08-23")
    return lambda row: row.test == name and (row.measured_at >= turn) == later


def _other(name: str, later: bool, result: str) -> tuple[Change, Change]:
    test = _phase(name, later)
    return without("tests", test), turned("tests", test, result=result)


H18 = Story(
    id="H18",
    true=_ports(),
    false={
        "odd ports fare like the web's throughout": _ports(odd_later=0.0),
        "odd ports were never concerned": _ports(odd_first=0.6, odd_later=0.6),
        "nothing remains on the web's ports": _ports(web_later=0.9),
    },
    undecidable={
        "the later phase was not measured": (
            without("tests", lambda r: r.measured_at >= at("2020-08-23"))(_ports()),
            "23 August"),
        "a day of each": (
            without("tests", lambda r: r.measured_at not in (at("2020-08-20"), at("2020-08-25")))(
                _ports()), "five days"),
    },
    fields={
        "odd ports in the first phase": _other("name_other_port", False, "works"),
        "web ports in the first phase": _other("name_web_port", False, "works"),
        "odd ports in the second phase": _other("name_other_port", True, "fails"),
        "web ports in the second phase": _other("name_web_port", True, "works"),
        "the host's string": (
            turned("tests", lambda r: r.test == "name_web_port", host="other.example"),
        ),
        "daily series": (
            turned("tests", measured_at=lambda r: at("2020-08-12") if r.measured_at < at(
                "2020-08-23") else at("2020-08-25")),
        ),
        "port": (turned("tests", _is("name_other_port"), test="name_web_port"),),
        "a harmless word": (
            without("tests", _is("harmless_other_port")),
            turned("tests", _is("harmless_other_port"), result="fails"),
        ),
    },
    confounded={
        "general_loss": turned("tests", lambda r: r.measured_at < at("2020-08-23"),
                               result="fails")(_ports()),
        "a company's filter": turned("tests", probe_asn=38980)(_ports()),
        "few samples": without("tests", lambda r: r.measured_at < at("2020-08-21"))(_ports()),
    },
)  # fmt: skip

# H19 ------------------------------------------------------------------------------------

NOVEMBER = at("2020-11-02")
SLOW, FAST = "149.154.164.5", "149.154.167.99"


def _busy(when: float) -> bool:
    """Noon, evening or Sunday in Minsk."""
    hours = math.floor((when - NOVEMBER) / HOUR) + 3
    return hours % 24 in (12, 13, 18, 19, 20, 21, 22) or hours // 24 % 7 == 6


def _shaped(slow: float = 350.0, fast: float = 50.0, elsewhere: float = 52.0,
            kind: str = "rtt", days: int = 7) -> History:  # fmt: skip
    """Round trips to two neighbours, hourly for a week, on Beltelecom, A1 and abroad."""
    rows = []
    for hour in range(24 * days):
        when = NOVEMBER + hour * HOUR
        peak = 1.5 if _busy(when) else 1.0
        for asn, cc, ip, usual in (
            (BELTELECOM, "BY", SLOW, slow * peak), (BELTELECOM, "BY", FAST, fast),
            (A1, "BY", SLOW, elsewhere), (A1, "BY", FAST, 50.0),
            (ABROAD, "DE", SLOW, 40.0), (ABROAD, "DE", FAST, 40.0),
        ):  # fmt: skip
            value = usual if kind == "rtt" else 1e6 / usual
            rows.append(tried(kind, "works", when, asn, cc=cc, ip=ip, port=443, value=value))
    return all_of(rows)


_shaped_true = _shaped()


def _at(asn: int, ip: str) -> Test:
    return lambda row: row.probe_asn == asn and row.ip == ip


def _off_peak(row: Any) -> bool:
    minsk = math.floor(row.measured_at / HOUR + 3) % 24
    return bool(9 <= minsk <= 17)


H19 = Story(
    id="H19",
    true=_shaped_true,
    false={
        "all addresses are slow alike": _shaped(fast=350.0),
        "all networks are slow alike": _shaped(elsewhere=350.0),
        "goodput is alike as well": _shaped(slow=60.0, kind="goodput"),
    },
    undecidable={
        "one address": (without("tests", lambda r: r.ip == FAST)(_shaped_true), "two addresses"),
        "no other network": (
            without("tests", lambda r: r.probe_asn != BELTELECOM)(_shaped_true),
            "another network"),
    },
    fields={
        "RTT per address": (
            turned("tests", _at(BELTELECOM, SLOW), value=55.0),
            turned("tests", value=-1.0), without("tests", _at(BELTELECOM, SLOW)),
        ),
        "sibling address": (
            without("tests", _at(BELTELECOM, FAST)),
            turned("tests", _at(BELTELECOM, FAST), value=350.0),
            turned("tests", lambda r: r.ip == FAST, ip="192.0.2.1"),
        ),
        "other network": (
            without("tests", lambda r: r.probe_asn == A1),
            turned("tests", _at(A1, SLOW), value=400.0),
        ),
        "24 hours": (
            without("tests", _off_peak), without("tests", lambda r: _busy(r.measured_at)),
            turned("tests", _at(BELTELECOM, SLOW), value=350.0),
        ),
    },
    confounded={
        "server_load": turned("tests", _at(ABROAD, SLOW), value=400.0)(_shaped_true),
        "congestion": turned("tests", _at(BELTELECOM, FAST),
                             value=lambda r: 100.0 if _busy(r.measured_at) else 20.0)(_shaped_true),
        "way_changed": _shaped_true + all_of(
            tried("path_length", "works", NOVEMBER + n * DAY, BELTELECOM, ip=SLOW, value=8.0 + n)
            for n in range(2)
        ),
    },
)  # fmt: skip

# H20 ------------------------------------------------------------------------------------

MARCH = at("2020-08-30")


def _march(fixed: float = 1.0, regions: float = 1.0) -> History:
    """Speeds of three weeks; on one Sunday afternoon mobile Minsk loses four fifths."""
    looks = []
    places = (
        (LIFE, "mobile", "Minsk", 0.2), (BELTELECOM, "fixed", "Minsk", fixed),
        (MTS, "mobile", "Gomel", regions),
    )  # fmt: skip
    for day in range(-10, 11):
        for hour in (9, 16, 18):  # in Minsk
            when = MARCH + day * DAY + (hour - 3) * HOUR
            for asn, sort, region, part_left in places:
                look = saw("speed.example", when, asn, network_type=sort, region=region)
                left = part_left if day == 0 and hour >= 14 else 1.0
                looks += [look, tried("goodput", "works", when, asn, "speed.example",
                                      value=8000.0 * left, of=look.verdicts[0].measurement_id)]
    return all_of([
        date("2020-08-30", "2020-08-30", "protest"), *looks,
        known("notices", operator="A1", asn=A1, region="Minsk", about="throttle",
              at=MARCH + 12 * HOUR),
        known("connectivity", feed="ndt", asn=A1, region="Minsk", at=MARCH + 13 * HOUR, level=0.3,
              signal="speed"),
    ])  # fmt: skip


_marched = _march()


def _on(asn: int, hours: tuple[int, ...]) -> Test:
    def test(row: Any) -> bool:
        minsk = row.measured_at + 3 * HOUR - MARCH
        return row.probe_asn == asn and 0 <= minsk < DAY and minsk // HOUR in hours

    return test


H20 = Story(
    id="H20",
    true=_marched,
    false={
        "fixed networks lose too": _march(fixed=0.2),
        "other regions lose too": _march(regions=0.2),
    },
    undecidable={
        "no notice": (without("notices")(_marched), "notice"),
        "regions are not declared": (turned("verdicts", region="")(_marched), "speed of mobile"),
    },
    fields={
        "mobile network": (
            without("tests", _on(LIFE, (16, 18))),
            turned("tests", _on(LIFE, (16, 18)), value=8000.0),
            turned("verdicts", lambda r: r.probe_asn == LIFE, network_type="fixed"),
        ),
        "fixed network": (
            without("tests", _on(BELTELECOM, (16, 18))),
            turned("tests", _on(BELTELECOM, (16, 18)), value=900.0),
        ),
        "cell region": (
            turned("verdicts", region="Minsk"), turned("verdicts", region=""),
            without("tests", _on(MTS, (16, 18))),
        ),
        "hour": (
            turned("tests", _on(LIFE, (9,)), value=900.0), without("tests", _on(LIFE, (9,))),
        ),
        "NDT or IODA": (without("connectivity"), turned("connectivity", level=1.0)),
        "operator's notice": (without("notices"), turned("notices", about="works")),
    },
    confounded={"a crowd congests its cells": without("notices")(_marched)},
)  # fmt: skip

# H21 ------------------------------------------------------------------------------------

GAPS = (5.0, 7.0, 39.0, 10.0, 12.0, 27.0)  # days that mirrors of the first era lived


def _mirrors(later: float = 2.0, width: float = 6 * HOUR) -> History:
    """Six mirrors of each era, with what they lived, looked at four times a day."""
    rows = []
    for n, days in enumerate((*GAPS, *(later,) * 6)):
        seen = at("2020-12-09" if n < 6 else "2021-09-01") + n * 20 * DAY
        mirror, onset = f"mirror{n}.example", seen + days * DAY
        rows += [
            known("mirrors", original="kyky.org", mirror=mirror, first_seen=seen),
            event(f"e{n}", "blocking", [part(mirror, BELTELECOM, (onset - width, onset))]),
        ]  # fmt: skip
    return all_of(rows)


def _number(host: str) -> int:
    return int(host.removeprefix("mirror").removesuffix(".example"))


def _moved_onset(by: float) -> Change:
    return parts_turned(lambda p: msgspec.structs.replace(
        p, onset=Interval((p.onset.after or 0.0) + by, (p.onset.by or 0.0) + by)
    ) if _number(p.host) >= 6 else p)  # fmt: skip


H21 = Story(
    id="H21",
    true=_mirrors(),
    false={"mirrors live as long": _mirrors(later=11.0)},
    undecidable={
        "no mirror since": (
            without("mirrors", lambda r: _number(r.mirror) >= 6)(_mirrors()), "since April 2021"),
        "looks months apart": (_mirrors(later=8.0, width=7 * DAY), "close enough"),
    },
    fields={
        "first seen, before": (
            without("mirrors", lambda r: _number(r.mirror) < 6),
            turned("mirrors", first_seen="2022-03-01"),
        ),
        "first seen, after": (
            without("mirrors", lambda r: _number(r.mirror) >= 6),
            turned("mirrors", lambda r: _number(r.mirror) >= 6, first_seen="2021-05-01"),
        ),
        "first block, before": (
            parts_turned(lambda p: p if _number(p.host) >= 6 else None),
            parts_turned(lambda p: msgspec.structs.replace(p, onset=Interval(None, p.onset.by))),
        ),
        "first block, after": (
            parts_turned(lambda p: p if _number(p.host) < 6 else None), _moved_onset(20 * DAY),
        ),
    },
    confounded={
        "published after it was blocked": turned(
            "mirrors", lambda r: _number(r.mirror) >= 6, first_seen="2023-01-01")(_mirrors()),
        "never tested before": parts_turned(
            lambda p: msgspec.structs.replace(p, onset=Interval(None, p.onset.by))
            if _number(p.host) >= 6 else p)(_mirrors()),
    },
)  # fmt: skip

STORIES = (H17, H18, H19, H20, H21)
