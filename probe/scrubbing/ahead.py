"""The user's addresses, taken out of a measurement before it is written down.

Rule: what the controls saw us come from is known while a run lasts, and is kept in memory
only, as the user was told. A site that echoes it would write it into the database all the
same; and days later, when the measurement leaves, nobody would know any more what to look
for. So this much is done at once. The rest (names, tokens, times) is done when it leaves,
and the database keeps it.

What it costs: a control that lies about our address can have one other address taken out.
It could as well lie about the sites.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from probe.evidence import HTTPExchange, Measurement
from probe.scrubbing.eraser import Eraser
from probe.scrubbing.known import Known, is_telling
from probe.wire.page import sketch

R = TypeVar("R", bound=msgspec.Struct)


class Ahead:
    """Takes *addresses* (in any form that `ipaddress` reads) out of measurements."""

    def __init__(self, addresses: Iterable[str]) -> None:
        found = tuple(sorted(ip for ip in addresses if is_telling(ip)))
        self._eraser = Eraser(Known(addresses=found)) if found else None

    def without_us(self, measurement: Measurement) -> Measurement:
        """*measurement* itself, where there is nothing of ours in it."""
        return measurement if self._eraser is None else _struct(measurement, self._eraser)


def _struct(record: R, eraser: Eraser) -> R:
    changed = {
        field: clean
        for field in record.__struct_fields__
        if (clean := _value(value := getattr(record, field), eraser)) is not value
    }
    if not changed:
        return record
    if isinstance(record, HTTPExchange):
        body = eraser.body(record.body) if record.body else record.body
        if body and body != record.body:
            # Its hash, with all but an address known, would give the address away.
            changed |= {
                "body": body, "body_sha256": hashlib.sha256(body).hexdigest(),
                "body_length": len(body), "sketch": sketch(body),
            }  # fmt: skip
    return msgspec.structs.replace(record, **changed)


def _value(value: Any, eraser: Eraser) -> Any:
    """*value*, itself where nothing in it is ours."""
    if isinstance(value, str):
        clean: Any = eraser.address(value)
    elif value is None or isinstance(value, int | float):
        return value
    elif isinstance(value, bytes):
        clean = eraser.binary(value)
    elif isinstance(value, msgspec.Struct):
        return _struct(value, eraser)
    elif isinstance(value, tuple):
        items = tuple(_value(item, eraser) for item in value)
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    elif isinstance(value, dict):
        clean = {_value(name, eraser): _value(fact, eraser) for name, fact in value.items()}
    else:
        return value
    return value if clean == value else clean
