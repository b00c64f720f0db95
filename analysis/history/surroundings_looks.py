"""Looks at targets that were ever in trouble, by hour, counted by the engine.

Rule: of millions of targets nearly all are up and answer; only those of which some hours show
otherwise are counted for Python, a bounded number at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
from ibis import _

LEAST = 3                # hours in which it is seen, so that it is not one bad look
BLOCK = 6                # hours, in which a target that is in trouble shows it in
SUSPECT = 0.25           # of all looks; from abroad, where looks are few,
BLOCK_ABROAD = 24        # in as many hours
LOOKED = ["ok", "blocked", "down", "server_side"]
MOST_LOOKS = 5_000_000   # that are counted for Python at one time
EDGES = (("first", "min"), ("last", "max"))
NOWHERE = "name_exists_nowhere"
WHAT = {
    "down": ["down"],
    "refused": ["server_side"],
    "out": ["down", "server_side"],
    "not_down": ["ok", "blocked", "server_side"],
    "not_refused": ["ok", "blocked", "down"],
    "not_out": ["ok", "blocked"],
}  # outcomes that show something, and those that show the contrary


def suspects(rows: Any, country: str) -> Iterator[list[str]]:
    """Targets that were ever in trouble, as many at a time as memory is meant to hold."""
    looked = rows.filter(rows.outcome.isin(LOOKED))
    home = looked.probe_cc == country
    block = ibis.cases((home, looked.hour // BLOCK), else_=-(looked.hour // BLOCK_ABROAD))
    blocks = (
        looked.group_by("host", block=block)
        .agg(odd=_.outcome.isin(["down", "server_side"]).sum(), all=_.count())
        .group_by("host")
        .agg(
            looks=_["all"].sum(),
            most=((_.odd >= LEAST) & (_.odd >= SUSPECT * _["all"])).any(),
        )
        .filter(_.most)
    )  # fmt: skip
    some: list[str] = []
    looks = 0
    for row in sorted(blocks.to_pyarrow().to_pylist(), key=lambda r: str(r["host"])):
        if some and looks + row["looks"] > MOST_LOOKS:
            yield some
            some, looks = [], 0
        some.append(row["host"])
        looks += row["looks"]
    if some:
        yield some


def hours_of_targets(rows: Any, country: str, hosts: Sequence[str]) -> list[dict[str, Any]]:
    """Looks at *hosts* by target and hour, at home and abroad.

    A probe counts once in an hour for each thing that it says.
    """
    looked = rows.filter(rows.outcome.isin(LOOKED) & rows.host.isin(hosts)).select(
        "host", "hour", "probe_id", "probe_asn", "outcome", "rules", "measured_at",
        home=ibis.cases((rows.probe_cc == country, True), else_=False),
    )  # fmt: skip
    said = (
        looked.group_by("host", "hour", "home", "probe_id", "probe_asn")
        .agg(
            **{
                name: (_.outcome == outcome).any()
                for name, outcome in (("is_down", "down"), ("is_refused", "server_side"),
                                      ("is_reached", "ok"), ("is_blocked", "blocked"))
            },
            is_nowhere=((_.outcome == "down") & _.rules.contains(NOWHERE)).any(),
            first=_.measured_at.min(), last=_.measured_at.max(),
            **{
                f"{edge}_{what}": getattr(_.measured_at, how)(where=_.outcome.isin(outcomes))
                for edge, how in EDGES for what, outcomes in WHAT.items()
            },
        )
    )  # fmt: skip
    counted = said.group_by("host", "hour", "home").agg(
        **{
            name: _[f"is_{name}"].sum()
            for name in ("down", "refused", "reached", "blocked", "nowhere")
        },
        low=_.probe_asn.min(where=_.is_down | _.is_refused),
        high=_.probe_asn.max(where=_.is_down | _.is_refused),
        first=_["first"].min(), last=_["last"].max(),
        **{f"{e}_{w}": getattr(_[f"{e}_{w}"], how)() for e, how in EDGES for w in WHAT},
    )  # fmt: skip
    found: list[dict[str, Any]] = counted.to_pyarrow().to_pylist()
    return found
