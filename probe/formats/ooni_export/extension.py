"""``test_keys.x_zond``: the whole measurement in our words, within an OONI document.

Written for our own reader, which takes it before OONI's fields. Keys that begin with ``x_``
are free in OONI's formats, and readers pass over those that they do not know.

What arrives is hostile: sizes, counts and times are bounded here, types by decoding. Who
wrote it is not proven; that holds for every OONI document.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from probe.evidence import CanaryCheck, Measurement, Run

FORMAT = 1
KEY = "x_zond"
MARGIN = 15.0  # seconds round a measurement of which the canaries tell whether the line lived
MAX_FOLLOW_UPS = 100
MAX_CANARIES = 2000
MAX_ID = 64  # characters


class BadExtension(ValueError):
    """It is there, and is not what it says it is. The text says why, in a line."""


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """*measurement* of *run*, what followed it up, and the canaries that tell of its line."""

    format: int = FORMAT
    run: Run
    measurement: Measurement
    follow_ups: tuple[Measurement, ...] = ()
    canaries: tuple[CanaryCheck, ...] = ()


class _Keys(msgspec.Struct):
    x_zond: msgspec.Raw = msgspec.Raw(b"null")


_keys = msgspec.json.Decoder(_Keys)
_extension = msgspec.json.Decoder(Extension)


def encoded(extension: Extension) -> dict[str, Any]:
    """What stands under `KEY`."""
    found: dict[str, Any] = msgspec.to_builtins(extension)
    return found


def of(test_keys: bytes) -> Extension | None:
    """The extension in *test_keys* (JSON); None where there is none. Raises `BadExtension`."""
    if KEY.encode() not in test_keys:
        return None
    try:
        raw = _keys.decode(test_keys).x_zond
    except msgspec.MsgspecError:
        return None  # no object: what else it is, OONI's reader says
    if bytes(raw) == b"null":
        return None
    try:
        found = _extension.decode(raw)
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise BadExtension(f"x_zond: {exc}") from None
    _check(found)
    return found


def canaries_of(
    measurement: Measurement, canaries: Sequence[CanaryCheck]
) -> tuple[CanaryCheck, ...]:
    """Those of *canaries* (all of the run) that say how the line was at *measurement*.

    All at its time; the last of each that answered before, since a ring that never did is not
    lost; and the last greeting of each, since he who signs for all of them signs for
    everybody.
    """
    begin = measurement.started_at - MARGIN
    end = measurement.started_at + measurement.runtime + MARGIN
    chosen = {number for number, c in enumerate(canaries) if begin <= c.at <= end}
    lived = {
        (c.ring, c.family): number
        for number, c in enumerate(canaries)
        if c.at < begin and c.failure is None
    }
    greeted = {
        c.name: number
        for number, c in enumerate(canaries)
        if c.handshake and c.tls_failure is None
    }
    chosen.update(lived.values(), greeted.values())
    return tuple(canaries[number] for number in sorted(chosen)[-MAX_CANARIES:])


def _check(found: Extension) -> None:
    if found.format != FORMAT:
        raise BadExtension(f"x_zond: format {found.format} is not known here")
    if len(found.follow_ups) > MAX_FOLLOW_UPS or len(found.canaries) > MAX_CANARIES:
        raise BadExtension("x_zond: too many follow-ups or canaries")
    run, plain = found.run, found.measurement
    if plain.about:
        raise BadExtension("x_zond: it begins with a follow-up")
    if any(m.about != plain.id for m in found.follow_ups):
        raise BadExtension("x_zond: a follow-up of another measurement")
    measured = {m.run_id for m in (plain, *found.follow_ups)}
    if (measured | {c.run_id for c in found.canaries}) != {run.id}:
        raise BadExtension("x_zond: of more than one run")
    ids = [m.id for m in (plain, *found.follow_ups)]
    if len(set(ids)) != len(ids):
        raise BadExtension("x_zond: an id twice")
    if not all(0 < len(id) <= MAX_ID and id.isascii() and id.isprintable()
               for id in (run.id, *ids)):  # fmt: skip
        raise BadExtension("x_zond: an impossible id")
    if not all(map(_is_time, _times(found))):
        raise BadExtension("x_zond: an impossible time")


def _times(found: Extension) -> Iterable[float]:
    yield found.run.started_at
    for m in (found.measurement, *found.follow_ups):
        yield from (m.started_at, m.runtime)
        for e in m.evidence:
            yield from (e.t0, e.t)
    yield from (c.at for c in found.canaries)


def _is_time(value: float) -> bool:
    return math.isfinite(value) and abs(value) < 1e11
