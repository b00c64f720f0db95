"""Hypotheses about a regime as data: one query of cases, and criteria that may be unknown.

A hypothesis is a TOML file: words for people, and one SQL query whose rows are the cases to
which its prediction applies. Each criterion is a column that is true (as predicted), false
(as what would falsify it) or null (the evidence is not there); each confounder one that is
true where another explanation fits as well. SQL's three-valued logic carries what was not
measured through every comparison, so that nobody can forget to ask for it. The order in
which a case is decided: set aside, against, open, for.

Whoever writes hypotheses is not asked to be trusted: see `analysis.regime.workspace`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from analysis.regime import read
from analysis.regime.documents import Regime
from analysis.regime.law import Basis, basis
from analysis.regime.load import folder
from analysis.regime.model import Id, Ids, Text
from analysis.regime.workspace import Limit, Workspace

State = Literal["consistent", "contradicts", "cannot_tell"]
CaseState = Literal["for", "against", "open", "set_aside"]

CONSISTENT_FROM = 2 / 3  # of the decided cases
CONTRADICTS_TO = 1 / 3
CONTRADICTS_FROM = 1 / 10  # of all that are not set aside: against it one false alarm is enough
SHOWN = 20  # cases of each state in a result
EVIDENCE = 50  # ids of a case in a result

NOT_ATTRIBUTION = (
    "Consistency is not attribution: it says that what was measured is what the documents"
    " lead one to expect, not who did it or on whose order."
)

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,62}$")]


class Criterion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that the prediction says. *need*: the evidence without which it is null."""

    id: Name
    need: Text
    true: Text = ""
    false: Text = ""


class Confounder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another explanation of the same measurements."""

    id: Name
    what: Text


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A statement about a regime that measurements can agree with or falsify. *instruments*
    and *categories*: of which law, and of which targets, it speaks; empty: none, and all."""

    id: Id
    title: Text
    legal_basis: Text
    prediction: Text
    falsified_if: Text
    consistent_means: Text
    no_case: Text
    confounders_in_words: tuple[Text, ...] = ()
    exemplars: Ids = ()
    instruments: Ids = ()
    categories: Ids = ()
    source: Text
    cases: Annotated[str, Meta(max_length=100_000)]
    criteria: Annotated[tuple[Criterion, ...], Meta(min_length=1)]
    confounders: tuple[Confounder, ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to which a prediction applies. *because*: what decided its state, in words;
    for an open one, what is missing."""

    unit: str
    state: CaseState
    because: tuple[str, ...] = ()
    detail: str = ""
    evidence: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What the data say of a hypothesis. *counts*: its cases by their state; *cases*: some
    of each; *missing*: what must be measured, or excluded, for it to be decided. *law*: the
    legal side, where a regime was given."""

    id: str
    title: str
    state: State
    reason: str
    counts: dict[str, int] = {}
    missing: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()
    legal_basis: str = ""
    law: Basis | None = None
    consistent_means: str = ""
    caution: str = NOT_ATTRIBUTION


def hypotheses(country: str | Path) -> list[Hypothesis]:
    """Those of *country*, from its folder ``hypotheses``; in order of their ids."""
    place = folder(country) / "hypotheses"
    if not place.is_dir():
        return []
    found = [_read(f) for f in place.iterdir() if f.name.endswith(".toml")]
    twice = [i for i, count in Counter(h.id for h in found).items() if count > 1]
    if twice:
        raise read.DataError(f"hypotheses: {', '.join(twice)} twice")
    return sorted(found, key=lambda h: h.id)


def judge(hypothesis: Hypothesis, workspace: Workspace) -> Result:
    """The state of *hypothesis* over the tables of *workspace*.

    Raises `DataError` where its query is none, or lacks a column that it promises. A query
    that takes longer or more than it may is no answer: `cannot_tell`.
    """
    try:
        found = workspace.columns_of(hypothesis.cases, hypothesis.id)
        lacking = [name for name in ("unit", *_columns(hypothesis)) if name not in found]
        if lacking:
            raise read.DataError(f"{hypothesis.id}: no column {', '.join(lacking)}")
        rows = workspace.ask(_some_of_each(hypothesis, found), hypothesis.id)
    except Limit as error:
        return _result(hypothesis, "cannot_tell", str(error), missing=(str(error),))
    return _decide(hypothesis, rows)


def judge_all(
    chosen: Iterable[Hypothesis], workspace: Workspace, regime: Regime | None = None
) -> list[Result]:
    """`judge` for each, in order; with the legal side as *regime* documents it."""
    found = []
    for hypothesis in chosen:
        result = judge(hypothesis, workspace)
        if regime is not None:
            law = basis(hypothesis.instruments, hypothesis.categories, regime)
            result = msgspec.structs.replace(result, law=law)
        found.append(result)
    return found


def _decide(hypothesis: Hypothesis, rows: Sequence[Mapping[str, Any]]) -> Result:
    cases = [_case(hypothesis, row) for row in rows]
    counts: Counter[str] = Counter()
    for case, row in zip(cases, rows, strict=True):
        if row["_place"] == 1:  # the first stands for all that are alike
            counts[case.state] += row["_alike"]
    for_, against = counts.get("for", 0), counts.get("against", 0)
    shown = _shown(cases)
    decided = for_ + against
    if not decided:
        missing = _missing(hypothesis, cases)
        reason = "no case is decided" if cases else "there is no case"
        return _result(hypothesis, "cannot_tell", reason, counts, missing, shown)
    share = for_ / decided
    reason = f"{for_} of {decided} decided cases are as predicted"
    if share >= CONSISTENT_FROM:
        return _result(hypothesis, "consistent", reason, counts, (), shown)
    asked = decided + counts.get("open", 0)
    if share <= CONTRADICTS_TO and against < CONTRADICTS_FROM * asked:
        few = f"{reason}, but only {decided} of {asked} cases are decided"
        return _result(
            hypothesis, "cannot_tell", few, counts, _missing(hypothesis, cases), shown
        )  # fmt: skip
    if share <= CONTRADICTS_TO:
        return _result(hypothesis, "contradicts", reason, counts, (), shown)
    return _result(
        hypothesis, "cannot_tell", f"evidence on both sides: {reason}", counts,
        ("what tells the cases for it from those against it",), shown,
    )  # fmt: skip


def _some_of_each(hypothesis: Hypothesis, found: Sequence[str]) -> str:
    """The query for some cases of each combination of its columns, and how many there are: a
    history of years has millions of cases, of which nobody reads more."""
    told = ", ".join(f'CAST("{name}" AS BOOLEAN) AS "{name}"' for name in _columns(hypothesis))
    alike = ", ".join(f'"{name}"' for name in _columns(hypothesis))
    words = ", ".join(
        f"CAST({name if name in found else 'NULL'} AS VARCHAR) AS {name}"
        for name in ("unit", "evidence", "detail")
    )
    return (
        f"WITH _cases AS (SELECT {words}, {told} FROM (\n{hypothesis.cases}\n))"  # noqa: S608
        f" SELECT *, row_number() OVER (PARTITION BY {alike} ORDER BY unit) AS _place,"
        f" count(*) OVER (PARTITION BY {alike}) AS _alike FROM _cases QUALIFY _place <= {SHOWN}"
        " ORDER BY unit, evidence"
    )


def _case(hypothesis: Hypothesis, row: Mapping[str, Any]) -> Case:
    state: CaseState
    aside = [c.what for c in hypothesis.confounders if row[c.id] is True]
    false = [c.false or c.need for c in hypothesis.criteria if row[c.id] is False]
    open_ = [c.need for c in hypothesis.criteria if row[c.id] is None]
    if aside:
        state, because = "set_aside", aside
    elif false:
        state, because = "against", false
    elif open_:
        state, because = "open", open_
    else:
        state, because = "for", [c.true for c in hypothesis.criteria if c.true]
    evidence = [i for i in str(row.get("evidence") or "").split(",") if i]
    return Case(
        unit=str(row["unit"]),
        state=state,
        because=tuple(because),
        detail=str(row.get("detail") or ""),
        evidence=tuple(evidence[:EVIDENCE]),
    )


def _missing(hypothesis: Hypothesis, cases: Sequence[Case]) -> tuple[str, ...]:
    """What the case nearest to being decided lacks; else what set the cases aside."""
    open_ = [case.because for case in cases if case.state == "open"]
    if open_:
        return min(open_, key=len)
    aside = {what for case in cases for what in case.because}
    if aside:
        return tuple(f"a case without another explanation: {what}" for what in sorted(aside))
    return (hypothesis.no_case,)


def _shown(cases: Sequence[Case]) -> tuple[Case, ...]:
    by_state: dict[str, list[Case]] = {"for": [], "against": [], "open": [], "set_aside": []}
    for case in cases:
        if len(by_state[case.state]) < SHOWN:
            by_state[case.state].append(case)
    return tuple(case for some in by_state.values() for case in some)


def _result(
    hypothesis: Hypothesis, state: State, reason: str, counts: Mapping[str, int] | None = None,
    missing: tuple[str, ...] = (), cases: tuple[Case, ...] = (),
) -> Result:  # fmt: skip
    return Result(
        id=hypothesis.id,
        title=hypothesis.title,
        state=state,
        reason=reason,
        counts=dict(counts or {}),
        missing=missing,
        cases=cases,
        legal_basis=hypothesis.legal_basis,
        consistent_means=hypothesis.consistent_means,
    )


def _columns(hypothesis: Hypothesis) -> list[str]:
    return [c.id for c in hypothesis.criteria] + [c.id for c in hypothesis.confounders]


def _read(file: Traversable) -> Hypothesis:
    found = read.document(read.text_of(file), Hypothesis, file.name)
    if file.name != f"{found.id}.toml":
        raise read.DataError(f"{file.name}: its id is {found.id}")
    columns = _columns(found)
    if len(set(columns)) < len(columns):
        raise read.DataError(f"{file.name}: two criteria or confounders have one id")
    return found
