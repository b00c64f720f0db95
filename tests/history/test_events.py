"""Events: one for each real thing, with its kind and scope, of parts and looks by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from analysis.history.event import Event, Interval, Part
from analysis.history.events import events
from analysis.history.rows import as_table
from analysis.history.table import VerdictRow
from tests.history.by_hand import NETWORKS, at, looks, part, struck, watched

EVERYWHERE = (10, 11, 12, 20, 21, 22, 23, 30)
DAY = 24


def found(rows: Sequence[VerdictRow], parts: Sequence[Part]) -> list[Event]:
    return events(as_table(rows), parts, NETWORKS)


def test_nothing_happened() -> None:
    assert [] == found([], [])
    assert [] == found(watched(EVERYWHERE, 0, 48, step=6), [])


def test_a_list_that_reaches_networks_over_days_by_other_means_is_one_event() -> None:
    onsets = {10: 24, 11: 30, 12: 40, 20: 60, 21: 70, 22: 90, 23: 24}
    means = ["tls.reset", "dns.nxdomain", "tls.forged", "http.redirect"]
    rows = watched(EVERYWHERE, 0, 140, blocked={a: (o, 999) for a, o in onsets.items()})
    parts = [
        part(o, asn=a, mechanism=means[n % 4]) for n, (a, o) in enumerate(onsets.items())
    ]
    (event,) = found(rows, parts)
    assert ("blocking", "national") == (event.kind, event.scope)
    assert (10, 11, 12, 20, 21, 22, 23) == event.networks
    assert (30,) == event.clean_networks
    assert (10, 23, 11, 12, 20, 21, 22) == event.order
    assert event.spread == 66 * 3600
    assert (at(23), at(24)) == (event.onset.after, event.onset.by)
    assert event.lift is None
    assert event.probability > 0.99


def test_a_shift_of_the_means_is_one_event_with_both_in_order() -> None:
    rows = watched((10, 20), 0, 200, blocked={10: (24, 200)})
    (event,) = found(rows, [part(24, 90, mechanism="tcp.silence"), part(92)])
    assert ("tcp.silence", "tls.reset") == event.mechanisms
    assert event.lift is None


def test_two_decisions_a_month_apart_are_two_events() -> None:
    rows = watched((10, 20), 0, 1000, blocked={10: (24, 900), 20: (744, 900)}, step=6)
    one, two = found(rows, [part(24), part(744, asn=20)])
    assert ((10,), (20,)) == (one.networks, two.networks)


def test_blocked_again_after_a_clean_week_is_another_event() -> None:
    rows = watched((10, 20), 0, 400, blocked={10: (24, 96)})
    rows += watched((10, 20), 400, 500, blocked={10: (400, 500)})
    one, two = found(rows, [part(24, 96), part(400)])
    assert one.lift is not None and one.lift.by == at(96)
    assert (None, at(400)) == (two.lift, two.onset.by)
    assert one.id != two.id


def test_clean_for_a_day_is_the_same_event() -> None:
    rows = watched((10, 20), 0, 200, blocked={10: (24, 200)})
    assert 1 == len(found(rows, [part(24, 90), part(114)]))


def test_weekend_after_weekend_is_one_event() -> None:
    starts = [36, 36 + 7 * DAY, 36 + 14 * DAY]
    rows = watched((20,), 0, 600)
    rows += [r for s in starts for p in "ab" for r in struck(range(s, s + 6), probe=p)]
    rows += [
        r for p in "ab"
        for r in looks([h for h in range(600) if not any(s <= h < s + 6 for s in starts)], probe=p)
    ]  # fmt: skip
    (event,) = found(rows, [part(s, s + 6, hours=tuple(range(12, 18))) for s in starts])
    assert 3 == len(event.parts)
    assert set(range(12, 18)) == set(event.hours)


def test_targets_that_change_together_are_one_event_and_others_are_not() -> None:
    rows, parts = [], []
    for host, onset in (("a.example", 24), ("b.example", 25), ("c.example", 24 + 5 * DAY)):
        hit = {10: (onset, 999), 20: (onset, 999)}
        rows += watched((10, 20, 21), 0, 200, host=host, blocked=hit)
        parts += [part(onset, asn=10, host=host), part(onset, asn=20, host=host)]
    one, two = found(rows, parts)
    assert ("a.example", "b.example") == one.targets
    assert ("c.example",) == two.targets


def test_what_began_at_the_same_time_on_other_networks_is_another_decision() -> None:
    rows = watched((10, 11, 20, 21, 22), 0, 100, host="a.example",
                   blocked={a: (24, 999) for a in (10, 11, 20, 21)})  # fmt: skip
    rows += watched((10, 11, 20, 21, 22), 0, 100, host="b.example", blocked={10: (24, 999)})
    parts = [part(24, asn=a, host="a.example") for a in (10, 11, 20, 21)]
    parts.append(part(24, asn=10, host="b.example"))
    assert [("a.example",), ("b.example",)] == sorted(e.targets for e in found(rows, parts))


def test_blocked_since_before_anybody_looked_says_nothing_about_a_common_cause() -> None:
    rows, parts = [], []
    for host in ("a.example", "b.example"):
        rows += watched((10, 20), 0, 100, host=host, blocked={10: (0, 999)})
        parts.append(Part(host=host, mechanism="tls.reset", probe_asn=10,
                          onset=Interval(None, at(0)), probes=2, probability=0.9))  # fmt: skip
    assert 2 == len(found(rows, parts))


def test_throttling_is_a_kind_of_its_own_beside_a_block() -> None:
    rows = watched((10, 20), 0, 100, blocked={10: (24, 999)})
    rows += watched((20,), 0, 100, blocked={20: (24, 999)}, mechanism="throttled", probes="cd")
    kinds = {e.kind for e in found(rows, [part(24), part(24, asn=20, mechanism="throttled")])}
    assert {"blocking", "throttling"} == kinds


# -- Whose doing ----------------------------------------------------------------------------------


def test_one_probe_beside_others_that_are_clean_is_no_event() -> None:
    rows = watched((10, 20), 0, 100, probes="bc")
    rows += looks(range(24)) + struck(range(24, 100))
    assert [] == found(rows, [part(24, probes=1)])


def test_who_asks_another_resolver_does_not_acquit_one_that_lies() -> None:
    rows = looks(range(100), probe="b", resolver_asn=99) + watched((20,), 0, 100)
    rows += looks(range(24)) + struck(range(24, 100), mechanism="dns.nxdomain")
    (event,) = found(rows, [part(24, probes=1, mechanism="dns.nxdomain", resolver_asn=10)])
    assert ("blocking", (10,)) == (event.kind, event.resolvers)


def test_one_probe_that_nobody_is_beside_is_an_event_with_less_certainty() -> None:
    rows = watched((20,), 0, 100) + looks(range(24)) + struck(range(24, 100))
    (event,) = found(rows, [part(24, probes=1)])
    assert event.probability <= 0.9
    assert any("One probe alone" in reason for reason in event.reasons)


def test_what_was_mostly_down_was_not_blocked() -> None:
    rows = watched((10, 20), 0, 24)
    rows += [
        r for p in "ab"
        for r in looks(range(24, 100), probe=p, outcome="down") + struck(range(24, 40, 2), probe=p)
    ]  # fmt: skip
    assert [] == [e for e in found(rows, [part(24, 40)]) if e.kind == "blocking"]


def test_probabilities_of_one_network_are_not_counted_twice() -> None:
    rows = [
        r for n in range(6)
        for r in watched((10, 20), 0, 100, host=f"{n}.example", blocked={10: (24, 999)}, step=3)
    ]  # fmt: skip
    parts = [part(24, host=f"{n}.example", probability=0.8) for n in range(6)]
    (event,) = found(rows, parts)
    assert 0.8 == event.probability


# -- What an event is called -----------------------------------------------------------------------


def test_the_order_of_rows_and_parts_changes_nothing() -> None:
    onsets = {10: 24, 20: 40, 21: 60}
    hit = {a: (o, 999) for a, o in onsets.items()}
    rows = watched((10, 20, 21, 22), 0, 100, blocked=hit, step=2)
    parts = [part(o, asn=a) for a, o in onsets.items()]
    told = {str(found(rows[::step], list(p))) for p in permutations(parts) for step in (1, -1)}
    assert 1 == len(told)


def test_an_event_keeps_its_name_when_more_is_known() -> None:
    rows = watched((10, 20, 21), 0, 100, blocked={10: (24, 999), 20: (40, 999)})
    early = events(as_table(rows), [part(24)], NETWORKS, now=at(30))
    late = events(as_table(rows), [part(24), part(40, asn=20)], NETWORKS)
    assert [e.id for e in early] == [e.id for e in late]
    # A row that was uploaded late moves the onset to another day: only the earlier run tells.
    moved = [part(20 - DAY), part(40, asn=20)]
    more = watched((10,), 20 - DAY, 0, blocked={10: (20 - DAY, 0)}) + rows
    assert [e.id for e in late] == [
        e.id for e in events(as_table(more), [*moved, part(24)], NETWORKS, known=late)
    ]


def test_one_that_becomes_two_gives_its_name_to_one() -> None:
    rows = watched((10, 20), 0, 100, host="a.example", blocked={10: (24, 999)})
    rows += watched((10, 20), 0, 100, host="b.example", blocked={10: (24, 999)})
    both = [part(24, host=h) for h in ("a.example", "b.example")]
    (before,) = found(rows, both)
    after = events(
        as_table(rows), [both[0], part(90, host="b.example")], NETWORKS, known=[before]
    )
    assert 2 == len({e.id for e in after})
    assert before.id in {e.id for e in after}


def test_a_gateway_that_blocks_what_one_network_blocked_already_is_another_event() -> None:
    on = {10: (24, 400), 11: (150, 250), 12: (150, 250), 22: (150, 250), 23: (150, 250)}
    rows = watched(EVERYWHERE, 0, 400, blocked=on, step=2)
    parts = [part(24), part(150, 250, mechanism="tcp.silence")]
    parts += [part(150, 250, asn=a, mechanism="tcp.silence") for a in (11, 12, 22, 23)]
    one, two = found(rows, parts)
    assert ((10,), "network") == (one.networks, one.scope)
    assert ((10, 11, 12, 22, 23), "gateway") == (two.networks, two.scope)


def test_a_network_that_follows_ten_days_late_is_of_the_same_event() -> None:
    on = {a: (24, 999) for a in (10, 11, 20, 21)} | {22: (264, 999)}
    rows = watched(EVERYWHERE, 0, 400, blocked=on, step=2)
    (event,) = found(rows, [part(begin, asn=a) for a, (begin, _end) in on.items()])
    assert (10, 11, 20, 21, 22) == event.networks
