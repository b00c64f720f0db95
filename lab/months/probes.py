"""The volunteers: where they are, when they measure, and what is wrong with their machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lab.months.networks import PUBLIC_RESOLVERS, REGIONS, Home

HOUR, DAY = 3600.0, 86400.0
Habit = Literal["hourly", "six_hourly", "evenings", "weekly"]
Fault = Literal["", "ipv6", "vpn", "antivirus", "wifi", "clock", "boot_clock", "rotates"]
Times = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One volunteer. *resolver*: network of the resolver that is asked; 0: not known. *own*:
    whose resolver that truly is. *slow*: hours that uploads take, in the mean."""

    id: str
    asn: int
    cc: str
    network_type: str
    region: str
    resolver: int
    own: int
    habit: Habit
    fault: Fault
    source: str
    subset: float
    start: float
    end: float
    slow: float


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """How many volunteers, of which habits. *hourly*: how many networks have that many
    volunteers who measure hourly, as (networks, volunteers each); *others* are spread over the
    networks by their homes."""

    hourly: tuple[tuple[int, int], ...] = ((4, 2), (8, 1))
    six_hourly: int = 4
    evenings: int = 8
    weekly: int = 4
    abroad: int = 4
    churn: float = 0.15
    faulty: float = 0.15


def crowd(
    plan: Crowd, homes: Sequence[Home], foreign: Sequence[Home], days: float,
    rng: np.random.Generator,
) -> tuple[Probe, ...]:
    """The volunteers of *plan* in *homes* (the first ones are measured hourly)."""
    wanted: list[tuple[Home, Habit]] = []
    at = 0
    for networks, each in plan.hourly:
        wanted += [(h, "hourly") for h in homes[at : at + networks] for _ in range(each)]
        at += networks
    weights = np.array([h.homes for h in homes])
    habits: list[tuple[Habit, int]] = [
        ("six_hourly", plan.six_hourly), ("evenings", plan.evenings), ("weekly", plan.weekly),
    ]  # fmt: skip
    for habit, many in habits:
        drawn = rng.choice(len(homes), size=many, p=weights / weights.sum())
        wanted += [(homes[int(n)], habit) for n in drawn]
    abroad: list[tuple[Home, Habit]] = [
        (foreign[n % len(foreign)], "six_hourly") for n in range(plan.abroad)
    ]
    return tuple(
        _probe(f"p{number:03}", home, habit, plan, days, rng)
        for number, (home, habit) in enumerate(wanted + abroad)
    )


def _probe(
    ident: str, home: Home, habit: Habit, plan: Crowd, days: float, rng: np.random.Generator
) -> Probe:
    draw = rng.random()
    third = draw < 0.12
    unknown = 0.12 <= draw < 0.18
    own = int(rng.choice(PUBLIC_RESOLVERS)) if third else home.asn
    churned = rng.random() < plan.churn and habit != "hourly"
    faults = ("ipv6", "vpn", "antivirus", "wifi", "wifi", "clock", "boot_clock", "rotates")
    at_home = home.cc == "BY"
    fault = str(rng.choice(faults)) if at_home and rng.random() < plan.faulty else ""
    regions = home.regions or REGIONS
    return Probe(
        id=ident,
        asn=home.asn,
        cc=home.cc,
        network_type=str(rng.choice(home.network_types)) if rng.random() < 0.9 else "",
        region=str(rng.choice(regions)) if at_home and rng.random() < 0.7 else "",
        resolver=0 if unknown else own,
        own=own,
        habit=habit,
        fault=fault,  # type: ignore[arg-type]
        source="zond" if rng.random() < 0.8 else "ooniprobe-cli",
        subset=1.0 if rng.random() < 0.7 else 0.4,
        start=float(rng.uniform(0, 0.6) * days) * DAY if churned else 0.0,
        end=float(rng.uniform(0.7, 1.0) * days) * DAY if churned else days * DAY,
        slow=float(rng.choice([0.05, 0.5, 12.0], p=[0.75, 0.2, 0.05])),
    )


def sessions(probe: Probe, days: float, rng: np.random.Generator) -> Times:
    """When *probe* measures: seconds since the beginning, ascending."""
    if probe.habit == "hourly":
        times = np.arange(0.0, days * DAY, HOUR) + rng.uniform(0, HOUR)
        kept = rng.random(times.size) > 0.02
    elif probe.habit == "six_hourly":
        times = np.arange(0.0, days * DAY, 6 * HOUR) + rng.uniform(0, 6 * HOUR)
        kept = rng.random(times.size) > 0.05
    elif probe.habit == "evenings":
        each = np.arange(int(days)) * DAY
        times = np.sort(np.concatenate([each, each]) + rng.uniform(15, 21, 2 * each.size) * HOUR)
        kept = rng.random(times.size) < 0.5
    else:
        times = np.arange(rng.uniform(0, 7) * DAY, days * DAY, 7 * DAY)
        times = times + rng.uniform(-12, 12, times.size) * HOUR
        kept = rng.random(times.size) > 0.1
    times = times[kept] + rng.uniform(0, 60, int(kept.sum()))
    # A machine is off for days now and then.
    for _ in range(rng.poisson(days / 45)):
        away = rng.uniform(0, days * DAY)
        times = times[(times < away) | (times > away + rng.exponential(1.5) * DAY)]
    mine: Times = times[(times >= probe.start) & (times < probe.end)]
    return mine
