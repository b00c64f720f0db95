"""What goes wrong with single measurements, and how often.

The rates of ours are those that were measured in the lab on lossy lines (``docs/loss.md``): no
open target of 4,600 accused, so at most 3 of 4,600 with 95 % confidence (the rule of three,
Hanley and Lippman-Hand, JAMA 1983), and that upper bound is simulated; of 440 blocked ones 4
named beside a page that came, 4 inconclusive, 1 missed. Those of others are published: OONI's
pipeline, specificity 99.84 % and sensitivity 98.5 %; its fastpath, 99.4 % and 67 %.

Errors of single measurements that know nothing of each other are the easy ones. *Spells* are
the others: for hours a site is accused again and again, by one volunteer or by all of a network,
and nobody interferes. How many ours has in the field nobody knows. Of OONI's detector 1,414 of
266,546 cells of a target, network and week alerted, and 7 of 15 alerts that people judged were
false: 2.5 of 1,000. That is the rate of PIPELINE; FIELD has a tenth of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lab.months.probes import DAY, HOUR, Probe
from lab.months.rows import Rows
from lab.months.shapes import FALSE_ALARMS
from lab.months.targets import Target

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Rates a measurement, unless said otherwise. *flaps*: of a moody site's bad hours, a month;
    in them *flapping* of the measurements fail, and accusations are *unsettled* times as many.
    *bursts*: of bad hours of a bad line, a week; *spells*: for 1,000 weeks of
    a target on a network."""

    name: str = "ours"
    false_alarm: float = 3 / 4600
    missed: float = 1 / 440
    named: float = 4 / 440
    unclear: float = 4 / 440
    inconclusive: float = 0.01
    flaps: float = 4.0
    flapping: float = 0.4
    unsettled: float = 10.0
    bursts: float = 3.0
    line_faults: float = 2.0
    duplicates: float = 0.004
    spells: float = 0.0


OURS = Noise()
QUIET = Noise(name="quiet", false_alarm=0.0, missed=0.0, named=0.0, unclear=0.0, inconclusive=0.0,
              flaps=0.0, bursts=0.0, line_faults=0.0, duplicates=0.0)  # fmt: skip
FIELD = replace(OURS, name="field", spells=0.25)
PIPELINE = replace(OURS, name="pipeline", false_alarm=0.0016, missed=0.015, spells=2.5)
FASTPATH = replace(OURS, name="fastpath", false_alarm=0.006, missed=0.33)
BAD = replace(OURS, name="bad", false_alarm=0.003, missed=0.05, unclear=0.1, inconclusive=0.05,
              flaps=10.0, bursts=8.0, line_faults=6.0)  # fmt: skip
NOISES = {n.name: n for n in (QUIET, OURS, FIELD, PIPELINE, BAD, FASTPATH)}


def disturb(
    rows: Rows, probes: tuple[Probe, ...], targets: tuple[Target, ...], noise: Noise, days: float,
    rng: np.random.Generator,
) -> list[tuple[int, float, float]]:  # fmt: skip
    """What the measurements came to, after all that is nobody's doing.

    Returns the lines that failed: the volunteer's number, from when until when, in seconds
    since the beginning.
    """
    _misses(rows, noise, rng)
    _moods(rows, targets, rng)
    factor = np.ones(rows.size)
    _flaps(rows, targets, noise, days, factor, rng)
    _machines(rows, probes, targets, noise, days, factor, rng)
    fine = rows.outcome_is("ok") & (rows.event < 0)
    alarm = fine & (rng.random(rows.size) < noise.false_alarm * factor)
    kinds = rng.integers(len(FALSE_ALARMS), size=rows.size)
    for number, name in enumerate(FALSE_ALARMS):
        rows.say(alarm & (kinds == number), name, weakly=True)
    _spells_of_error(rows, probes, noise, days, rng)
    doubt = fine & ~alarm & (rng.random(rows.size) < noise.inconclusive)
    rows.say(doubt & (rng.random(rows.size) < 0.6), "inconclusive:not_repeated")
    rows.say(doubt & rows.outcome_is("ok"), "inconclusive:one_control")
    return _lines(rows, probes, noise, days, rng)


def _misses(rows: Rows, noise: Noise, rng: np.random.Generator) -> None:
    blocked = rows.outcome_is("blocked")
    draw = rng.random(rows.size)
    missed = blocked & (draw < noise.missed)
    rows.fine(missed)
    at = noise.missed
    rows.say(
        blocked & (draw >= at) & (draw < at + noise.named) & rows.shape_is("tls.reset"),
        "ok:tls.reset",
    )
    at += noise.named
    rows.say(blocked & (draw >= at) & (draw < at + noise.unclear), "inconclusive:not_repeated")


def _moods(rows: Rows, targets: tuple[Target, ...], rng: np.random.Generator) -> None:
    fine = rows.outcome_is("ok") & (rows.event < 0)
    draw = rng.random(rows.size)
    moody = np.array([t.moody for t in targets])[rows.target]
    challenge = np.array([t.challenge for t in targets])[rows.target]
    rows.say(fine & (draw < moody), "down:silence")
    rows.say(fine & (draw >= moody) & (draw < moody + challenge), "server_side:challenge")


def _flaps(
    rows: Rows, targets: tuple[Target, ...], noise: Noise, days: float,
    factor: npt.NDArray[np.float64], rng: np.random.Generator,
) -> None:  # fmt: skip
    """A delivery network in trouble, for some hours, for everybody."""
    for number, target in enumerate(targets):
        if not target.flaps:
            continue
        for _ in range(rng.poisson(noise.flaps * days / 30)):
            start = rng.uniform(0, days) * DAY
            at = rows.of(number)
            at = at[(rows.t[at] >= start) & (rows.t[at] < start + rng.exponential(5) * HOUR)]
            at = at[rows.event[at] < 0]
            factor[at] *= noise.unsettled
            hit = at[rng.random(at.size) < noise.flapping]
            rows.say_at(hit[::2], "down:server")
            rows.say_at(hit[1::2], "inconclusive:not_repeated")


def _machines(
    rows: Rows, probes: tuple[Probe, ...], targets: tuple[Target, ...], noise: Noise, days: float,
    factor: npt.NDArray[np.float64], rng: np.random.Generator,
) -> None:  # fmt: skip
    six = np.array([len(t.ips) > 1 for t in targets])
    clear = np.array([t.clear for t in targets])
    for number, probe in enumerate(probes):
        if probe.fault == "ipv6":
            mine = (rows.probe == number) & six[rows.target]
            factor[mine] *= noise.unsettled
            rows.say(mine & rows.outcome_is("ok") & (rng.random(rows.size) < 0.3),
                     "inconclusive:not_repeated")  # fmt: skip
        elif probe.fault == "antivirus":
            rows.say((rows.probe == number) & ~clear[rows.target], "local_fault:antivirus")
        elif probe.fault == "wifi":
            for start, end in _spans(noise.bursts * days / 7, days, 3.0, rng):
                at = np.flatnonzero((rows.probe == number) & (rows.t >= start) & (rows.t < end))
                factor[at] *= noise.unsettled
                draw = rng.random(at.size)
                rows.say_at(at[draw < 0.5], "local_fault:line")
                rows.say_at(at[(draw >= 0.5) & (draw < 0.75)], "inconclusive:not_repeated")


def _spells_of_error(
    rows: Rows, probes: tuple[Probe, ...], noise: Noise, days: float, rng: np.random.Generator
) -> None:
    """For some hours (12 in the median) four of five measurements of one site are accused in one
    way, and with little evidence: by one volunteer, or, two of five times, all of the network."""
    asns = np.array([p.asn for p in probes])
    cells = rows.targets * len(set(asns.tolist()))
    for _ in range(rng.poisson(noise.spells / 1000 * cells * days / 7)):
        target, who = int(rng.integers(rows.targets)), int(rng.integers(len(probes)))
        start, shape = rng.uniform(0, days) * DAY, str(rng.choice(FALSE_ALARMS))
        end = start + float(rng.lognormal(np.log(12), 0.8)) * HOUR
        at = rows.of(target)
        at = at[(rows.t[at] >= start) & (rows.t[at] < end) & (rows.event[at] < 0)]
        near = asns[rows.probe[at]] == asns[who] if rng.random() < 0.4 else rows.probe[at] == who
        at = at[near & (rng.random(at.size) < 0.8)]
        rows.say_at(at, shape, weakly=True)


def _lines(
    rows: Rows, probes: tuple[Probe, ...], noise: Noise, days: float, rng: np.random.Generator
) -> list[tuple[int, float, float]]:
    """Any line fails now and then: half of the time nothing is written, half of it that."""
    failed = []
    for number in range(len(probes)):
        for start, end in _spans(noise.line_faults * days / 30, days, 2.0, rng):
            at = np.flatnonzero((rows.probe == number) & (rows.t >= start) & (rows.t < end))
            if rng.random() < 0.5:
                rows.dropped[at] = True
            else:
                rows.say_at(at, str(rng.choice(["local_fault:line", "local_fault:resolver"])))
            failed.append((number, start, end))
    return failed


def _spans(
    expected: float, days: float, hours: float, rng: np.random.Generator
) -> list[tuple[float, float]]:
    starts = rng.uniform(0, days * DAY, rng.poisson(expected))
    return [(float(s), float(s + rng.exponential(hours) * HOUR)) for s in starts]
