"""Events beside the documents of Belarus: each documented kind, made by hand."""

from __future__ import annotations

import re
from typing import Any

import pytest

from analysis.history.event import Event, Interval, Kind, Part
from analysis.regime.documents import Regime
from analysis.regime.findings import EventFindings, findings
from analysis.regime.load import load, outside_of
from analysis.regime.outside import (
    Announcement,
    Mirror,
    Notice,
    Outage,
    Outside,
    RegisterEntry,
)

HOUR, DAY = 3600.0, 86400.0
OUTSIDE = outside_of("belarus")


@pytest.fixture(scope="module")
def regime() -> Regime:
    return load("belarus")


def event(
    regime: Regime, day: str, kind: Kind = "blocking", host: str = "news.example", **more: Any
) -> Event:
    """An event first seen at noon of *day*, last seen clean an hour before."""
    noon = regime.span(day).first + 12 * HOUR
    values: dict[str, Any] = {
        "categories": ("NEWS",),
        "scope": "national",
        "networks": (6697, 25106),
    }
    return Event(
        id="e", kind=kind, targets=(host,), onset=Interval(noon - HOUR, noon), **(values | more)
    )


def aspect(found: EventFindings, name: str) -> Any:
    return next(f for f in found.findings if f.aspect == name)


def test_a_list_block_with_the_operators_own_page_is_consistent_and_attributes_nothing(
    regime: Regime,
) -> None:
    block = event(
        regime, "2023-05-03", fingerprints=("F01", "F09"), mechanisms=("http.redirect",),
        parts=tuple(
            Part(host="news.example", mechanism="http.redirect", probe_asn=n, onset=Interval(0, 1))
            for n in (6697, 25106)
        ),
    )  # fmt: skip
    found = findings(block, regime)
    assert "consistent" == found.state
    assert {"res_8_10_6", "media_law_2021"} == {i.id for i in found.instruments}
    assert any("prosecutors" in who for who in found.may_decide)
    assert "none" == found.recourse.appeal
    assert "protected" == found.protection.state
    assert "not attribution" in found.caution
    assert not any(word in found.says for word in ("ordered by", "blocked by the", "responsible"))


def test_the_words_of_a_law_that_fit_anything_are_not_enough(regime: Regime) -> None:
    found = findings(
        event(regime, "2023-05-03", mechanisms=("tcp.silence",), networks=(5498,)), regime
    )
    assert ("cannot_tell", "consistent") == (found.state, aspect(found, "instrument").state)
    assert "a report of it" in found.missing


def test_before_2015_nobody_may_block_homes_and_only_a_documented_practice_agrees(
    regime: Regime,
) -> None:
    gateway = event(
        regime, "2014-08-20", mechanisms=("tcp.silence",), scope="gateway", networks=(6697, 31143)
    )
    found = findings(gateway, regime)
    assert ("consistent", "contradicts") == (found.state, aspect(found, "instrument").state)
    assert () == found.instruments and "E10" in found.says and "without one" in found.says
    page = event(regime, "2013-02-02", mechanisms=("http.blockpage",), networks=(6697, 25106))
    assert "contradicts" == findings(page, regime).state


def test_before_2015_networks_of_the_state_were_bound(regime: Regime) -> None:
    bound = event(regime, "2011-04-07", host="charter97.org", networks=(5498, 13171), scope="group")
    found = findings(bound, regime, OUTSIDE)
    assert "consistent" == found.state
    assert {"decree_60", "reg_4_11"} == {i.id for i in found.instruments}
    homes = findings(event(regime, "2011-04-07", networks=(5498, 31143), scope="group"), regime)
    assert "contradicts" == aspect(homes, "instrument").state
    assert "AS31143" in aspect(homes, "instrument").says
    unknown = findings(event(regime, "2011-04-07", networks=(65000,), scope="network"), regime)
    assert ("cannot_tell", ("what kind of network this is",)) == (
        aspect(unknown, "instrument").state, aspect(unknown, "instrument").missing,
    )  # fmt: skip


def test_a_russian_page_is_spill_over_whatever_else_fits(regime: Regime) -> None:
    spill = event(regime, "2023-05-03", fingerprints=("F16",), mechanisms=("http.blockpage",))
    listed = RegisterEntry(register="RU", host="news.example", listed="2022-03-01", source="t")
    outside: Outside = {"registers": (listed,)}
    found = findings(spill, regime, outside)
    assert "contradicts" == found.state
    assert "another country" in found.says and "RU" in found.says
    later = RegisterEntry(register="RU", host="news.example", listed="2024-01-01", source="t")
    assert "RU" not in findings(spill, regime, {"registers": (later,)}).says


def test_own_and_foreign_pages_together_decide_nothing(regime: Regime) -> None:
    both = event(regime, "2023-05-03", fingerprints=("F16", "F01"))
    assert "cannot_tell" == aspect(findings(both, regime), "origin").state


def test_a_platform_that_withholds_a_page_is_no_block_on_the_way(regime: Regime) -> None:
    found = findings(event(regime, "2023-05-03", host="vk.com", fingerprints=("F17",)), regime)
    assert "contradicts" == found.state and "platform" in found.says


def test_a_removed_name_is_the_registrys_only_within_its_zone(regime: Regime) -> None:
    inside = event(regime, "2025-03-01", "registry", "outlet.by", networks=(), scope="global")
    found = findings(inside, regime)
    assert "oac_order_6_2025" in {i.id for i in found.instruments}
    outside = event(regime, "2025-03-01", "registry", "outlet.com", networks=(), scope="global")
    found = findings(outside, regime)
    assert "contradicts" == found.state and "zone" in found.says
    shop = event(regime, "2014-12-20", "registry", "onliner.by", categories=("COMM",), networks=())
    found = findings(shop, regime, OUTSIDE)
    assert "consistent" == found.state and "E12" in found.says


def test_a_geofence_is_consistent_inside_the_timetable_of_an_order_alone(regime: Regime) -> None:
    inside = event(regime, "2025-01-25", "geofence", "shop.by", networks=(), scope="global")
    found = findings(inside, regime, OUTSIDE)
    assert ("consistent", ["oac_hosting_2025_01"]) == (
        found.state,
        [i.id for i in found.instruments],
    )
    begins = event(regime, "2025-01-25", "geofence", "shop.by", networks=(), scope="global")
    ten = regime.span("2025-01-25T10:00").first
    begins = Event(**{f: getattr(begins, f) for f in begins.__struct_fields__} | {
        "onset": Interval(ten - 900.0, ten + 900.0)
    })  # fmt: skip
    assert "consistent" == findings(begins, regime, OUTSIDE).state
    other = event(regime, "2025-02-10", "geofence", "shop.by", networks=(), scope="global")
    assert "contradicts" == findings(other, regime, OUTSIDE).state
    refused = event(regime, "2025-01-25", "geofence", "shop.example", networks=(6697,))
    assert "contradicts" == findings(refused, regime).state


def test_a_shutdown_has_a_basis_since_2021_and_a_practice_before(regime: Regime) -> None:
    before = findings(event(regime, "2020-08-10", "shutdown", categories=()), regime)
    assert ("consistent", ()) == (before.state, before.instruments)
    assert "E21" in before.says and "protected" == before.protection.state
    after = findings(event(regime, "2025-01-26", "shutdown", categories=()), regime)
    assert ["telecom_law_2021"] == [i.id for i in after.instruments]
    assert "cannot_tell" == after.state, "a basis alone does not tell a shutdown from an outage"
    early = findings(event(regime, "2005-01-01", "shutdown", categories=()), regime)
    assert "contradicts" == early.state


def test_throttling_in_minsk_agrees_with_the_documented_sundays(regime: Regime) -> None:
    sunday = event(
        regime, "2020-09-06", "throttling", "speed.example", categories=(), scope="mobile",
        networks=(42772, 25106), mechanisms=("throttled",),
    )  # fmt: skip
    found = findings(sunday, regime)
    assert "consistent" == found.state and "E23" in found.says


@pytest.mark.parametrize("kind", ["outage", "ddos", "site_death"])
def test_what_is_no_restriction_decides_nothing(regime: Regime, kind: Kind) -> None:
    found = findings(event(regime, "2023-05-03", kind), regime)
    assert "cannot_tell" == found.state and found.missing
    assert () == found.instruments and "not_protected" == found.protection.state


def test_a_way_that_no_document_knows_of_this_network_is_told(regime: Regime) -> None:
    odd = event(
        regime, "2023-05-03", networks=(25106,), mechanisms=("quic.silence",), fingerprints=("F03",)
    )
    found = findings(odd, regime)
    assert "contradicts" == aspect(found, "pattern").state
    assert "quic.silence on AS25106" in aspect(found, "pattern").says
    assert "cannot_tell" == found.state, "the law fits, the way does not"


def test_another_operators_page_is_told(regime: Regime) -> None:
    borrowed = event(regime, "2023-05-03", networks=(31143,), fingerprints=("F09",))
    assert "F09 is known from AS25106 alone" in aspect(findings(borrowed, regime), "pattern").says


def test_a_way_is_documented_for_its_time(regime: Regime) -> None:
    def state(day: str) -> str:
        way = event(regime, day, networks=(6697,), mechanisms=("tls.reset",))
        return str(aspect(findings(way, regime), "pattern").state)

    assert "cannot_tell" == state("2008-05-05"), "nothing is documented of that time"
    assert "contradicts" == state("2014-09-05"), "then addresses were dropped"
    assert "consistent" == state("2021-05-05")


def test_a_block_before_its_decision_is_told(regime: Regime) -> None:
    spring = event(
        regime, "2020-08-17", host="spring96.org", categories=("HUMR",), networks=(6697,),
        mechanisms=("http.redirect",),
    )  # fmt: skip
    found = findings(spring, regime, OUTSIDE)
    assert "contradicts" == aspect(found, "announcement").state
    assert "cannot_tell" == found.state
    after = event(regime, "2020-08-22", host="spring96.org", networks=(6697,))
    assert "consistent" == aspect(findings(after, regime, OUTSIDE), "announcement").state


def test_a_decision_of_a_user_counts_like_those_of_the_documents(regime: Regime) -> None:
    block = event(regime, "2024-06-05")
    assert "cannot_tell" == findings(block, regime).state
    decided = Announcement(
        host="news.example", what="restrict", body="prosecutors", decided="2024-06-04", source="t"
    )
    found = findings(block, regime, {"announcements": (decided,)})
    assert "consistent" == found.state and "prosecutors" in aspect(found, "announcement").says
    lifted = Announcement(host="news.example", what="restore", decided="2024-06-04", source="t")
    assert "cannot_tell" == findings(block, regime, {"announcements": (lifted,)}).state


def test_a_mirror_has_the_ground_of_mirrors(regime: Regime) -> None:
    block = event(regime, "2021-04-20", host="mirror.example", categories=())
    mirror = Mirror(original="a.b", mirror="mirror.example", first_seen="2021-04-10", source="t")
    of = {i.id for i in findings(block, regime, {"mirrors": (mirror,)}).instruments}
    assert "res_2_6_2" in of
    assert "res_2_6_2" not in {i.id for i in findings(block, regime).instruments}


def test_an_onset_on_two_sides_of_a_law_is_not_told(regime: Regime) -> None:
    wide = Event(
        id="e", kind="blocking", targets=("news.example",), categories=("NEWS",), scope="national",
        networks=(6697,),
        onset=Interval(regime.span("2014-06-01").first, regime.span("2015-06-01").first),
    )  # fmt: skip
    found = aspect(findings(wide, regime), "instrument")
    assert "cannot_tell" == found.state
    assert any("look between the last clean one and 2015" in m for m in found.missing)
    nobody_looked = Event(
        id="e", kind="blocking", targets=("news.example",), categories=("NEWS",),
        onset=Interval(None, regime.span("2015-06-01").first), networks=(6697,),
    )  # fmt: skip
    assert "consistent" == aspect(findings(nobody_looked, regime), "instrument").state


@pytest.mark.parametrize(
    ("day", "after", "by", "state"),
    [
        ("2023-05-03", 12, 13, "consistent"),  # local hours
        ("2023-05-03", 23, 25, "consistent"),  # read at 21:30, holds by 01:30
        ("2023-05-03", 3, 5, "contradicts"),
        ("2023-05-03", 1, 5, "cannot_tell"),
        ("2023-05-03", 0, 24, "cannot_tell"),
        ("2021-05-03", 3, 5, "cannot_tell"),  # before the hours were set
    ],
)
def test_the_hour_of_an_onset_is_laid_beside_those_of_the_list(
    regime: Regime, day: str, after: float, by: float, state: str
) -> None:
    midnight = regime.span(day).first
    block = Event(
        id="e", kind="blocking", targets=("news.example",), categories=("NEWS",),
        scope="national", networks=(6697,), fingerprints=("F01",), mechanisms=("http.redirect",),
        onset=Interval(midnight + after * HOUR, midnight + by * HOUR),
    )  # fmt: skip
    found = findings(block, regime)
    assert state == aspect(found, "clock").state
    assert ("cannot_tell" if state == "contradicts" else "consistent") == found.state


def test_a_block_that_begins_in_an_outage_is_doubtful_and_a_shutdown_is_seen_twice(
    regime: Regime,
) -> None:
    out = Outage(feed="IODA", start="2025-01-26T10:00", end="2025-01-26T14:00", source="t")
    elsewhere = Outage(feed="IODA", asn=25106, start="2025-01-26T10:00", source="t")
    block = event(regime, "2025-01-26", fingerprints=("F01",), networks=(6697,))
    assert "consistent" == findings(block, regime, {"outages": (elsewhere,)}).state
    doubtful = findings(block, regime, {"outages": (out,)})
    assert "cannot_tell" == doubtful.state and "outage" in doubtful.says
    shutdown = event(regime, "2025-01-26", "shutdown", categories=())
    assert "cannot_tell" == findings(shutdown, regime).state
    assert "feeds of outages for that time" in findings(shutdown, regime).missing
    assert "consistent" == findings(shutdown, regime, {"outages": (out,)}).state
    early = Outage(feed="IODA", start="2025-01-20", end="2025-01-21", source="t")
    assert "cannot_tell" == findings(shutdown, regime, {"outages": (early,)}).state


def test_what_an_operator_told_its_customers_agrees(regime: Regime) -> None:
    slow = event(
        regime, "2025-06-01", "throttling", "speed.example", categories=(), scope="mobile",
        networks=(42772,), mechanisms=("throttled",),
    )  # fmt: skip
    told = Notice(operator="A1", asn=42772, about="throttle", at="2025-06-01T15:00", source="t")
    assert "consistent" == aspect(findings(slow, regime, {"notices": (told,)}), "feeds").state
    other = Notice(operator="MTS", asn=25106, about="throttle", at="2025-06-01", source="t")
    assert "cannot_tell" == aspect(findings(slow, regime, {"notices": (other,)}), "feeds").state


def test_a_way_that_is_known_of_relays_alone_is_not_known_of_news(regime: Regime) -> None:
    def state(category: str) -> str:
        drop = event(
            regime, "2023-05-03", networks=(12406,), mechanisms=("tcp.silence",),
            categories=(category,),
        )  # fmt: skip
        return str(aspect(findings(drop, regime), "pattern").state)

    assert ("consistent", "contradicts") == (state("ANON"), state("NEWS"))


def test_what_may_not_have_happened_is_laid_beside_nothing(regime: Regime) -> None:
    doubtful = event(regime, "2023-05-03", fingerprints=("F01",), probability=0.6)
    found = findings(doubtful, regime)
    assert ("cannot_tell", True) == (found.state, "0.60" in found.says)


def test_what_is_protected_depends_on_the_category_and_an_unknown_one_is_asked_for(
    regime: Regime,
) -> None:
    def of(*categories: str) -> Any:
        return findings(event(regime, "2023-05-03", categories=categories), regime).protection

    assert "protected" == of("NEWS").state
    assert any("emergencies" in kind for kind in of("ENV").kinds)
    assert "not_protected" == of("GMB").state
    assert ("cannot_tell", ("the category of the targets",)) == (of().state, of().missing)
    early = event(regime, "2006-03-19")
    assert "not_protected" == findings(early, regime).protection.state, "no such law before 2008"


def test_recourse_gives_the_scores_of_the_law(regime: Regime) -> None:
    recourse = findings(event(regime, "2016-01-01"), regime).recourse
    scores = recourse.scores
    assert "of requests for information and not of restrictions" in recourse.says
    assert "Appeals: 0 of 32" in recourse.says
    assert {"Appeals: 0 of 32", "Exceptions and refusal: 3 of 30"} <= set(scores)
    assert any("judicial appeal: 0 of 2" in score for score in scores)


def test_every_documented_event_is_told_as_its_source_tells_it(regime: Regime) -> None:
    looks = {"E08": ("F16",), "E09": ("F16",), "E13": ("F04",), "E22": ("F01", "F05", "F08")}
    wrong = []
    for d in regime.events:
        first = regime.span(d.start).first
        made = Event(
            id=d.id, kind=d.kind, targets=d.hosts, categories=d.categories,  # type: ignore[arg-type]
            mechanisms=d.mechanisms, scope=d.scope or "unknown",  # type: ignore[arg-type]
            networks=d.networks, onset=Interval(first - HOUR, first + HOUR),
            lift=Interval(None, regime.span(d.end).last) if d.end else None,
            fingerprints=looks.get(d.id, ()),
        )  # fmt: skip
        found = findings(made, regime, OUTSIDE)
        said = " ".join((found.says, *(f.says for f in found.findings), found.protection.says))
        assert not re.search(
            r"(?i)blocked by|done by|ordered by|responsible|guilty|behind it", said
        )
        state = found.state
        expected = {
            "instrument": {"consistent"}, "none": {"consistent", "cannot_tell"},
            "foreign": {"contradicts", "cannot_tell"}, "unknown": {"consistent", "cannot_tell"},
        }[d.lawful]  # fmt: skip
        if state not in expected:
            wrong.append((d.id, d.lawful, state))
    assert [] == wrong
