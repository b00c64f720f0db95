"""What each probe said hour by hour, and when it usually speaks.

Rule: silence says something only of who always spoke. Probes that measured on few days have
no habits; those of one network are taken together, as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ibis import _  # type: ignore[import-untyped]  # Ibis ships no types

REGULAR = 5  # days on which a probe must have measured, to have habits


@dataclass
class Hours:
    """What one probe, or all that have no habits, said hour by hour: hours since 1970 in which
    it got *through* and in which it found itself *cut* off, each with the first and last look
    that says so; those in which it found its line at *fault*; the *first* and *last* look of
    each hour; and its habits, the *share* of days on which it speaks at each hour of the day."""

    through: dict[int, tuple[float, float]] = field(default_factory=dict)
    cut: dict[int, tuple[float, float]] = field(default_factory=dict)
    fault: set[int] = field(default_factory=set)
    first: dict[int, float] = field(default_factory=dict)
    last: dict[int, float] = field(default_factory=dict)
    share: list[float] = field(default_factory=lambda: [0.0] * 24)
    begin: int = 0

    def alive(self, hour: int) -> tuple[float, ...]:
        """First and last look in *hour* that show the line to be alive; empty if none does."""
        looks = [*self.through.get(hour, ()), *self.cut.get(hour, ())]
        return (min(looks), max(looks)) if looks else ()

    def learn(self) -> None:
        """How often it speaks at each hour of the day, of the days between its first and last."""
        hours = sorted(self.first)
        self.begin = hours[0]
        days = (hours[-1] - hours[0]) // 24 + 1
        counts = [0] * 24
        for hour in hours:
            counts[hour % 24] += 1
        self.share = [(n + 0.5) / (days + 1.0) if n else 0.0 for n in counts]


Networks = Mapping[int, Mapping[str, Hours]]


def hours_of(rows: Any, country: str) -> dict[int, dict[str, Hours]]:
    """Each network's probes; those without habits as one, under the empty name."""
    here = rows.filter((rows.probe_cc == country) & (rows.outcome != "not_measured"))
    habits = (
        here.group_by("probe_asn", "probe_id").agg(days=_.day.nunique())
        .filter(_.days >= REGULAR).select("probe_asn", "probe_id", who="probe_id")
    )  # fmt: skip
    here = here.left_join(habits, ["probe_asn", "probe_id"])
    lost = _.foreign_lost & _.domestic_alive
    through = ~_.foreign_lost & ~_.outcome.isin(["local_fault", "inconclusive"])
    dead = (_.outcome == "local_fault") & ~lost
    counted = here.group_by("probe_asn", "hour", who=here.who.fill_null("")).agg(
        fault=dead.any(), first=_.measured_at.min(), last=_.measured_at.max(),
        first_cut=_.measured_at.min(where=lost), last_cut=_.measured_at.max(where=lost),
        first_through=_.measured_at.min(where=through),
        last_through=_.measured_at.max(where=through),
    )  # fmt: skip
    networks: dict[int, dict[str, Hours]] = {}
    for row in counted.to_pyarrow().to_pylist():
        hours = networks.setdefault(row["probe_asn"], {}).setdefault(row["who"], Hours())
        hour = row["hour"]
        hours.first[hour], hours.last[hour] = row["first"], row["last"]
        if row["fault"]:
            hours.fault.add(hour)
        for name in ("cut", "through"):
            if row[f"first_{name}"] is not None:
                getattr(hours, name)[hour] = row[f"first_{name}"], row[f"last_{name}"]
    for probes in networks.values():
        for hours in probes.values():
            hours.learn()
    return networks


def heard_by_hour(rows: Any) -> dict[int, int]:
    """By hour, from how many networks anywhere something was heard."""
    counted = rows.group_by("hour").agg(networks=_.probe_asn.nunique())
    return {row["hour"]: row["networks"] for row in counted.to_pyarrow().to_pylist()}
