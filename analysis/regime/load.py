"""A country's folder of data, read and checked as a whole.

``load("belarus")`` reads a folder that comes with the package, ``load(Path(...))`` any
other: a second country needs data and no code. A reference to what is not there, a row
without a source or a date that is none stops the reading with one line. Only the country and
its networks must be there; a file that is missing is a thing that nobody documented.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from analysis.regime import read
from analysis.regime.documents import (
    Actor,
    Article,
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
    Source,
)  # fmt: skip
from analysis.regime.model import Network, Networks
from analysis.regime.outside import Outside, of_folder

T = TypeVar("T", bound=msgspec.Struct)

REFERENCES = {
    "sources": "source", "actors": "actor", "decides": "actor", "enforces": "actor",
    "grounds": "ground", "protected": "protected", "instruments": "instrument",
    "instrument": "instrument", "gateway_source": "source", "source": "source", "law": "instrument",
}  # fmt: skip
_OPEN = frozenset({"any"})  # a ground that stands for all


def folder(country: str | Path) -> Traversable:
    """The folder of *country*: a name of those that come with the package, or a path."""
    if isinstance(country, Path):
        found: Traversable = country
    else:
        if not country.isidentifier():
            raise read.DataError(f"{country!r} is not the name of a regime")
        found = files("analysis.regime") / country
    if not found.is_dir():
        raise read.DataError(f"no regime in {country}")
    return found


def networks(country: str | Path) -> Networks:
    """The networks of *country* alone, for what needs nothing else of it."""
    rows = _rows(folder(country), "networks.csv", Network)
    for asn, count in Counter(row.asn for row in rows).items():
        if count > 1:
            raise read.DataError(f"networks: {asn} is there {count} times")
    return Networks(rows)


def load(country: str | Path) -> Regime:
    """All that the folder of *country* says; raises `DataError` where it cannot be right."""
    place = folder(country)
    regime = Regime(
        country=read.document(read.text_of(place / "country.toml"), Country, "country.toml"),
        networks=networks(country),
        sources=_rows(place, "sources.csv", Source),
        actors=_tables(place, "actors.toml", "actors", Actor),
        instruments=_tables(place, "instruments.toml", "instruments", Instrument),
        grounds=_tables(place, "grounds.toml", "grounds", Ground),
        categories=_tables(place, "grounds.toml", "categories", Category),
        articles=_tables(place, "law.toml", "articles", Article),
        protected=_tables(place, "law.toml", "protected", Protected),
        scores=_rows(place, "scores.csv", Score),
        facts=_rows(place, "facts.csv", Fact),
        events=_rows(place, "documented_events.csv", Documented),
        calendar=_rows(place, "calendar.csv", CalendarEntry),
        list_sizes=_rows(place, "list_sizes.csv", ListSize),
    )
    for problem in problems(regime):
        raise read.DataError(f"{regime.country.id}: {problem}")
    return regime


def outside_of(country: str | Path) -> Outside:
    """The outside evidence that the documents of *country* carry."""
    return of_folder(folder(country) / "outside")


def problems(regime: Regime) -> Iterator[str]:
    """What cannot be right in *regime*: an id twice, a reference to nothing."""
    known = {
        "source": {s.id for s in regime.sources},
        "actor": {a.id for a in regime.actors},
        "instrument": {i.id for i in regime.instruments},
        "ground": {g.id for g in regime.grounds} | _OPEN,
        "protected": {p.id for p in regime.protected},
    }
    kinds: dict[str, Iterable[msgspec.Struct]] = {
        name: getattr(regime, name)
        for name in regime.__struct_fields__
        if isinstance(getattr(regime, name), tuple)
    }
    for kind, rows in kinds.items():
        ids = [str(getattr(row, "id", getattr(row, "code", ""))) for row in rows]
        for name, count in Counter(i for i in ids if i).items():
            if count > 1:
                yield f"{kind}: {name} is there {count} times"
        for name, row in zip(ids, rows, strict=True):
            yield from _unresolved(row, f"{kind} {name}".strip(), known)
    for network in regime.networks.values():
        yield from _unresolved(network, f"networks {network.asn}", known)
        yield from (
            f"networks {network.asn}: gateway {g} is no network"
            for g in network.gateways
            if g not in regime.networks
        )


def _unresolved(value: Any, where: str, known: dict[str, set[str]]) -> Iterator[str]:
    for name in value.__struct_fields__:
        held = getattr(value, name)
        if isinstance(held, tuple) and held and isinstance(held[0], msgspec.Struct):
            for part in held:
                yield from _unresolved(part, where, known)
        elif name in REFERENCES:
            ids = held.split(";") if isinstance(held, str) else held
            for one in ids:
                if one.strip() and one.strip() not in known[REFERENCES[name]]:
                    yield f"{where}: {name} {one.strip()} is not there"


def _rows(place: Traversable, name: str, kind: type[T]) -> tuple[T, ...]:
    file = place / name
    return tuple(read.rows(read.text_of(file), kind, name)) if file.is_file() else ()


def _tables(place: Traversable, name: str, key: str, kind: type[T]) -> tuple[T, ...]:
    file = place / name
    return tuple(read.tables(read.text_of(file), kind, key, name)) if file.is_file() else ()
