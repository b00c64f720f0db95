"""Verdicts of a whole table of observations, within the engine that holds it.

`analysis.verdict.judge` takes rows one by one and is what these expressions are tested
against, row by row and on each engine; here nothing passes through Python, so that a year of
a country is judged again out of core when a rule improves. Rule: what is decided is
decided by the same data (`RULES`), in their order; no rule is named here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add, or_
from typing import Any

import ibis  # type: ignore[import-untyped]  # Ibis ships no types

from analysis.engine_probability import probability_of
from analysis.probability import Likelihoods, fitted
from analysis.rules import OUTCOMES, RULES, RULES_VERSION, TRIGGERS

EXPLAINED = ("ok", "blocked")  # outcomes that mechanisms explain, as in `analysis.verdict`
TOGETHER = 8  # rules whose names are put together only where one of them fired: most never do
FIRED = "fired_"  # before a rule's id: the column that says whether it fired

Table = Any  # Ibis ships no types
Column = Any


def fired(observations: Table) -> Table:
    """*observations*, each with a boolean column for every rule."""
    return observations.mutate(
        **{f"{FIRED}{rule.id}": rule.when.fill_null(False) for rule in RULES}
    )


def judged(observations: Table, *, by: Likelihoods | None = None) -> Table:
    """*observations* (columns of `Observation`, and any others, which are kept) with what
    `Verdict` says of each: ``decided`` (the rule), ``outcome``, ``mechanism``,
    ``mechanisms``, ``trigger``, ``verdict_position``, ``verdict_residual``, ``hop``,
    ``verdict_hop_ip``, ``verdict_hop_asn``, ``probability``, ``rules``, ``rules_version``; in
    the words of `VerdictRow` for what is not known. Probabilities are *by*
    the weights that come with this version, or others. Lazy: nothing runs until it is asked for.
    """
    table = fired(observations)
    has = {rule.id: table[f"{FIRED}{rule.id}"] for rule in RULES}
    table = table.mutate(
        decided=_first([(has[rule.id], rule.id) for rule in OUTCOMES], OUTCOMES[-1].id),
        outcome=_first([(has[rule.id], str(rule.outcome)) for rule in OUTCOMES], "inconclusive"),
        named=_any(has[rule.id] for rule in RULES if rule.mechanism is not None),
    )
    table = table.mutate(explained=table.outcome.isin(EXPLAINED) & table.named)
    has = {rule.id: table[f"{FIRED}{rule.id}"] for rule in RULES}
    found = mechanisms(has)
    triggers = [(has[rule.id], str(rule.trigger)) for rule in TRIGGERS]
    told = table.explained
    located = told & (table.hop_high > 0)
    near = ibis.ifelse(table.hop_near, table.probe_asn, 0)
    table = table.mutate(
        mechanism=ibis.ifelse(told, _first([(had, name) for name, had in found.items()], ""), ""),
        mechanisms=ibis.ifelse(told, _joined(found), ""),
        trigger=ibis.ifelse(told, _first(triggers, ""), ""),
        verdict_position=ibis.ifelse(
            told, ibis.ifelse(table.position != "", table.position, table.hop_position), ""
        ),
        verdict_residual=ibis.ifelse(told & (table.residual >= 0), table.residual, -1.0),
        hop=ibis.ifelse(located & (table.hop_low == table.hop_high), table.hop_high, 0),
        verdict_hop_ip=ibis.ifelse(located, table.hop_ip, ""),
        verdict_hop_asn=ibis.ifelse(
            located, ibis.ifelse(table.hop_asn > 0, table.hop_asn, near), 0
        ),
        probability=probability_of(table, has, found, by or fitted()),
        rules=_rules(table, has),
        rules_version=ibis.literal(RULES_VERSION),
    )
    return table.drop(*(f"{FIRED}{rule.id}" for rule in RULES), "named", "explained")


def mechanisms(has: Mapping[str, Column]) -> dict[str, Column]:
    """Each mechanism, in the order of its first rule, with whether one of its rules fired."""
    by: dict[str, list[Column]] = {}
    for rule in RULES:
        if rule.mechanism is not None:
            by.setdefault(rule.mechanism, []).append(has[rule.id])
    return {name: _any(columns) for name, columns in by.items()}


def _rules(table: Table, has: Mapping[str, Column]) -> Column:
    """All rules that fired, by commas, the deciding one first; the last outcome rule, which
    fires for everything measured, only where it decides."""
    also = {
        rule.id: has[rule.id] & (table.decided != rule.id) if rule.outcome else has[rule.id]
        for rule in RULES
        if rule is not OUTCOMES[-1]
    }
    names, pieces = list(also), []
    for first in range(0, len(names), TOGETHER):
        group = names[first : first + TOGETHER]
        joined = reduce(add, (ibis.ifelse(also[name], f",{name}", "") for name in group))
        pieces.append(ibis.ifelse(_any(has[name] for name in group), joined, ""))
    return table.decided + reduce(add, pieces)


def _joined(found: Mapping[str, Column]) -> Column:
    """The names of those that are true, in order, by commas."""
    pieces = [ibis.ifelse(had, f",{name}", "") for name, had in found.items()]
    return reduce(add, pieces).substr(1)


def _first(cases: Iterable[tuple[Column, str]], otherwise: str) -> Column:
    return ibis.cases(*cases, else_=otherwise)


def _any(columns: Iterable[Column]) -> Column:
    return reduce(or_, columns)
