"""The data of Belarus: every row has a source that is there, every date is one, and the
figures that can be reckoned are right."""

from __future__ import annotations

import math
from itertools import groupby

import pytest

from analysis.fingerprints import known
from analysis.history.event import Kind, Scope
from analysis.regime import read
from analysis.regime.documents import Regime
from analysis.regime.load import load, networks, outside_of, problems
from analysis.regime.outside import KINDS
from analysis.regime.query import hypotheses
from analysis.rules import RULES


@pytest.fixture(scope="module")
def regime() -> Regime:
    return load("belarus")


def test_all_is_there_and_nothing_refers_to_nothing(regime: Regime) -> None:
    assert [] == list(problems(regime))
    assert (30, 42, 12) == (len(regime.networks), len(regime.events), len(regime.protected))


def test_every_row_names_a_source(regime: Regime) -> None:
    for name in regime.__struct_fields__:
        rows = getattr(regime, name)
        if name in ("country", "sources"):
            continue
        for row in rows.values() if name == "networks" else rows:
            assert getattr(row, "sources", ()) or getattr(row, "source", ""), (name, row)


def test_every_source_is_used(regime: Regime) -> None:
    used: set[str] = set()
    for name in regime.__struct_fields__:
        rows = getattr(regime, name)
        rows = rows.values() if name == "networks" else rows if isinstance(rows, tuple) else ()
        for row in rows:
            used |= set(getattr(row, "sources", ()))
            used |= set(getattr(row, "source", "").split(";"))
            used |= set(getattr(row, "gateway_source", "").split(";"))
            used |= {s for power in getattr(row, "may", ()) for s in power.sources}
    said = " ".join(
        getattr(row, "source", "") for rows in outside_of("belarus").values() for row in rows
    )
    assert set() == {s.id for s in regime.sources if s.id not in used and s.id not in said}


def test_every_date_is_one_and_no_end_precedes_its_start(regime: Regime) -> None:
    for name in regime.__struct_fields__:
        rows = getattr(regime, name)
        for row in rows if isinstance(rows, tuple) else ():
            for field in read.dates(type(row)):
                regime.span(getattr(row, field))
    for event in regime.events:
        if event.end:
            assert regime.span(event.start).first <= regime.span(event.end).last, event.id
    for instrument in regime.instruments:
        if instrument.until:
            assert regime.span(instrument.in_force).first < regime.span(instrument.until).first


def test_outside_evidence_of_the_documents_names_known_sources_and_bodies(regime: Regime) -> None:
    sources, actors = {s.id for s in regime.sources}, {a.id for a in regime.actors}
    instruments = {i.id for i in regime.instruments}
    outside = outside_of("belarus")
    assert set(outside) <= set(KINDS)
    for kind, rows in outside.items():
        for row in rows:
            said = str(getattr(row, "source", "")).split(";")
            named = {part.split(":")[0].strip() for part in said}
            assert named <= sources, (kind, row)
            assert getattr(row, "body", "") in actors | {""}, row
            assert getattr(row, "instrument", "") in instruments | {""}, row


def test_the_vocabulary_is_that_of_events_and_rules(regime: Regime) -> None:
    mechanisms = {str(rule.mechanism) for rule in RULES if rule.mechanism}
    kinds, scopes = set(Kind.__args__), set(Scope.__args__)  # type: ignore[attr-defined]
    for event in regime.events:
        assert event.kind in kinds and event.scope in scopes | {""}, event.id
        assert set(event.mechanisms) <= mechanisms, event.id
    for fact in regime.facts:
        assert set(fact.mechanisms) <= mechanisms, fact.id


def test_fingerprints_are_those_of_the_rules(regime: Regime) -> None:
    ids = {f.id for f in known()}
    assert set() == {f.id for f in regime.facts if f.fingerprint} - ids
    of_the_country = {f.id for f in known() if f.country == regime.country.cc}
    assert set() == of_the_country - {f.id for f in regime.facts}


def test_networks_of_events_and_facts_are_in_the_table(regime: Regime) -> None:
    named = {asn for event in regime.events for asn in (*event.networks, *event.not_networks)}
    named |= {asn for fact in regime.facts for asn in fact.asns}
    named |= {asn for actor in regime.actors for asn in actor.asns}
    assert set() == named - set(regime.networks)


def test_gateways_are_as_documented() -> None:
    found = networks("belarus")
    assert (6697, 21274, 60280) == found.gateways()
    assert {12406, 35647, 60280, 60330, 205475} == found.only_behind(60280)
    assert {25106, 42772, 44087} == found.behind(6697) & found.behind(60280)
    assert ("AS6697", "", "") == tuple(found[n].gateway for n in (20852, 25106, 5498))
    assert ("A1", "A1", "AS99") == tuple(found.operator(n) for n in (42772, 20852, 99))


def test_scores_add_up_to_their_sections_and_these_to_the_whole(regime: Regime) -> None:
    sections = {
        number: list(rows)
        for number, rows in groupby(
            sorted(regime.scores, key=lambda s: s.section), key=lambda s: s.section
        )
    }
    whole = sections.pop(0)[0]
    sums = [rows[0] for rows in sections.values()]
    assert (38, 150) == (whole.points, whole.max_points)
    assert (whole.points, whole.max_points) == (
        sum(s.points for s in sums), sum(s.max_points for s in sums),
    )  # fmt: skip
    for rows in sections.values():
        stated, *indicators = rows
        assert stated.points == sum(s.points for s in indicators)
        if stated.max_points != sum(s.max_points for s in indicators):
            assert stated.comment, "a difference from the source must be told"
    by_name = {s.section_name: (s.points, s.max_points) for s in sums}
    assert ((3, 30), (0, 32)) == (by_name["Exceptions and refusal"], by_name["Appeals"])


def test_article_16_is_whole(regime: Regime) -> None:
    assert list(range(1, 13)) == [p.place for p in regime.protected]
    assert {"16"} == {p.article for p in regime.protected}


def test_a_date_is_as_exact_as_it_is_written(regime: Regime) -> None:
    assert 86400.0 == (day := regime.span("2015-02-25")).last - day.first
    assert 60.0 == (minute := regime.span("2025-01-25T10:00")).last - minute.first
    assert "2025-01-25T07:00" == f"{_utc(minute.first)}"
    assert regime.span("2020-08-09T00:00+00:00").first == regime.span("2020-08-09T03:00").first
    december = regime.span("2014-12")
    assert 31 * 86400.0 == december.last - december.first
    assert (-math.inf, math.inf) == (regime.span("").first, regime.span("").last)


def _utc(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M")


def test_hypotheses_refer_to_what_is_there(regime: Regime) -> None:
    found = hypotheses("belarus")
    events, instruments = {e.id for e in regime.events}, {i.id for i in regime.instruments}
    categories = {c.code for c in regime.categories}
    assert [f"H{number:02}" for number in range(1, 27)] == [h.id for h in found]
    for hypothesis in found:
        assert set(hypothesis.exemplars) <= events, hypothesis.id
        assert set(hypothesis.instruments) <= instruments, hypothesis.id
        assert set(hypothesis.categories) <= categories, hypothesis.id
