"""Structs of the model and of outside evidence as tables, for queries.

The struct is the schema, as for the verdict table. A date becomes three columns: ``decided``
(its text), ``decided_first`` and ``decided_last`` (POSIX seconds between which it lies; null
where it is not known). A tuple becomes a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]

from analysis.regime import read
from analysis.regime.documents import (
    Actor,
    CalendarEntry,
    Category,
    Country,
    Documented,
    Fact,
    Ground,
    Instrument,
    ListSize,
    Protected,
    Regime,
    Score,
)  # fmt: skip
from analysis.regime.model import Network, span
from analysis.regime.outside import KINDS

_ARROW = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}


def table(
    rows: Iterable[msgspec.Struct], of: type[msgspec.Struct], offset_hours: float = 0.0
) -> Any:
    """*rows* as an Arrow table with the columns of *of*; *offset_hours*: of its dates."""
    kept = list(rows)
    dates = read.dates(of)
    columns: dict[str, Any] = {}
    for name, kind in _columns(of).items():
        values = [getattr(row, name) for row in kept]
        if isinstance(kind, pa.ListType):
            values = [list(value) for value in values]
        columns[name] = pa.array(values, type=kind)
        if name in dates:
            spans = [span(value, offset_hours) if value else None for value in values]
            for end in ("first", "last"):
                moments = [None if s is None else getattr(s, end) for s in spans]
                columns[f"{name}_{end}"] = pa.array(moments, type=pa.float64())
    return pa.table(columns)


def outside_tables(
    outside: Mapping[str, Iterable[msgspec.Struct]], offset_hours: float = 0.0
) -> dict[str, Any]:
    """A table for each kind of outside evidence, also for those of which there is none."""
    return {kind: table(outside.get(kind, ()), of, offset_hours) for kind, of in KINDS.items()}


def regime_tables(regime: Regime) -> dict[str, Any]:
    """The tables of a regime's documents, by the names that queries use."""
    hours = regime.country.utc_offset_hours
    networks = table(regime.networks.values(), Network, hours)
    singles = [network.gateway for network in regime.networks.values()]
    return {
        "country": table([regime.country], Country, hours),
        "networks": networks.append_column("gateway", pa.array(singles, type=pa.string())),
        "actors": table(regime.actors, Actor, hours),
        "instruments": table(regime.instruments, Instrument, hours),
        "grounds": table(regime.grounds, Ground, hours),
        "categories": table(regime.categories, Category, hours),
        "protected": table(regime.protected, Protected, hours),
        "scores": table(regime.scores, Score, hours),
        "facts": table(regime.facts, Fact, hours),
        "documented_events": table(regime.events, Documented, hours),
        "calendar": table(regime.calendar, CalendarEntry, hours),
        "list_sizes": table(regime.list_sizes, ListSize, hours),
    }


@cache
def _columns(of: type[msgspec.Struct]) -> dict[str, Any]:
    """Name and Arrow type of each; structs within structs, as an actor's powers, are for the
    reader."""
    fields = msgspec.inspect.type_info(of).fields  # type: ignore[attr-defined]
    kinds = {field.encode_name: _kind(field.type) for field in fields}
    return {name: kind for name, kind in kinds.items() if kind is not None}


def _kind(kind: Any) -> Any:
    if isinstance(kind, msgspec.inspect.Metadata):
        return _kind(kind.type)
    if isinstance(kind, msgspec.inspect.VarTupleType):
        inner = _kind(kind.item_type)
        return None if inner is None else pa.list_(inner)
    if isinstance(kind, msgspec.inspect.StructType):
        return None
    if isinstance(kind, msgspec.inspect.LiteralType):
        return _ARROW[type(kind.values[0]).__name__]
    return _ARROW[type(kind).__name__.removesuffix("Type").lower()]
