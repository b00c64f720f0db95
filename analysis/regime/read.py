"""Rows of CSV and tables of TOML as structs: what cannot be read is one clear line.

One reader for the model and for the tables that users bring: a struct's fields are the
columns, its annotations the limits. Several values in one cell are joined by ``;``. Files
of users are hostile: their size, rows and cells are bounded.
"""

from __future__ import annotations

import csv
import io
import tomllib
import types
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources.abc import Traversable
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from analysis.regime.model import Date, span

T = TypeVar("T", bound=msgspec.Struct)

MAX_BYTES = 64 * 1024 * 1024
MAX_ROWS = 1_000_000
MAX_CELL = 16_384


class DataError(ValueError):
    """The data cannot be read; the text says which file, line and field, and why."""


def rows(text: str, kind: type[T], name: str) -> list[T]:
    """The rows of CSV *text* as *kind*; raises `DataError` at the first that is not one."""
    good, bad = sift(text, kind, name)
    if bad:
        raise DataError(bad[0])
    return good


def sift(text: str, kind: type[T], name: str) -> tuple[list[T], list[str]]:
    """The rows that can be read, and one line for each that cannot.

    Raises `DataError` where the columns are not those of *kind*.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    lists = _lists(kind)
    good: list[T] = []
    bad: list[str] = []
    try:
        _columns(reader.fieldnames or (), kind, name)
        for row in _bounded(reader, name):
            try:
                good.append(_struct(row, kind, lists))
            except (msgspec.ValidationError, ValueError) as error:
                bad.append(f"{name}:{reader.line_num}: {error}")
    except csv.Error as error:
        raise DataError(f"{name}:{reader.line_num}: {error}") from error
    return good, bad


def tables(text: str, kind: type[T], key: str, name: str) -> list[T]:
    """The tables ``[[key]]`` of TOML *text* as *kind*."""
    return [_convert(table, kind, f"{name}: {key}") for table in toml(text, name).get(key, [])]


def document(text: str, kind: type[T], name: str) -> T:
    """The whole of TOML *text* as *kind*."""
    return _convert(toml(text, name), kind, name)


def toml(text: str, name: str) -> dict[str, Any]:
    """TOML *text*; raises `DataError`."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"{name}: {error}") from error


def text_of(file: Traversable) -> str:
    """The text of *file*, at most `MAX_BYTES` of it; raises `DataError`."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise DataError(f"{file.name}: more than {MAX_BYTES} bytes")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file.name}: {error}") from error


def _convert(value: Mapping[str, Any], kind: type[T], name: str) -> T:
    try:
        return _dated(msgspec.convert(value, kind, strict=False))
    except (msgspec.ValidationError, ValueError) as error:
        label = value.get("id", "")
        raise DataError(f"{name} {label}: {error}") from error


def _columns(found: Sequence[str], kind: type[msgspec.Struct], name: str) -> None:
    fields = msgspec.structs.fields(kind)
    missing = [f.name for f in fields if f.required and f.name not in found]
    if missing:
        raise DataError(f"{name}: no column {', '.join(missing)}")
    unknown = sorted(set(found) - {f.name for f in fields})
    if unknown:
        raise DataError(f"{name}: unknown column {', '.join(unknown)}")


def _bounded(reader: csv.DictReader[str], name: str) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(reader):
        if number >= MAX_ROWS:
            raise DataError(f"{name}: more than {MAX_ROWS} rows")
        yield row


def _struct(row: dict[str, Any], kind: type[T], lists: frozenset[str]) -> T:
    if None in row or None in row.values():
        raise ValueError("more or fewer cells than columns")
    values: dict[str, Any] = {}
    for name, cell in row.items():
        if len(cell) > MAX_CELL or "\x00" in cell:
            raise ValueError(f"{name}: a cell that is too long, or holds a null byte")
        if name in lists:
            values[name] = [part.strip() for part in cell.split(";") if part.strip()]
        elif cell.strip():
            values[name] = cell.strip()  # an empty cell is the field's default
    return _dated(msgspec.convert(values, kind, strict=False))


def dates(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of *kind* that are dates."""
    return _dates(kind)


@cache
def _dates(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(name for name, hint in hints.items() if hint == Date)


def _dated(value: T) -> T:
    for name in dates(type(value)):
        text = getattr(value, name)
        try:
            if text:
                span(text)
        except (ValueError, OverflowError):
            raise ValueError(f"{name}: {text!r} is no date") from None
    return value


@cache
def _lists(kind: type[msgspec.Struct]) -> frozenset[str]:
    hints = get_type_hints(kind)
    return frozenset(name for name, hint in hints.items() if _is_tuple(hint))


def _is_tuple(hint: Any) -> bool:
    if get_origin(hint) in (Union, types.UnionType):
        return any(_is_tuple(option) for option in get_args(hint))
    return get_origin(hint) is tuple
