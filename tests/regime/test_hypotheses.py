"""Each hypothesis on histories in which it is true, false and undecidable, and altered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from analysis.regime.query import Case, Hypothesis, Result, hypotheses, judge
from tests.regime import (
    told_calendar,
    told_platforms,
    told_protocols,
    told_providers,
    told_rules,
)  # fmt: skip
from tests.regime.histories import (
    A1,
    ABROAD,
    BASNET,
    BELTELECOM,
    DAY,
    MTS,
    History,
    Story,
    all_of,
    all_of_changes,
    at,
    known,
    saw,
    tried,
    turned,
    without,
)  # fmt: skip
from tests.regime.told import workspace

_TOLD = (told_providers, told_rules, told_platforms, told_protocols, told_calendar)
STORIES: dict[str, Story] = {story.id: story for told in _TOLD for story in told.STORIES}
WRITTEN: dict[str, Hypothesis] = {h.id: h for h in hypotheses("belarus")}


_judged: dict[tuple[str, int], tuple[History, Result]] = {}


def state(which: str, history: History) -> Result:
    """What the engine says of hypothesis *which* in *history*; each is asked once."""
    key = which, id(history)
    if key not in _judged:
        with workspace(history) as asked:
            _judged[key] = history, judge(WRITTEN[which], asked)  # kept: its id stays its own
    return _judged[key][1]


@cache
def changed(which: str, field: str, number: int) -> History:
    """The true history of *which*, after one change of *field*."""
    return STORIES[which].fields[field][number](STORIES[which].true)


@cache
def cases(which: str) -> tuple[Case, ...]:
    """The cases of all histories of one story."""
    story = STORIES[which]
    told = [
        *story.false.values(),
        *(history for history, _ in story.undecidable.values()),
        *(changed(which, name, n) for name, all_ in story.fields.items() for n in range(len(all_))),
        *story.confounded.values(),
    ]  # fmt: skip
    return tuple(case for history in told for case in state(which, history).cases)


def _told(kind: str) -> Iterator[object]:
    for story in STORIES.values():
        for name, told in getattr(story, kind).items():
            yield pytest.param(story, told, id=f"{story.id} {name}")


def _changes() -> Iterator[object]:
    for story in STORIES.values():
        for name, changes in story.fields.items():
            for number in range(len(changes)):
                yield pytest.param(story.id, name, number, id=f"{story.id} {name} {number}")


def test_every_hypothesis_is_told() -> None:
    assert sorted(f"H{n:02}" for n in range(1, 27)) == sorted(WRITTEN) == sorted(STORIES)


@pytest.mark.parametrize("which", STORIES)
def test_true_history_is_consistent(which: str) -> None:
    result = state(which, STORIES[which].true)
    assert result.state == "consistent", (result.reason, result.missing, result.cases)


BACKGROUND = all_of(
    saw("quiet.example", at("2012-01-01") + n * 85 * DAY, BELTELECOM, outcome)
    + tried("no_such_test", "fails", at("2020-08-10"), BELTELECOM, "quiet.example")
    for n in range(60)
    for outcome in ("ok", "inconclusive", "local_fault", "not_measured")[: 1 + n % 4]
)


@pytest.mark.parametrize("which", STORIES)
def test_what_has_nothing_to_do_with_it_and_order_change_nothing(which: str) -> None:
    whole = STORIES[which].true + BACKGROUND
    turned_over = replace(
        whole, verdicts=whole.verdicts[::-1], tests=whole.tests[::-1], events=whole.events[::-1]
    )
    assert state(which, turned_over).state == "consistent"


def test_a_name_that_worked_before_it_was_annulled_is_annulled() -> None:
    before = all_of(
        saw("extremist.by", at("2024-05-01") + n * DAY, asn, cc=cc)
        for n in range(14) for asn, cc in ((BELTELECOM, "BY"), (ABROAD, "DE"))
    )  # fmt: skip
    assert state("H08", STORIES["H08"].true + before).state == "consistent"


INSTEAD = {
    "H02": all_of_changes(
        without("tests", lambda r: r.test == "last_hop"),
        turned("verdicts", lambda r: r.outcome == "blocked", hop_asn=BELTELECOM),
    ),
    "H16": all_of_changes(
        lambda h: h + all_of(
            tried("bridge_channel", r.host.rstrip("012"), r.measured_at, r.probe_asn, r.host,
                  url=r.url, of=r.measurement_id)
            for r in h.tests if r.test == "obfs4"
        ),
        without("relays"),
    ),
    "H18": all_of_changes(
        lambda h: h + all_of(
            saw(r.host, r.measured_at, BELTELECOM, "blocked", "tls.reset")
            for r in h.tests if r.test == "name_web_port"
        ),
        without("tests", lambda r: r.test == "name_web_port"),
    ),
    "H19": turned("tests", test="goodput", value=lambda r: 1e6 / r.value),
    "H23": all_of_changes(
        without("verdicts", lambda r: r.host == "wikipedia.org"),
        lambda h: h + known("connectivity", feed="ioda", asn=BASNET, level=1.0, signal="bgp",
                            at=at("2020-08-09T22:00")),
    ),
    "H24": all_of_changes(
        without("tests", lambda r: r.test == "rtt"),
        lambda h: h + told_calendar.ttls(flood=0.0, block=11.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("which", INSTEAD)
def test_another_kind_of_the_same_evidence_does_as_well(which: str) -> None:
    other = INSTEAD[which](STORIES[which].true)
    assert other != STORIES[which].true
    assert state(which, other).state == "consistent"


def test_a_captcha_now_and_then_is_no_refusal_of_the_country() -> None:
    blocked = all_of(saw("site.example", at("2024-02-01") + n, A1, "blocked", "tls.reset")
                     for n in range(9))  # fmt: skip
    captcha = saw("site.example", at("2024-02-01") + 10, A1, "server_side")
    result = state("H12", blocked + captcha)
    assert ("cannot_tell", {}) == (result.state, result.counts)


def test_one_false_alarm_among_many_looks_is_not_interference_with_a_platform() -> None:
    story = STORIES["H11"].true
    when = story.verdicts[0].measured_at
    looks = all_of(saw("vk.com", when + n, MTS, "server_side") for n in range(20))
    alarm = saw("vk.com", when + 30, MTS, "blocked", "tls.reset")
    assert state("H11", story + looks + alarm).state == "consistent"


@pytest.mark.parametrize(("story", "history"), list(_told("false")))
def test_false_history_contradicts(story: Story, history: History) -> None:
    result = state(story.id, history)
    assert result.state == "contradicts", (result.reason, result.missing, result.cases)


@pytest.mark.parametrize(("story", "told"), list(_told("undecidable")))
def test_undecidable_history_says_what_is_missing(story: Story, told: tuple[History, str]) -> None:
    history, word = told
    result = state(story.id, history)
    assert result.state == "cannot_tell"
    assert word in " ".join((*result.missing, result.reason)), result.missing


@pytest.mark.parametrize("which", STORIES)
def test_nothing_measured_cannot_tell(which: str) -> None:
    result = state(which, History())
    assert result.state == "cannot_tell"
    assert result.missing == (WRITTEN[which].no_case,)


@pytest.mark.parametrize(("which", "field", "number"), list(_changes()))
def test_a_changed_field_changes_the_state(which: str, field: str, number: int) -> None:
    altered = changed(which, field, number)
    assert altered != STORIES[which].true
    assert state(which, altered).state != "consistent"


@pytest.mark.parametrize(("story", "history"), list(_told("confounded")))
def test_what_else_explains_it_is_not_consistent(story: Story, history: History) -> None:
    assert state(story.id, history).state != "consistent"


@pytest.mark.parametrize("which", STORIES)
def test_the_lack_of_each_need_is_told(which: str) -> None:
    missed = {why for case in cases(which) if case.state == "open" for why in case.because}
    assert {c.need for c in WRITTEN[which].criteria} - missed == set()


@pytest.mark.parametrize("which", STORIES)
def test_each_criterion_that_can_be_false_is(which: str) -> None:
    against = {why for case in cases(which) if case.state == "against" for why in case.because}
    assert {c.false for c in WRITTEN[which].criteria if c.false} - against == set()


@pytest.mark.parametrize("which", STORIES)
def test_each_confounder_sets_a_case_aside(which: str) -> None:
    aside = {why for case in cases(which) if case.state == "set_aside" for why in case.because}
    assert {c.what for c in WRITTEN[which].confounders} - aside == set()
