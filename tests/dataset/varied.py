"""Observations as unlike each other as the rules can tell apart.

The values come from the rules themselves: every word and number that some rule compares a
column with, and the numbers beside it, so that a rule that is added is tried too.
"""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import ibis.expr.operations as ops  # type: ignore[import-untyped]
import msgspec

from analysis.observations import Observation, describe
from analysis.probability import CONTRASTS, LIES, LIKENESS
from analysis.rules import RULES
from analysis.verdict import schema

_FREE: dict[str, list[Any]] = {  # columns that no rule reads, and the verdict or its probability does
    "url": ["https://example.org/", "http://user@Пример.бел:8080/a,b", "https://[2001:db8::1]/"],
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
    "page_match": list(LIKENESS),
    "dns_own": list(LIES),
}
for _name in CONTRASTS:
    _FREE.setdefault(_name, [0, 1, 2, 3])
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
        values[name] = tuple(sorted((_typed(kind, v) for v in options), key=repr))
    return values


def varied(count: int, seed: int) -> list[Observation]:
    """*count* observations; the later ones differ from the plain one in more columns."""
    rng = random.Random(seed)
    names = [n for n in domains() if n not in ("run_id", "measurement_id")]
    rows = []
    for number in range(count):
        changed = rng.sample(names, rng.choice([2, 5, 10, 20, 40, len(names)]))
        values = {name: rng.choice(domains()[name]) for name in changed}
        if rng.random() < 0.8:
            values["measured"] = True
        if rng.random() < 0.5:  # most faults say nothing more of the target
            values |= {n: False for n in ("captive_portal", "home_lost", "foreign_lost", "forger")}
        measured_at = rng.uniform(1.6e9, 1.8e9)
        values |= {"run_id": f"r{number % 7}", "measurement_id": str(number),
                   "measured_at": measured_at}  # fmt: skip
        rows.append(msgspec.structs.replace(_DEFAULT, **values))
    return rows


def _beside(value: Any) -> set[Any]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {value}
    step = 1 if isinstance(value, int) else value / 64
    return {value - step, value, value + step} if value else {value, value + 1}


def _typed(kind: str, value: Any) -> Any:
    return {"int": int, "float": float}.get(kind, lambda v: v)(value)


_DEFAULT = Observation(run_id="", url="https://example.org/")
