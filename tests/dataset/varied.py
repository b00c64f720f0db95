"""Observations as unlike each other as the rules can tell apart.

The values come from the rules themselves: every word and number that some rule compares a
column with, and the numbers beside it, so that a rule that is added is tried too.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from functools import cache
from typing import Any, get_args

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import ibis.expr.operations as ops  # type: ignore[import-untyped]
import msgspec

from analysis.history.table import VerdictRow
from analysis.observations import Observation, describe
from analysis.probability import CONTRASTS, LIES, LIKENESS
from analysis.question import schema
from analysis.rules import RULES, Outcome

_FREE: dict[str, list[Any]] = {  # what the verdict or its probability reads
    "url": ["https://example.org/", "http://user@Пример.бел:8080/a,b", "https://[2001:db8::1]/"],
    "source": ["", "miniooni"],
    "probe_id": ["", "p"],
    "resolver_asn": [0, 15169],
    "residual": [-1.0, 0.0, 180.0],
    "hop_ip": ["", "192.0.2.1"],
    "hop_asn": [0, 6697, 12406],
    "probe_asn": [0, 6697, 60280],
    "hop_low": [0, 1, 2, 5],
    "hop_position": ["", "in-path", "on-path"],
    "position": ["", "in-path", "on-path"],
    "path_length": [0, 2, 5],
    "hop_met": [0, 1, 2, 3],
    "line_connects": [0, 9, 10, 400],
    "line_late": [0, 3, 90],
    "canary_looks": [0, 4, 30],
    "canary_failures": [0, 2, 30],
    "again_tries": [0, 1, 3, 6, 9],
    "speed_p": [1.0, 0.5, 0.01, 1e-9, 0.0],
    "speed_name_p": [1.0, 0.5, 0.01, 1e-9, 0.0],
    "service_alike": [0, 1, 4, 5, 9],
    "page_match": list(LIKENESS),
    "dns_own": list(LIES),
}
for _name in CONTRASTS:
    _FREE.setdefault(_name, [0, 1, 2, 3])
_WEIGHED = ("again_tries", "again_passed", "line_connects", "line_late", "canary_looks",
            "canary_failures", "hop_met", "path_shared", "path_elsewhere")  # fmt: skip
_FINGERPRINTS = ["", "F01", "F01,F15", "F15"]


@cache
def domains() -> dict[str, tuple[Any, ...]]:
    """The values to try, by column; the default is always one."""
    table = ibis.table(schema(), name="observations")
    found: dict[str, set[Any]] = {str(name): set() for name in table.columns}
    for rule in RULES:
        for node in rule.when.resolve(table).op().find(ops.Comparison):
            sides = (node.left, node.right)
            field = next((s for s in sides if isinstance(s, ops.Field)), None)
            value = next((s.value for s in sides if isinstance(s, ops.Literal)), None)
            if field is not None and value is not None:
                found[field.name] |= _beside(value)
        for node in rule.when.resolve(table).op().find(ops.StringContains):
            found[node.haystack.name] |= {node.needle.value, f"{node.needle.value},other"}
        for node in rule.when.resolve(table).op().find(ops.InValues):
            if isinstance(node.value, ops.Field):
                found[node.value.name] |= {option.value for option in node.options}
    values: dict[str, tuple[Any, ...]] = {}
    for name, (kind, _about) in describe().items():
        default = getattr(_DEFAULT, name)
        options: set[Any] = found[name] | set(_FREE.get(name, [])) | {default}
        if name.startswith("fingerprint_"):
            options |= set(_FINGERPRINTS)
        if kind == "bool":
            options = {False, True}
        if kind == "str":  # a word that no rule knows
            options |= {"other"}
        values[name] = tuple(sorted((_typed(kind, v) for v in options), key=repr))
    return values


def varied(count: int, seed: int) -> list[Observation]:
    """*count* observations: each meets the condition of some rule, as far as that is simple,
    and differs from the plain one at random in some columns more, or in all."""
    rng = random.Random(seed)
    table = ibis.table(schema(), name="observations")
    wanted = [rule.when.resolve(table).op() for rule in RULES]
    apart = {"run_id", "measurement_id", "measured_at"}
    names = [name for name in domains() if name not in apart]
    rows = []
    for number in range(count):
        values: dict[str, Any] = {"measured": True, "controls": rng.choice([0, 1, 2, 2])}
        for _again in range(2):  # what was equal to another column may have to be made so anew
            _meet(wanted[number % len(wanted)], True, values, rng)
        if rng.random() < 0.3:  # numbers that the probability reads
            values |= {name: rng.choice(domains()[name]) for name in _WEIGHED}
        free = [name for name in names if name not in values]
        for name in rng.sample(free, min(rng.choice([0, 0, 1, 2, 4, 8, 200]), len(free))):
            values[name] = rng.choice(domains()[name])
        values |= {"run_id": "r", "measurement_id": f"{number:06}",
                   "measured_at": rng.uniform(1.6e9, 1.8e9)}  # fmt: skip
        rows.append(msgspec.structs.replace(_DEFAULT, **values))
    return rows


def _meet(node: Any, truth: bool, values: dict[str, Any], rng: random.Random) -> None:
    """Change *values* so that the condition *node* is likely to have this *truth*."""
    if isinstance(node, ops.Not):
        _meet(node.arg, not truth, values, rng)
    elif isinstance(node, ops.And | ops.Or):
        sides = [node.left, node.right]
        if isinstance(node, ops.And) != truth:
            sides = [rng.choice(sides)]
        for side in sides:
            _meet(side, truth, values, rng)
    elif isinstance(node, ops.Field):
        values[node.name] = truth
    elif isinstance(node, ops.InValues) and isinstance(node.value, ops.Field):
        options = {option.value for option in node.options}
        _choose(node.value.name, lambda v: (v in options) == truth, values, rng)
    elif isinstance(node, ops.StringContains):
        needle = node.needle.value
        _choose(node.haystack.name, lambda v: (needle in v) == truth, values, rng)
    elif isinstance(node, ops.Comparison) and type(node) in _COMPARED:
        left, right, compare = node.left, node.right, _COMPARED[type(node)]
        if isinstance(left, ops.Field) and isinstance(right, ops.Literal):
            _choose(left.name, lambda v: compare(v, right.value) == truth, values, rng)
        elif compare is operator.eq and truth and isinstance(right, ops.Field):
            values[left.name] = values.get(right.name, getattr(_DEFAULT, right.name))
        else:  # with another column: any value may do
            for field in node.find(ops.Field):
                values[field.name] = rng.choice(domains()[field.name])


def _choose(
    name: str, fits: Callable[[Any], bool], values: dict[str, Any], rng: random.Random
) -> None:
    """A value for the column *name* that *fits*; the one that it has, if that does."""
    if fits(values.get(name, getattr(_DEFAULT, name))):
        return
    options = [value for value in domains()[name] if fits(value)]
    if options:
        values[name] = rng.choice(options)


_COMPARED: dict[type, Callable[[Any, Any], bool]] = {
    ops.Equals: operator.eq, ops.NotEquals: operator.ne, ops.Greater: operator.gt,
    ops.GreaterEqual: operator.ge, ops.Less: operator.lt, ops.LessEqual: operator.le,
}  # fmt: skip


def _beside(value: Any) -> set[Any]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {value}
    step = 1 if isinstance(value, int) else value / 64
    return {value - step, value, value + step} if value else {value, value + 1}


def _typed(kind: str, value: Any) -> Any:
    return {"int": int, "float": float}.get(kind, lambda v: v)(value)


_DEFAULT = Observation(run_id="", url="https://example.org/")


def varied_verdicts(count: int, seed: int) -> list[VerdictRow]:
    """Rows of a few targets, networks, probes and days, with any outcome and mechanisms."""
    rng = random.Random(seed)
    names = [*dict.fromkeys(str(rule.mechanism) for rule in RULES if rule.mechanism)]
    rows = []
    for number in range(count):
        at = 1.75e9 + rng.uniform(0, 4 * 86400)
        host = f"site{rng.randrange(4)}.example"
        found = rng.sample(names, rng.choice([0, 0, 1, 1, 2, 3]))
        rows.append(
            VerdictRow(
                measurement_id=str(number), run_id=f"r{rng.randrange(9)}", host=host,
                url=f"{rng.choice(['http', 'https'])}://{host}/", measured_at=at,
                day=int(at // 86400), hour=int(at // 3600), probe_cc=rng.choice(["BY", "LT"]),
                probe_id=rng.choice(["", "a", "b"]), probe_asn=rng.choice([6697, 12406]),
                resolver_asn=rng.choice([6697, 15169]),
                outcome=rng.choice([*get_args(Outcome), "blocked", "ok"]),
                mechanism=found[0] if found else "", mechanisms=",".join(found),
            )
        )  # fmt: skip
    return rows
