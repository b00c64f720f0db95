"""What the verdict table says about some targets, networks and times, counted by the engine.

Rule: measurements are counted where the table is, and only counts come to Python. A look is
clean if the target was reached and nothing interfered with it; it is struck if something
did, whether or not the page came in the end; everything else (down, refused by the server,
a fault of the line, undecided) says nothing about interference, and is neither.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import pyarrow as pa  # type: ignore[import-untyped]
from ibis import _

STRUCK = (_.outcome == "blocked") | ((_.outcome == "ok") & (_.mechanisms != ""))
CLEAN = (_.outcome == "ok") & (_.mechanisms == "")
DOWN = _.outcome.isin(["down", "server_side"])
THROTTLED = "throttled"


class Window(NamedTuple):
    """The time from *begin* to *end* of a *host*, on network *asn* (0: on any). With *hours*
    only those hours of the day, UTC."""

    host: str
    begin: float
    end: float
    asn: int = 0
    hours: tuple[int, ...] = ()


class Seen(NamedTuple):
    """What one probe saw in a window: looks that were *struck*, *clean*, or found the target
    *down* or refusing; *sessions* are its runs that were struck, *targets* how many targets
    were."""

    asn: int
    network_type: str
    region: str
    resolver: int
    probe: str
    struck: int
    clean: int
    down: int
    sessions: int
    targets: int


class Abroad(NamedTuple):
    """How many looks from another country ended so."""

    country: str
    outcome: str
    mechanism: str
    looks: int


class Said(NamedTuple):
    """What the struck looks of a window say about themselves, with how many say so. *located*:
    that they know a router of some network at which it happens."""

    category: str
    trigger: str
    fingerprints: str
    located: bool
    looks: int


def country_of(rows: Any, listed: Iterable[int] = ()) -> str:
    """The country that *rows* are mostly about: of the networks that are *listed*, or of all."""
    known = list(listed)
    for table in ([rows.filter(_.probe_asn.isin(known))] if known else []) + [rows]:
        counted = (
            table.filter(_.probe_cc != "ZZ").group_by("probe_cc").agg(n=_.count())
            .order_by(_.n.desc(), _.probe_cc).limit(1).to_pyarrow().to_pylist()
        )  # fmt: skip
        if counted:
            return str(counted[0]["probe_cc"])
    return "ZZ"


def network_countries(rows: Any) -> dict[int, str]:
    """The country in which most measurements of each network were made."""
    best: dict[int, tuple[int, str]] = {}
    for row in _fetch(rows.group_by("probe_asn", "probe_cc").agg(n=_.count())):
        best[row["probe_asn"]] = max(
            best.get(row["probe_asn"], (0, "ZZ")), (row["n"], row["probe_cc"])
        )
    return {asn: cc for asn, (_count, cc) in best.items()}


def seen(rows: Any, windows: Sequence[Window], country: str) -> list[list[Seen]]:
    """For each of *windows*, what each probe in *country* saw."""
    if not windows:
        return []
    joined = _in_windows(rows.filter(_.probe_cc == country), windows)
    counted = joined.group_by(
        "window", "probe_asn", "network_type", "region", "resolver_asn", "probe_id"
    ).agg(
        struck=STRUCK.sum(), clean=CLEAN.sum(), down=DOWN.sum(),
        sessions=_.run_id.nunique(where=STRUCK),
    )  # fmt: skip
    found: list[list[Seen]] = [[] for _window in windows]
    for row in _fetch(counted):
        found[row.pop("window")].append(
            Seen(
                asn=row["probe_asn"],
                network_type=row["network_type"],
                region=row["region"],
                resolver=row["resolver_asn"],
                probe=row["probe_id"],
                struck=row["struck"] or 0,
                clean=row["clean"] or 0,
                down=row["down"] or 0,
                sessions=row["sessions"] or 0,
                targets=int((row["struck"] or 0) > 0),
            )
        )
    return found


def targets_beside(
    rows: Any, asns: Iterable[int], begin: float, end: float, country: str
) -> tuple[int, int]:
    """How many targets were struck or clean on *asns* from *begin* to *end*, and how many of
    them were ever clean."""
    here = rows.filter(
        (rows.probe_cc == country) & rows.probe_asn.isin(list(asns))
        & (rows.measured_at >= begin) & (rows.measured_at <= end) & (STRUCK | CLEAN)
    )  # fmt: skip
    counted = here.agg(all=_.host.nunique(), clean=_.host.nunique(where=CLEAN))
    row = _fetch(counted)[0]
    return row["all"], row["clean"]


def seen_abroad(rows: Any, windows: Sequence[Window], country: str) -> list[list[Abroad]]:
    """For each of *windows*, what was seen from outside *country*."""
    if not windows:
        return []
    joined = _in_windows(rows.filter((_.probe_cc != country) & (_.probe_cc != "ZZ")), windows)
    counted = joined.group_by("window", "probe_cc", "outcome", "mechanism").agg(n=_.count())
    found: list[list[Abroad]] = [[] for _window in windows]
    for row in _fetch(counted):
        found[row["window"]].append(
            Abroad(row["probe_cc"], row["outcome"], row["mechanism"], row["n"])
        )
    return [sorted(each) for each in found]


def said(rows: Any, windows: Sequence[Window], country: str) -> list[list[Said]]:
    """For each of *windows*, what the struck looks in it say, most first."""
    if not windows:
        return []
    joined = _in_windows(rows.filter((_.probe_cc == country) & STRUCK), windows)
    counted = joined.group_by(
        "window", "category", "trigger", "fingerprints", located=_.hop_asn > 0
    ).agg(n=_.count())
    found: list[list[Said]] = [[] for _window in windows]
    for row in _fetch(counted):
        found[row["window"]].append(
            Said(
                row["category"], row["trigger"], row["fingerprints"], row["located"], row["n"]
            )
        )
    return [sorted(each, key=lambda s: (-s.looks, s)) for each in found]


def _in_windows(rows: Any, windows: Sequence[Window]) -> Any:
    """*rows* with the number of each window that they lie in, as ``window``."""
    hours = [sum(1 << h for h in w.hours) or (1 << 24) - 1 for w in windows]
    table = ibis.memtable(
        pa.table(
            {
                "window": pa.array(range(len(windows)), pa.int64()),
                "window_host": pa.array([w.host for w in windows], pa.string()),
                "window_asn": pa.array([w.asn for w in windows], pa.int64()),
                "begin": pa.array([w.begin for w in windows], pa.float64()),
                "end": pa.array([w.end for w in windows], pa.float64()),
                "window_hours": pa.array(hours, pa.int64()),
            }
        )
    )
    bit = ibis.literal(1) << (rows.hour % 24)
    return rows.join(
        table,
        [
            rows.host == table.window_host,
            rows.measured_at >= table.begin,
            rows.measured_at <= table.end,
            (table.window_asn == 0) | (rows.probe_asn == table.window_asn),
            (table.window_hours & bit) > 0,
        ],
    )


def _fetch(table: Any) -> list[dict[str, Any]]:
    with warnings.catch_warnings():
        # Ibis hands windows to Spark Connect with an option that this does not know.
        warnings.filterwarnings("ignore", "'verifySchema' is ignored", UserWarning)
        rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows
