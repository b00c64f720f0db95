"""`analysis.probability`, as an expression over a table: the same weights, in the engine.

What is weighed, and why, is said there. The weights are read from the same file, the
features are the same sums; tested to be equal row by row.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any

import ibis  # type: ignore[import-untyped]  # Ibis ships no types

from analysis import probability as by_row
from analysis.probability import (
    ACCUSED,
    ACCUSING,
    CLAIMS,
    CONTROLS,
    REPETITIONS,
    Claim,
    Likelihoods,
)
from analysis.rules import OUTCOMES, RULES

Table = Any  # Ibis ships no types
Column = Any

NONE = -1.0  # the probability of what claims nothing


def probability_of(
    table: Table, has: Mapping[str, Column], found: Mapping[str, Column], by: Likelihoods
) -> Column:
    """That the verdict of each row is right; -1 where it claims nothing.

    *table* has the columns of `Observation`, and ``outcome``, ``decided`` and
    ``explained`` (mechanisms are named and explain the outcome); *has* says for each rule
    whether it fired, *found* for each mechanism whether it was found.
    """
    accused = (table.outcome == "blocked") | table.explained
    others = [
        (table.outcome == name, _of_rule(table, name, by)) for name in CLAIMS if name != ACCUSED
    ]
    return ibis.cases(
        (accused, _of_accusation(table, has, found, by)), *others, else_=ibis.literal(NONE)
    )


def _of_accusation(
    table: Table, has: Mapping[str, Column], found: Mapping[str, Column], by: Likelihoods
) -> Column:
    claim = by.claims.get(ACCUSED)
    if claim is None:
        return ibis.literal(by.unseen)
    met = [
        ibis.ifelse(has[rule.id], claim.rules[rule.id].cases, 0)
        for rule in RULES
        if rule.id in ACCUSING and rule.id in claim.rules
    ]
    cases = ibis.greatest(0, 0, *met)
    most = (cases + 1).cast("float64") / (cases + 2).cast("float64")
    least = ibis.literal(1.0) / (cases + 2).cast("float64")
    return _weighed(
        claim, _accusation(table, found),
        ibis.ifelse(cases > 0, least, 1 - by.unseen), ibis.ifelse(cases > 0, most, by.unseen),
    )  # fmt: skip


def _accusation(o: Table, found: Mapping[str, Column]) -> dict[str, Column]:
    """The features of an accusation: those of `analysis.probability`, under the same names."""
    named = {name: had & o.explained for name, had in found.items()}
    answered = (
        _any_kind(named, by_row.ABSENCE)
        | o.path_how.isin(sorted(by_row.CUT)) | (o.path_end == "certificate")
    )
    again = (o.followed == "dns") | (o.path_end == o.followed) | o.path_end.isin(
        ["page", "redirect"]
    )
    other = o.again_tries - o.again_same - o.again_passed
    contradicting = ibis.greatest(
        *(o[name] for name in by_row.CONTRASTS),
        ibis.ifelse(o.dns_own.isin(by_row.LIES), o.dns_witnesses, 0),
    )
    located = (o.hop_met >= 2) & (o.hop_high > 0) & (o.hop_high != o.path_length)
    own = o.hop_near | ((o.hop_asn > 0) & (o.hop_asn == o.probe_asn))
    p = ibis.least(o.speed_p, o.speed_name_p)
    slow = ibis.least(-(ibis.greatest(p, 1e-3).log10()), 3.0)
    return {
        "again_same": _at_most(o.again_same, REPETITIONS, again),
        "again_passed": _at_most(o.again_passed, REPETITIONS, again),
        "again_other": _at_most(other, REPETITIONS, again),
        "contradicting": ibis.least(contradicting, CONTROLS).cast("float64"),
        "answered": _one(answered),
        "forged": _one(_any_kind(named, by_row.ABSENCE | by_row.CUT | by_row.TROUBLE)),
        "known": _one(o.fingerprint_path != ""),
        "named": _one((o.elsewhere == "same") & (o.harmless_elsewhere == "free")),
        "harmless_free": _one(o.harmless_here == "free"),
        "located": _one(located),
        "own_network": _one(located & own),
        "slow": ibis.ifelse(named["throttled"], slow, 0.0),
        "loss": ibis.ifelse(answered, 0.0, 10 * _loss(o)),
        "canaries": ibis.least(
            o.canary_failures.cast("float64")
            / ibis.greatest(o.canary_looks, by_row.FEWEST_CONNECTS).cast("float64"),
            1.0,
        ),
    }


def _loss(o: Table) -> Column:
    late = o.line_late.cast("float64") / ibis.greatest(o.line_connects, 1).cast("float64") / 2
    return ibis.ifelse(
        o.line_connects < by_row.FEWEST_CONNECTS, 0.0, ibis.least(late, by_row.MOST_LOSS)
    )


def _of_rule(o: Table, name: str, by: Likelihoods) -> Column:
    """Of a claim that is no accusation: by the rule that decided, and what agrees."""
    claim = by.claims.get(name)
    if claim is None:
        return ibis.literal(by.unseen)
    deciding = [rule.id for rule in OUTCOMES if rule.outcome == name]
    likeness = {
        column: ibis.cases(
            *((o[column] == word, value) for word, value in by_row.LIKENESS.items()), else_=0.0
        )
        for column in ("page_match", "page_twin")
    }
    seen = {
        "rule": _by_id(o, {rule: claim.weights.get(f"rule {rule}", 0.0) for rule in deciding}),
        "certified": _one(o.path_certified),
        "alike": ibis.greatest(*likeness.values()),
        "shared": ibis.least(o.path_shared, CONTROLS).cast("float64"),
        "elsewhere": ibis.least(o.path_elsewhere, CONTROLS).cast("float64"),
        "cut": _one(o.speed_cut),
    }
    bounds = {rule: by_row.bounds(claim, name, [rule], by.unseen) for rule in deciding}
    return _weighed(
        claim, seen,
        _by_id(o, {rule: least for rule, (least, _most) in bounds.items()}),
        _by_id(o, {rule: most for rule, (_least, most) in bounds.items()}),
    )  # fmt: skip


def _weighed(claim: Claim, seen: Mapping[str, Column], least: Column, most: Column) -> Column:
    """The sum in the order of the features, as Python adds them: the last digits count."""
    terms = [
        value if what == "rule" else claim.weights.get(what, 0.0) * value
        for what, value in seen.items()
    ]
    odds = claim.base + reduce(lambda sum_, term: sum_ + term, terms)
    odds = ibis.greatest(-40.0, ibis.least(40.0, odds))
    p = ibis.literal(1.0) / (1.0 + (-odds).exp())
    bounded = ibis.least(ibis.greatest(p, least), most)
    return (bounded * by_row.DIGITS + 0.5).floor().cast("float64") / by_row.DIGITS


def _any_kind(named: Mapping[str, Column], apart_from: frozenset[str]) -> Column:
    """A mechanism was named of another kind than these; its kind is what follows the dot."""
    columns = [
        had
        for name, had in named.items()
        if name != "throttled" and name.partition(".")[2] not in apart_from
    ]
    return reduce(or_, columns)


def _at_most(column: Column, most: int, where: Column) -> Column:
    return ibis.ifelse(where, ibis.least(column, most), 0).cast("float64")


def _one(condition: Column) -> Column:
    return ibis.ifelse(condition, 1.0, 0.0)


def _by_id(o: Table, values: Mapping[str, float]) -> Column:
    return ibis.cases(
        *((o.decided == rule, value) for rule, value in values.items()), else_=0.0
    )
