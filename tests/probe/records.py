"""Records with whatever is wanted in every field, made by walking their types.

What a record gains tomorrow is filled as well, so that tests over "every field" stay true.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import inspect

from probe.evidence import CanaryCheck, Measurement, Run

Fill = Callable[[type, str], Any]


def structs_in(kind: type, found: dict[type, set[str]]) -> None:
    """Put *kind* and every record in it into *found*, with the names of its fields."""
    if kind in found:
        return
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    found[kind] = {field.name for field in info.fields}
    for field in info.fields:
        for inner in _structs(field.type):
            structs_in(inner, found)


def _structs(info: inspect.Type) -> list[type]:
    if isinstance(info, inspect.StructType):
        return [info.cls]
    parts = [
        getattr(info, name) for name in ("item_type", "key_type", "value_type")
        if hasattr(info, name)
    ]  # fmt: skip
    parts += [*getattr(info, "types", ()), *getattr(info, "item_types", ())]
    return [cls for part in parts for cls in _structs(part)]


def filled(kind: type, text: Fill) -> Any:
    """A *kind* whose every text and bytes is what *text* gives for ``str`` or ``bytes`` and the
    field's place, and whose every list of records has one of each kind."""
    return _made(inspect.type_info(kind), text, kind.__name__)[0]


def everything(text: Fill, run_id: str, url: str) -> tuple[Run, Measurement, CanaryCheck]:
    """A run, a measurement and a canary filled by *text*, but for what joins them."""
    run = msgspec.structs.replace(filled(Run, text), id=run_id, started_at=1_790_000_017.25)
    measurement = msgspec.structs.replace(
        filled(Measurement, text), run_id=run_id, url=url, document=""
    )
    canary = msgspec.structs.replace(filled(CanaryCheck, text), run_id=run_id)
    return run, measurement, canary


def _made(info: inspect.Type, text: Fill, place: str) -> list[Any]:
    """Values of the type *info*, one of each kind that it may have."""
    match info:
        case inspect.StructType(cls=cls, fields=fields):
            return [cls(**{
                field.encode_name: _field(field, text, f"{cls.__name__}.{field.name}")
                for field in fields
            })]  # fmt: skip
        case inspect.UnionType(types=types):
            return [value for each in types for value in _made(each, text, place)]
        case inspect.VarTupleType(item_type=item):
            return [tuple(v for v in _made(item, text, place) if v is not None)]
        case inspect.TupleType(item_types=items):
            return [tuple(_made(item, text, place)[0] for item in items)]
        case inspect.DictType(key_type=key, value_type=value):
            each = _made(value, text, place)
            return [{_made(key, text, place)[0]: next(
                (v for v in each if isinstance(v, str)), each[0]
            )}]  # fmt: skip
        case inspect.StrType():
            return [text(str, place)]
        case inspect.BytesType():
            return [text(bytes, place)]
        case inspect.LiteralType(values=values):
            return [values[0]]
        case inspect.EnumType(cls=cls):
            return [next(iter(cls))]
        case inspect.BoolType():
            return [True]
        case inspect.IntType():
            return [7]
        case inspect.FloatType():
            return [7.5]
        case inspect.NoneType():
            return [None]
    raise TypeError(f"{place}: {info}")


def _field(field: inspect.Field, text: Fill, place: str) -> Any:
    values = [v for v in _made(field.type, text, place) if v is not None]
    # Of a choice between plain values, the text: it is what can hold something.
    return next((v for v in values if isinstance(v, str | bytes)), values[0])
