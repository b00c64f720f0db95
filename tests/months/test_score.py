"""The yardstick itself: what was found against what happened, on findings made by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import pytest

from analysis.history.event import Event, Interval, Kind, Part
from lab.months.match import match
from lab.months.probes import Crowd
from lab.months.replay import latency
from lab.months.score import figures, score
from lab.months.simulate import History, Setting, simulate
from lab.months.truth import Effect, TrueEvent, TruePart

DAY = 86400.0
END = 100 * DAY


def true(
    number: int = 0, onset: float = 10 * DAY, lift: float = math.inf, **more: object
) -> TrueEvent:
    host = "a.example"
    fields: dict[str, object] = {
        "kind": "blocking", "scope": "network", "story": "told", "shown": 9,
        "parts": (TruePart(host=host, asn=1, mechanisms=("tls.reset",), onset=onset, lift=lift,
                           shown=9),),
    }  # fmt: skip
    return TrueEvent(
        number=number, targets=(host,), networks=(1,), onset=onset, lift=lift,
        **fields | more,  # type: ignore[arg-type]
    )  # fmt: skip


def found(
    after: float = 9 * DAY, by: float = 11 * DAY, lift: Interval | None = None, asn: int = 1,
    host: str = "a.example", kind: Kind = "blocking",
) -> Event:  # fmt: skip
    onset = Interval(after, by)
    part = Part(host=host, mechanism="tls.reset", probe_asn=asn, onset=onset, lift=lift)
    return Event(
        id="e", kind=kind, targets=(host,), networks=(asn,), scope="network", onset=onset,
        lift=lift, parts=(part,), mechanisms=("tls.reset",),
    )  # fmt: skip


def test_a_finding_belongs_to_what_went_on_on_the_same_network_at_the_time() -> None:
    matched = match([true()], [found(), found(asn=2), found(host="b.example")], END)
    assert {0: 1} == {number: len(each) for number, each in matched.found.items()}
    assert 2 == len(matched.false)


def test_a_finding_that_ended_before_the_event_began_is_none_of_it() -> None:
    early = found(1 * DAY, 2 * DAY, Interval(3 * DAY, 4 * DAY))
    assert [early] == match([true()], [early], END).false


def test_one_long_finding_is_not_the_finding_of_two_events() -> None:
    first = true(0, 10 * DAY, 14 * DAY)
    second = true(1, 30 * DAY, 80 * DAY)
    matched = match([first, second], [found(9 * DAY, 11 * DAY, Interval(79 * DAY, 81 * DAY))], END)
    assert [1] == list(matched.found)


def test_to_accuse_of_what_was_no_interference_is_false() -> None:
    attack = true(kind="ddos", parts=())
    matched = match([attack], [found()], END)
    assert not matched.found
    assert 1 == len(matched.misnamed)


def test_an_attack_that_is_called_a_death_is_found_and_of_the_wrong_kind() -> None:
    attack = true(kind="ddos", parts=())
    result = score(_history(attack), [found(kind="site_death")]).results[0]
    assert result.found
    assert result.kind is False


@pytest.mark.parametrize(("after", "held"), [(9 * DAY, (1, 1)), (10.5 * DAY, (0, 1))])
def test_an_interval_holds_the_truth_or_not(after: float, held: tuple[int, int]) -> None:
    assert held == score(_history(true()), [found(after)]).results[0].onsets


def test_a_lift_that_is_not_seen_is_not_one_that_is_dated_wrongly() -> None:
    result = score(_history(true(lift=50 * DAY)), [found()]).results[0]
    assert ((0, 0), 1) == (result.lifts, result.lifts_unseen)


def test_who_finds_nothing_has_no_recall_and_who_cries_always_no_precision() -> None:
    silent = figures([score(_history(true()), [])])
    loud = figures([score(_history(true()), [found(), found(), found(asn=7)])])
    assert ((0, 1), (0, 0)) == (silent.recall, silent.precision)
    assert ((1, 1), (2, 3), 2.0) == (loud.recall, loud.precision, loud.alerts)


def test_what_no_row_shows_is_not_missed() -> None:
    unseen = figures([score(_history(true(shown=0)), [])])
    assert ((0, 0), 1) == (unseen.recall, unseen.hidden)


def test_an_effect_with_hours_begins_with_the_first_of_them() -> None:
    monday = 1756684800.0
    effect = Effect(event=0, start=monday + DAY, end=monday + 20 * DAY, hours=(12, 13),
                    weekdays=(5,))  # fmt: skip
    assert monday + 5 * DAY + 12 * 3600 == effect.begins()
    assert monday + 19 * DAY + 14 * 3600 == effect.ceases()
    assert effect.start == replace_hours(effect).begins()


def test_latency_is_that_of_the_first_hour_in_which_it_is_said() -> None:
    history = _small()
    event = next(e for e in history.events if e.counted)
    part = event.parts[0]

    def knows_after_five_hours(rows: object, networks: object) -> list[Event]:
        last = rows.measured_at.max().to_pyarrow().as_py()  # type: ignore[attr-defined]
        if last < part.onset + 4.5 * 3600:
            return []
        return [found(part.onset - 1, part.onset + 1, asn=part.asn, host=part.host)]

    assert latency(history, event, knows_after_five_hours) in (5.0, 6.0)
    assert latency(history, event, lambda rows, networks: []) is None


def replace_hours(effect: Effect) -> Effect:
    return Effect(event=0, start=effect.start, end=effect.end)


@cache
def _small() -> History:
    crowd = Crowd(hourly=((4, 1),), six_hourly=0, evenings=0, weekly=0, abroad=1)
    setting = Setting(days=21, targets=8, homes=4, crowd=crowd, stories=("network_block",),
                      before=False)  # fmt: skip
    return simulate(setting, 2, use="tuning")


def _history(*events: TrueEvent) -> History:
    return replace(_small(), events=events, begin=0.0, end=END)
