"""Events as flat tables, so that a query can join them to what is documented.

One row for each event, and one for each of its parts, named by its event. What is several
is a list; an interval is three columns, of which a bound is null where nobody looked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from analysis.history.event import Event, Interval, Part

_WORDS, _NUMBERS = pa.list_(pa.string()), pa.list_(pa.int64())


def _interval(
    name: str,
) -> list[tuple[str, Any, Callable[[Any], Any]]]:
    def at(field: str) -> Callable[[Any], Any]:
        def get(row: Any) -> Any:
            found: Interval | None = getattr(row, name)
            return None if found is None else getattr(found, field)

        return get

    return [
        (f"{name}_after", pa.float64(), at("after")),
        (f"{name}_by", pa.float64(), at("by")),
        (f"{name}_probability", pa.float64(), at("probability")),
    ]


def _field(name: str, kind: Any) -> list[tuple[str, Any, Callable[[Any], Any]]]:
    return [(name, kind, lambda row: _plain(getattr(row, name)))]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


_EVENT = [
    *_field("id", pa.string()), *_field("kind", pa.string()), *_field("targets", _WORDS),
    *_field("categories", _WORDS), *_field("mechanisms", _WORDS), *_field("trigger", pa.string()),
    *_field("scope", pa.string()), *_field("networks", _NUMBERS),
    *_field("clean_networks", _NUMBERS), *_field("resolvers", _NUMBERS),
    *_interval("onset"), *_interval("lift"), *_field("hours", _NUMBERS),
    *_field("share", pa.float64()), *_field("order", _NUMBERS), *_field("spread", pa.float64()),
    *_field("probability", pa.float64()), *_field("blocked", pa.int64()),
    *_field("measured", pa.int64()), *_field("probes", pa.int64()),
    *_field("fingerprints", _WORDS), *_field("reasons", _WORDS), *_field("evidence", _WORDS),
]  # fmt: skip
_PART = [
    *_field("host", pa.string()), *_field("mechanism", pa.string()),
    *_field("probe_asn", pa.int64()), *_field("resolver_asn", pa.int64()),
    *_field("network_type", pa.string()), *_field("region", pa.string()),
    *_interval("onset"), *_interval("lift"), *_field("blocked", pa.int64()),
    *_field("measured", pa.int64()), *_field("probes", pa.int64()),
    *_field("share", pa.float64()), *_field("hours", _NUMBERS), *_field("ips", _WORDS),
    *_field("probability", pa.float64()), *_field("evidence", _WORDS),
]  # fmt: skip


def events_table(events: Iterable[Event]) -> Any:
    """One row for each event, as an Arrow table."""
    kept = list(events)
    return _table({name: (kind, [get(event) for event in kept]) for name, kind, get in _EVENT})


def event_parts_table(events: Iterable[Event]) -> Any:
    """One row for each part of each event, with ``event_id``, as an Arrow table."""
    pairs: list[tuple[str, Part]] = [(event.id, part) for event in events for part in event.parts]
    columns = {"event_id": (pa.string(), [i for i, _ in pairs])}
    columns |= {name: (kind, [get(part) for _, part in pairs]) for name, kind, get in _PART}
    return _table(columns)


def _table(columns: dict[str, tuple[Any, list[Any]]]) -> Any:
    return pa.table({name: pa.array(values, type=kind) for name, (kind, values) in columns.items()})
