"""The documents of a batch, by the schema: the structs of `probe.evidence`.

What decodes is one of ours; what does not is set aside with the reason that its sender is
told. Fields that are not known here are passed over, since a newer probe may send them.
Beyond types, only what would break whoever reads it is refused: ids that are no hex, times
and places that are none.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from analysis.collector.notes import MAX_REASON, SetAside
from probe.evidence import CanaryCheck, Measurement, Run

EARLIEST = datetime(2012, 1, 1, tzinfo=UTC).timestamp()  # imported measurements may be old
LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
MAX_EVIDENCE = 20_000  # operations of one measurement
MAX_ADDRESSES = 20_000
MAX_NAME = 200  # characters of a nettest's name and of versions
MAX_URL = 8192
_ID = re.compile(r"[0-9a-f]{8,64}")
_COUNTRY = re.compile(r"[A-Z]{2}")


class _Kind(msgspec.Struct):
    kind: str


_kind = msgspec.json.Decoder(_Kind)
_run = msgspec.json.Decoder(Run)
_canary = msgspec.json.Decoder(CanaryCheck)
_measurement = msgspec.json.Decoder(Measurement)


class Unfit(ValueError):
    """A document that nobody should read. The text says why."""


class Documents(msgspec.Struct, kw_only=True):
    """What a batch holds, each with its line in it (the header is line 0)."""

    runs: dict[int, Run] = {}
    canaries: dict[int, CanaryCheck] = {}
    measurements: dict[int, Measurement] = {}
    set_aside: tuple[SetAside, ...] = ()

    @property
    def readable(self) -> int:
        return len(self.runs) + len(self.canaries) + len(self.measurements)


def read(documents: tuple[bytes, ...]) -> Documents:
    """The *documents* of a batch; what cannot be read is in `Documents.set_aside`."""
    found = Documents()
    aside: list[SetAside] = []
    ids: set[str] = set()
    for line, data in enumerate(documents, 1):
        try:
            one = read_one(data)
            if isinstance(one, CanaryCheck):
                found.canaries[line] = one
                continue
            if one.id in ids:
                raise Unfit("its id is in this batch already")
            ids.add(one.id)
            if isinstance(one, Run):
                found.runs[line] = one
            else:
                found.measurements[line] = one
        except RecursionError:
            aside.append(SetAside(line=line, reason="nested too deeply"))
        except (msgspec.MsgspecError, UnicodeError, Unfit) as exc:
            aside.append(SetAside(line=line, reason=str(exc)[:MAX_REASON]))
    found.set_aside = tuple(aside)
    return found


def read_one(data: bytes) -> Run | CanaryCheck | Measurement:
    """The document *data*. Raises `msgspec.MsgspecError`, `UnicodeError`, `RecursionError` or
    `Unfit`."""
    kind = _kind.decode(data).kind
    if kind == "measurement":
        return _checked(_measurement.decode(data))
    if kind == "run":
        return _checked_run(_run.decode(data))
    if kind == "canary":
        return _checked_canary(_canary.decode(data))
    raise Unfit(f"documents of the kind {kind[:40]!r} are not known here")


def country(code: str) -> bool:
    return _COUNTRY.fullmatch(code) is not None


def _checked(m: Measurement) -> Measurement:
    _id(m.id, "id")
    _id(m.run_id, "run_id")
    if m.about:
        _id(m.about, "about")
    _moment(m.started_at, "started_at")
    _short(m.nettest, "nettest", MAX_NAME)
    _short(m.nettest_version, "nettest_version", MAX_NAME)
    _short(m.software_version, "software_version", MAX_NAME)
    _short(m.url, "url", MAX_URL)
    if not m.nettest:
        raise Unfit("no nettest")
    _finite(m.runtime, "runtime")
    if len(m.evidence) > MAX_EVIDENCE or len(m.addresses) > MAX_ADDRESSES:
        raise Unfit(f"more than {MAX_EVIDENCE} operations")
    for operation in m.evidence:
        _finite(operation.t0, "t0")
        _finite(operation.t, "t")
        port = getattr(operation, "port", 0)
        if not 0 <= port < 65536:
            raise Unfit(f"{port} is no port")
    return m


def _checked_run(run: Run) -> Run:
    _id(run.id, "id")
    _moment(run.started_at, "started_at")
    if run.ended_at is not None:
        _moment(run.ended_at, "ended_at")
    _short(run.software_version, "software_version", MAX_NAME)
    for code in (run.probe_cc, run.resolver_cc):
        if not country(code):
            raise Unfit(f"{code[:20]!r} is no country")
    for number in (run.probe_asn, run.resolver_asn):
        if not 0 <= number < 2**32:
            raise Unfit(f"{number} is no AS number")
    return run


def _checked_canary(canary: CanaryCheck) -> CanaryCheck:
    _id(canary.run_id, "run_id")
    _moment(canary.at, "at")
    _short(canary.name, "name", MAX_URL)
    return canary


def _id(value: str, field: str) -> None:
    if not _ID.fullmatch(value):
        raise Unfit(f"{field} is not hex of 8 to 64 digits")


def _moment(value: float, field: str) -> None:
    if not EARLIEST <= value <= LATEST:
        raise Unfit(f"{field} is no time of this century's")


def _finite(value: Any, field: str) -> None:
    if not math.isfinite(value) or abs(value) > 1e7:
        raise Unfit(f"{field} is no number of seconds")


def _short(value: str, field: str, most: int) -> None:
    if len(value) > most:
        raise Unfit(f"{field} is longer than {most} characters")
