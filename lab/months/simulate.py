"""A setting and a seed in, months of verdict rows and the truth out.

The seeds with which somebody tunes and those with which is scored are different, and not by
agreement: even ones are for tuning, odd ones for scoring, and who names the wrong use gets an
error. Everything that is drawn comes from the one seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
import numpy as np
import numpy.typing as npt

from analysis.regime.model import Networks
from lab.months import networks as homes_of
from lab.months.columns import arrow, clocks
from lab.months.hard import HARD
from lab.months.networks import FOREIGN, HOMES, Map
from lab.months.noise import OURS, Noise, disturb
from lab.months.probes import DAY, HOUR, Crowd, Probe, crowd
from lab.months.rows import Floats, Rows, plan
from lab.months.script import STORIES
from lab.months.stage import Happening, Stage
from lab.months.surroundings import SURROUNDINGS, since_before
from lab.months.targets import Target, targets
from lab.months.truth import Effect, TrueEvent
from lab.months.witnessed import witnessed

BEGIN = 1756684800.0  # Monday, 1 September 2025, 0:00 UTC
Use = Literal["tuning", "scoring"]
USUAL = {**STORIES, **SURROUNDINGS}
ALL_STORIES = {**USUAL, **HARD}
LEAD = 6.0  # days before the first thing happens: who looks for change must know a before


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is simulated. *stories*: what happens, each once, in drawn order and at drawn times;
    *homes*: that many networks, the first of the table, hourly ones first."""

    days: float = 90.0
    targets: int = 60
    homes: int = 14
    crowd: Crowd = field(default_factory=Crowd)
    noise: Noise = OURS
    stories: tuple[str, ...] = tuple(USUAL)
    before: bool = True


@dataclass(frozen=True)
class History:
    """*table*: an Arrow table with the columns of `VerdictRow`, ordered by measured time;
    *arrived*: when each row came in, POSIX seconds, in the same order; *events*: the truth;
    *networks*: as those who look for events are told of them."""

    setting: Setting
    seed: int
    table: Any
    arrived: Floats
    events: tuple[TrueEvent, ...]
    networks: Networks
    targets: tuple[Target, ...]
    probes: tuple[Probe, ...]
    begin: float
    end: float

    def rows(self) -> Any:
        """The whole as an Ibis table."""
        return ibis.memtable(self.table)

    def until(self, t: float, hosts: Sequence[str] = ()) -> Any:
        """What had arrived by *t*, of all hosts or of some, as an Ibis table."""
        import pyarrow as pa  # type: ignore[import-untyped]
        import pyarrow.compute as pc  # type: ignore[import-untyped]

        kept = pa.array(self.arrived <= t)
        if hosts:
            kept = pc.and_(kept, pc.is_in(self.table["host"], pa.array(list(hosts))))
        return ibis.memtable(self.table.filter(kept))


def simulate(setting: Setting, seed: int, *, use: Use) -> History:
    """The history of *seed*. Raises `ValueError` where the seed is not for this *use*."""
    if seed % 2 != (use == "scoring"):
        raise ValueError(f"seed {seed} is not for {use}: even ones are for tuning, odd for scoring")
    rng = np.random.default_rng(seed)
    where = Map(HOMES[: setting.homes])
    sites = targets(setting.targets, setting.days, rng)
    people = crowd(setting.crowd, where.homes, FOREIGN, setting.days, rng)
    rows = plan(people, sites, setting.days, rng)
    truth, effects = _script(setting, where, sites, people, rng)
    _tunnels(rows, people, rng)
    _rotations(rows, people, rng)
    for effect in effects:
        _apply(rows, effect, people, sites, rng)
    failed = disturb(rows, people, sites, setting.noise, setting.days, rng)
    truth += _lone_lines(people, failed, 1 + max((e.number for e in truth), default=-1))
    says = clocks(rows, people, BEGIN, rng)
    events = witnessed(truth, rows, people, sites, BEGIN)
    table, arrived = arrow(rows, says, people, sites, setting.noise, BEGIN, rng)
    return History(
        setting=setting, seed=seed, table=table, arrived=arrived, events=events,
        networks=homes_of.networks(where.homes), targets=sites, probes=people, begin=BEGIN,
        end=BEGIN + setting.days * DAY,
    )  # fmt: skip


def _script(
    setting: Setting, where: Map, sites: tuple[Target, ...], people: tuple[Probe, ...],
    rng: np.random.Generator,
) -> tuple[list[TrueEvent], list[Effect]]:  # fmt: skip
    """What happens when: slots of equal length, in drawn order, so that two decisions do not
    fall on the same hour by chance; where that is wanted a story says so itself."""
    end = BEGIN + setting.days * DAY
    at_home = [p for p in people if p.cc == homes_of.COUNTRY]
    stage = Stage(map=where, targets=sites, people=at_home, begin=BEGIN, end=end, rng=rng)
    truth: list[TrueEvent] = []
    effects: list[Effect] = []
    order = [str(name) for name in rng.permutation(list(setting.stories))]
    room = (setting.days - LEAD - 4) / max(1, len(order))
    happenings: list[Happening] = [since_before(stage, BEGIN)] if setting.before else []
    for slot, name in enumerate(order):
        at = BEGIN + (LEAD + (slot + float(rng.uniform(0.05, 0.6))) * room) * DAY
        happenings.append(ALL_STORIES[name](stage, at))
    for events, made in happenings:
        truth += events
        effects += made
    # What takes all targets of a network away comes last: it hides the rest.
    effects.sort(key=lambda e: (not e.targets, e.drop))
    inside = [e for e in truth if e.onset < end - DAY]
    numbers = {e.number for e in inside}
    return inside, [e for e in effects if e.event in numbers or e.event < 0]


def _lone_lines(
    people: tuple[Probe, ...], failed: list[tuple[int, float, float]], first: int
) -> list[TrueEvent]:
    """Where a network has one volunteer, his line that fails is an outage to whoever looks: it
    may be found or not."""
    often = Counter(p.asn for p in people if p.habit != "weekly")
    return [
        TrueEvent(
            number=first + n, story="a volunteer's line", kind="outage", scope="network",
            targets=(), networks=(people[who].asn,), onset=BEGIN + start, lift=BEGIN + end,
            counted=False,
        )
        for n, (who, start, end) in enumerate(failed) if often[people[who].asn] <= 1
    ]  # fmt: skip


def _tunnels(rows: Rows, people: tuple[Probe, ...], rng: np.random.Generator) -> None:
    """A volunteer who forgets the VPN: in some sessions all goes well, as from abroad."""
    for number, probe in enumerate(people):
        if probe.fault == "vpn":
            mine = rows.probe == number
            used = rng.random(int(rows.session.max()) + 1) < 0.3
            rows.immune |= mine & used[rows.session]


def _rotations(rows: Rows, people: tuple[Probe, ...], rng: np.random.Generator) -> None:
    """A volunteer whose system asks now the network's resolver, now a public one."""
    for number, probe in enumerate(people):
        if probe.fault == "rotates":
            other = rng.random(int(rows.session.max()) + 1) < 0.5
            rows.elsewhere |= (rows.probe == number) & other[rows.session]


def _apply(
    rows: Rows, effect: Effect, people: tuple[Probe, ...], sites: tuple[Target, ...],
    rng: np.random.Generator,
) -> None:  # fmt: skip
    start, end = effect.start - BEGIN, effect.end - BEGIN
    who = _who(effect, people)
    if effect.drop and effect.share < 1:
        who &= rng.random(len(people)) < effect.share
    at = (
        np.concatenate([rows.of(n) for n in effect.targets])
        if effect.targets else np.flatnonzero(who[rows.probe])
    )  # fmt: skip
    t = rows.t[at]
    at = at[(t >= start) & (t < end) & who[rows.probe[at]]]
    if not effect.drop and not effect.shape.startswith("local_fault"):
        at = at[~rows.immune[at]]  # but no tunnel helps on a line that is gone
    if effect.resolvers:
        at = at[~rows.elsewhere[at]]
    if effect.hosted:
        home = np.array([site.domestic for site in sites])[rows.target[at]]
        at = at[home == (effect.hosted == "home")]
    if effect.hours:
        at = at[np.isin((rows.t[at] // HOUR).astype(np.int64) % 24, effect.hours)]
    if effect.weekdays:  # the beginning is a Monday
        at = at[np.isin((rows.t[at] // DAY).astype(np.int64) % 7, effect.weekdays)]
    if effect.addresses:
        at = at[np.isin(rows.address[at], effect.addresses)]
    if effect.drop:
        rows.dropped[at] = True
        rows.event[at] = effect.event
        return
    if effect.share < 1:
        at = at[rng.random(at.size) < effect.share]
    clear = rows.clear[at]
    rows.say_at(at[~clear], effect.shape)
    rows.say_at(at[clear], effect.shape_clear or effect.shape)
    rows.event[at] = effect.event


def _who(effect: Effect, people: tuple[Probe, ...]) -> npt.NDArray[np.bool_]:
    def meets(probe: Probe) -> bool:
        if probe.cc != homes_of.COUNTRY:
            return effect.abroad
        return (
            effect.home
            and (not effect.asns or probe.asn in effect.asns)
            and (not effect.resolvers or probe.own in effect.resolvers)
            and effect.network_type in ("", probe.network_type)
            and effect.region in ("", probe.region)
            and (not effect.probes or probe.id in effect.probes)
        )

    return np.array([meets(probe) for probe in people], np.bool_)
