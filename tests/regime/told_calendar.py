"""H22 to H26: the page's words, BASNET, floods, categories, the calendar."""

from __future__ import annotations

from typing import Any

from analysis.history.event import Interval
from tests.regime.histories import (
    A1,
    ABROAD,
    BASNET,
    BELTELECOM,
    COSMOS,
    DAY,
    HOUR,
    NTEC,
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


# H22 ------------------------------------------------------------------------------------

SHOWN = at("2025-10-24T12:00")
VK, ORDINARY = "vk.com", "news.example"


def _pages(words: str = "F03") -> History:
    """The KGB decided one entry, the Ministry the other; both pages name the Ministry."""
    return all_of([
        known("announcements", host=VK, what="restrict", body="kgb", listed="2025-10-24"),
        known("announcements", host=ORDINARY, what="restrict", body="mininform",
              listed="2025-09-01"),
        *(saw(host, SHOWN, BELTELECOM, "blocked", "http.blockpage", url=f"http://{host}/",
              fingerprints=words if host == VK else "F03") for host in (VK, ORDINARY)),
    ])  # fmt: skip


def _host(name: str) -> Test:
    return lambda row: row.host == name


_named_otherwise = tried("cites", "kgb", SHOWN, BELTELECOM, VK)

H22 = Story(
    id="H22",
    true=_pages(),
    false={"the page names who decided": _pages(words="") + _named_otherwise},
    undecidable={
        "the page's words are not known": (_pages(words=""), "text of the page"),
        "who decided is not announced": (
            turned("announcements", _host(VK), body="")(_pages()), "announced decider"),
        "no page for a decision of the Ministry": (
            without("verdicts", _host(ORDINARY))(_pages()), "that the Ministry decided"),
    },
    fields={
        "page text": (
            turned("verdicts", _host(VK), fingerprints=""),
            turned("verdicts", _host(VK), fingerprints="F04"),
            turned("verdicts", _host(ORDINARY), fingerprints="F04"),
        ),
        "announced ground": (
            without("announcements"),
            turned("announcements", _host(VK), body="mininform"),
            turned("announcements", _host(ORDINARY), body="prosecutor"),
        ),
    },
    confounded={
        "template_changed": _pages() + saw(
            ORDINARY, SHOWN - 90 * DAY, BELTELECOM, "blocked", "http.blockpage",
            fingerprints="F04"),
    },
)  # fmt: skip

# H23 ------------------------------------------------------------------------------------

DARK = at("2020-08-09T21:00")
RUSSIAN, ON_LIST = "rutracker.org", "charter97.org"


def _academy(up: str = "ok", enforced: str = "blocked", russian: str = "ok") -> History:
    """The gateways are dark for a night; what does the Academy's network see?"""
    mechanism = {"blocked": "http.blockpage", "down": "tcp.silence", "ok": ""}
    return all_of([
        event("night", "shutdown", [
            part("", asn, (DARK - HOUR, DARK), (DARK + 8 * HOUR, DARK + 9 * HOUR))
            for asn in (BELTELECOM, NTEC)
        ]),
        known("registers", register="RU", host=RUSSIAN, listed="2016-01-25"),
        known("registers", register="BY", host=ON_LIST, listed="2018-01-24"),
        *(saw("wikipedia.org", DARK + n * HOUR, BASNET, up, mechanism[up], probes=2)
          for n in range(1, 6)),
        saw(ON_LIST, DARK + 20 * HOUR, BASNET, enforced, mechanism[enforced], probes=2),
        saw(RUSSIAN, DARK + 20 * HOUR, BASNET, russian, mechanism[russian], probes=2),
    ])  # fmt: skip


_wiki: Test = lambda r: r.host == "wikipedia.org"  # noqa: E731
_by_bgp = without("verdicts", _wiki)(_academy()) + known(
    "connectivity", feed="ioda", asn=BASNET, at=DARK + HOUR, level=1.0, signal="bgp")  # fmt: skip

H23 = Story(
    id="H23",
    true=_academy(),
    false={
        "dark with the others": _academy(up="down"),
        "what is listed is open": _academy(enforced="ok"),
        "dark with the others, by BGP": turned("connectivity", level=0.0)(_by_bgp),
    },
    undecidable={
        "nobody there that night": (without("verdicts", _wiki)(_academy()), "during the outage"),
        "one probe": (
            without("verdicts", lambda r: r.probe_id.endswith("-1"))(_academy()), "two probes"),
        "no outage": (without("events")(_academy()), "outage"),
    },
    fields={
        "probe in BASNET": (
            without("verdicts", _wiki),
            turned("verdicts", _wiki, outcome="down"),
            turned("verdicts", probe_asn=COSMOS),
        ),
        "the outage": (without("events"), turned("events", networks=(COSMOS,))),
        "BGP or IODA": (
            lambda h: without("verdicts", _wiki)(h) + known(
                "connectivity", feed="ioda", asn=BASNET, at=DARK + HOUR, level=0.1),
        ),
        "Russian targets": (
            without("verdicts", lambda r: r.host == RUSSIAN),
            turned("verdicts", lambda r: r.host == RUSSIAN, outcome="blocked"),
            without("registers", lambda r: r.register == "RU"),
        ),
        "listed targets": (
            without("verdicts", lambda r: r.host == ON_LIST),
            turned("verdicts", lambda r: r.host == ON_LIST, outcome="ok"),
            without("registers", lambda r: r.register == "BY"),
        ),
    },
    confounded={
        "geant": turned("verdicts", lambda r: r.host == ON_LIST, hop_asn=20965)(_academy()),
        "a single desk": without("verdicts", lambda r: r.probe_id.endswith("-1"))(_academy()),
    },
)  # fmt: skip

# H24 ------------------------------------------------------------------------------------

STRUCK = at("2015-10-03T09:00")
BLOCKED = at("2014-12-19T09:00")
OLD, NEW = "192.0.2.10", "192.0.2.77"


def _kinds(flood_abroad: str = "down", block_abroad: str = "ok", cleaned: str = "") -> History:
    """A flood against one hoster's sites, and a block of unrelated sites, as documented."""

    def site(host: str, start: float, abroad: str, rtt: float, follow: bool, asn: int,
             ) -> History:  # fmt: skip
        new = ["fails"] if follow else ["works", "works"]
        return all_of([
            known("hosting", host=host, asn=asn, country="DE", at=start - DAY),
            saw(host, start + HOUR, ABROAD, abroad, cc="DE"),
            saw(host, start + HOUR, BELTELECOM, "blocked", "tcp.silence", fingerprints=cleaned),
            tried("tcp_connect", "fails", start + HOUR, BELTELECOM, host, ip=OLD),
            tried("tcp_connect", "works", start + 6 * HOUR, BELTELECOM, host, ip=NEW),
            *(tried("tcp_connect", result, start + (8 + 40 * n) * HOUR, BELTELECOM, host, ip=NEW)
              for n, result in enumerate(new)),
            tried("rtt", "works", start - DAY, ABROAD, host, cc="DE", value=40.0),
            tried("rtt", "works", start + HOUR, ABROAD, host, cc="DE", value=rtt),
        ])  # fmt: skip

    def happened(name: str, kind: Any, hosts: tuple[str, ...], start: float) -> History:
        return event(name, kind, [
            part(host, BELTELECOM, (start - 300, start + 60 * n),
                 (start + 4 * DAY, start + 5 * DAY))
            for n, host in enumerate(hosts)
        ])  # fmt: skip

    return all_of([
        happened("flood", "ddos", ("belapan.com", "naviny.by"), STRUCK),
        happened("block", "blocking", ("charter97.org", "gazetaby.com"), BLOCKED),
        *(site(host, STRUCK, flood_abroad, 400.0, False, 24940)
          for host in ("belapan.com", "naviny.by")),
        *(site(host, BLOCKED, block_abroad, 41.0, True, asn)
          for host, asn in (("charter97.org", 16276), ("gazetaby.com", 13335))),
    ])  # fmt: skip


_all_kinds = _kinds()
_foreign: Test = lambda r: r.probe_cc == "DE"  # noqa: E731


def _then(name: str) -> Test:
    return lambda r: r.test == name and r.value != 40.0


def _second_address(row: Any) -> bool:
    return bool(row.test == "tcp_connect" and row.ip == NEW)


def ttls(flood: float, block: float) -> History:
    """The TTL of answers a day before and then, for which they differ by so many hops."""
    starts = {"belapan.com": STRUCK, "naviny.by": STRUCK}
    starts |= {"charter97.org": BLOCKED, "gazetaby.com": BLOCKED}
    return all_of(
        tried("ttl", "works", start + shift, BELTELECOM, host, value=52.0 + by)
        for host, start in starts.items()
        for shift, by in ((-DAY, 0.0), (HOUR, flood if start == STRUCK else block))
    )


_untimed = without("tests", _is("rtt"))

H24 = Story(
    id="H24",
    true=_all_kinds,
    false={
        "the flood is here only, the block is everywhere": _kinds("ok", "down"),
        "the block is a cleaner's fence": without("events", lambda e: e.kind == "ddos")(
            _kinds(cleaned="P05")),
        "TTLs say the contrary": _untimed(_all_kinds) + ttls(11.0, 0.0),
    },
    undecidable={
        "nobody measured": (without("verdicts")(_all_kinds), "vantages abroad"),
        "nobody abroad": (
            without("verdicts", _foreign)(_all_kinds), "vantages abroad"),
        "the site did not move": (
            without("tests", _second_address)(_all_kinds), "new address"),
    },
    fields={
        "control vantages": (
            without("verdicts", _foreign),
            turned("verdicts", _foreign, outcome=lambda r: "ok" if r.outcome == "down" else "down"),
        ),
        "IP swap": (
            without("tests", _second_address),
            turned("tests", _second_address,
                   result=lambda r: "fails" if r.measured_at > STRUCK else "works",
                   measured_at=lambda r: r.measured_at if r.measured_at > STRUCK
                   else r.measured_at + (30 * HOUR if r.result == "fails" else 0)),
        ),
        "RTT": (
            without("tests", _is("rtt")),
            turned("tests", _then("rtt"), value=lambda r: 441.0 - r.value),
        ),
        "TTL, where no RTT is known": (lambda h: _untimed(h) + ttls(11.0, 0.0),),
        "synchrony across unrelated hosts": (
            without("hosting"), turned("hosting", asn=lambda r: len(r.host)
                                       if r.asn == 24940 else 24940),
            parts_turned(lambda p: p if p.host in ("belapan.com", "charter97.org") else None),
        ),
    },
    confounded={
        "both_at_once": turned("events", lambda e: e.kind == "ddos", targets=("charter97.org",),
                               onset=Interval(BLOCKED - 300, BLOCKED))(_all_kinds),
        "domestic_server": turned("hosting", country="BY")(
            without("events", lambda e: e.kind == "ddos")(_all_kinds)),
    },
)  # fmt: skip

# H25 ------------------------------------------------------------------------------------

BALANCED = {"ALDR": 6, "GMB": 5, "PORN": 4, "COMM": 3, "NEWS": 2, "POLR": 2, "CULTR": 0}


def _mix(blocked: dict[str, int] | None = None) -> History:
    """Eight sites of each category on Beltelecom, so many of which are blocked."""
    return all_of(
        saw(f"{category.lower()}{n}.example", at("2022-12-01") + n * HOUR, BELTELECOM,
            "blocked" if n < count else "ok", "http.blockpage" if n < count else "",
            category=category)
        for category, count in (blocked or BALANCED).items() for n in range(8)
    )  # fmt: skip


def _stratum(*names: str) -> tuple[Change, ...]:
    """Without that stratum; or each of its sites in another."""
    test: Test = lambda r: r.category in names  # noqa: E731
    return without("verdicts", test), turned("verdicts", test, category="MISC")


_political = dict.fromkeys(BALANCED, 0) | {"NEWS": 8, "POLR": 8, "ALDR": 2}

H25 = Story(
    id="H25",
    true=_mix(),
    false={"political sites are the majority": _mix(_political)},
    undecidable={
        "news only": (without("verdicts", lambda r: r.category != "NEWS")(_mix()), "gambling"),
        "half and half": (
            _mix(dict.fromkeys(BALANCED, 0) | {"NEWS": 4, "ALDR": 4}), "clear of a half"),
    },
    fields={
        "ALDR": _stratum("ALDR"), "GMB": _stratum("GMB"), "PROV, PORN": _stratum("PORN"),
        "COMM": _stratum("COMM"),
        "rates per category": (
            turned("verdicts", lambda r: r.category in ("ALDR", "GMB", "PORN", "COMM"),
                   outcome="ok"),
            turned("verdicts", outcome="not_measured"),
        ),
        "political sites": (
            without("verdicts", lambda r: r.category in ("NEWS", "POLR")),
        ),
    },
    confounded={
        "dead_strata": turned("verdicts", lambda r: r.category == "ALDR" and r.host[-9] > "1",
                              outcome="down", mechanisms="")(_mix()),
        "a sample of news": without("verdicts", lambda r: r.category not in ("NEWS", "CULTR"))(
            _mix()),
    },
)  # fmt: skip

# H26 ------------------------------------------------------------------------------------

VOTE = at("2020-08-09")


def _calendar(inside: int = 12, outside: int = 4, surge: int = 1) -> History:
    """A year of daily tests with so many onsets in the weeks of the vote, and without."""
    days = [at("2020-01-01") + n * DAY for n in range(366)]
    near = [day for day in days if abs(day - VOTE) < 7 * DAY]
    far = [day for day in days if abs(day - VOTE) > 20 * DAY]
    onsets = near[:inside] + far[:: max(1, len(far) // outside)][:outside]
    return all_of([
        date("2020-08-09", "2020-08-09"),
        *(saw("probe.example", day, BELTELECOM, probes=surge if day in near else 1)
          for day in days),
        *(event(f"e{n}", "blocking", [part(f"site{n}.example", BELTELECOM, (day - DAY, day))])
          for n, day in enumerate(onsets)),
    ])  # fmt: skip


def _near(row: Any) -> bool:
    return bool(abs(row.measured_at - VOTE) <= 6 * DAY)


H26 = Story(
    id="H26",
    true=_calendar(),
    false={
        "onsets follow the tests": _calendar(inside=9, outside=310),
        "many onsets, and as many more tests": _calendar(inside=12, outside=12, surge=60),
    },
    undecidable={
        "few onsets": (_calendar(inside=2, outside=2), "ten onsets"),
        "tests in those weeks only": (
            without("verdicts", lambda r: not _near(r))(_calendar()), "measurements within"),
    },
    fields={
        "onset times": (
            without("events"),
            turned("events", onset=lambda e: Interval(at("2020-03-01"), at("2020-03-02"))),
        ),
        "calendar": (without("calendar"), turned("calendar", start="2021-08-09", end="2021-08-09"),
                     turned("calendar", start="2020-04-01", end="2020-04-01")),
        "test volume": (
            without("verdicts"), without("verdicts", lambda r: not _near(r)),
            lambda h: h + all_of(saw("more.example", VOTE + n % 10 * DAY, A1) for n in range(900)),
        ),
    },
    confounded={
        "testing surges": _calendar(inside=12, outside=12, surge=60),
        "blocked at first sight": turned(
            "events", onset=lambda e: Interval(None, e.onset.by))(_calendar()),
    },
)  # fmt: skip

STORIES = (H22, H23, H24, H25, H26)
