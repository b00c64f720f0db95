"""Is the page slow here and only here, and because of its name or its address?

Two comparisons, each of transfers made in pairs (`probe.ladder.rungs.speed`):

- *by name*: the same page from the same address, with and without its name in the
  clear. Server, path and line are the same, so only somebody who reads the name can
  make a difference, or the server itself, which the controls would meet as well. That is
  why it takes two of them here, too: were one enough, leaving out the other could accuse.
- *by detour*: the page, against the way over a control: the time in which the control
  got it from that address, and the time in which we, at the same moment, got as many
  bytes from the control. A slow server lengthens the first part of the detour, a slow line
  the second, a far server the first; what is left is the way between us and the server.

A ratio says how much, an exact test how surely: for each pair the sign of its logarithm
would be a matter of chance if there were no difference (the randomisation test of
R. A. Fisher, The Design of Experiments, 1935, section 21, over all sign patterns).
The pairs are tested against a margin and not against one, so that a small true
difference, which routes and caches make, is never significant.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from statistics import median, quantiles

from probe.evidence import PROBE, AnyEvidence, HTTPExchange, Measurement, Transfer
from probe.failure import Failure

BY_NAME = 1.5  # times as long as without the name, at least
BY_DETOUR = 2.5  # times as long as over a control
FEWEST_TIMED = 3  # transfers of a control, for its word to count
SAME_SIZE = 0.5  # of the bytes, or twice; with less or more, it was another page
PATIENCE = 3.0  # seconds; half of the visitors of a page do not wait longer (Google, 2016)
MOST_PAIRS = 16  # 65536 sign patterns


def speed_columns(plain: Measurement, follow_ups: Iterable[Measurement]) -> dict[str, object]:
    """The columns of an `Observation` that *follow_ups* of *plain* fill: those of the follow-up
    that was about slowness, none if there was none."""
    for follow_up in follow_ups:
        if follow_up.comparison.get("accused") == "slow":
            url = str(follow_up.comparison.get("accused_url", ""))
            return compared(follow_up.evidence) | {"speed_cut": _cut(plain.evidence, url)}
    return {}


def compared(evidence: Iterable[AnyEvidence]) -> dict[str, object]:
    """What the `Transfer` records in *evidence* (of one follow-up) show, by column."""
    made = [e for e in evidence if isinstance(e, Transfer) and _timed(e)]
    accused = {e.round: e for e in made if e.vantage == PROBE and e.what == "accused"}
    if not accused:
        return {}
    theirs = _by_control(e for e in made if e.vantage != PROBE and e.what == "accused")
    size = _usual_size([*accused.values(), *(e for timed in theirs.values() for e in timed)])
    mine = {n: duration(e, size) for n, e in accused.items()}
    unnamed = {
        e.round: duration(e, size)
        for e in made
        if e.vantage == PROBE and e.what == "unnamed" and _same_page(e, accused.get(e.round), size)
    }
    sent = {
        e.round: duration(e, size)
        for e in made
        if e.what == "control" and e.beside == "accused" and e.status == 200
    }
    server = _slowest_control(theirs, size)
    names = [mine[n] / unnamed[n] for n in mine if n in unnamed]
    detours = {} if server is None else {n: sent[n] + server for n in mine if n in sent}
    ways = [mine[n] / detours[n] for n in detours]
    ours = _median(mine.values())
    return {
        "speed_seconds": ours,
        "speed_name_pairs": len(names),
        "speed_name_ratio": _median(names),
        "speed_name_p": paired_p(names, BY_NAME),
        "speed_pairs": len(ways),
        "speed_ratio": _median(ways),
        "speed_p": paired_p(ways, BY_DETOUR),
        "speed_excess": _median([mine[n] - detours[n] for n in detours]),
        "speed_rtt_excess": _rtt_excess(accused.values(), theirs, made),
        "speed_controls": len(theirs),
        "speed_unnamed": _compared_with(_median(unnamed.values()), ours),
        "server_slow": server is not None and 2 * server > ours,
        "line_slow": bool(sent) and 2 * _median(sent.values()) > ours,
    }


def duration(e: Transfer, size: int) -> float:
    """Seconds that *e* takes for *size* bytes; what was cut off by its time counts as if it
    had gone on as before."""
    elapsed = e.t - e.t0
    if e.whole or e.received >= size or not e.received:
        return max(elapsed, 0.001)
    return max(elapsed + e.seconds * (size / e.received - 1), 0.001)


def paired_p(ratios: Sequence[float], margin: float) -> float:
    """One-sided p-value, exact, of *ratios* being above *margin* by chance alone."""
    logs = [math.log(ratio / margin) for ratio in ratios[:MOST_PAIRS]]
    if not logs:
        return 1.0
    observed = sum(logs)
    patterns = itertools.product((1, -1), repeat=len(logs))
    extreme = sum(
        1
        for signs in patterns
        if sum(sign * abs(x) for sign, x in zip(signs, logs, strict=True)) >= observed - 1e-9
    )
    return extreme / (1 << len(logs))


def _timed(e: Transfer) -> bool:
    """Whether its time tells something: it came, or was still coming when its time was up."""
    return e.failure is None or (e.failure is Failure.TIMEOUT and e.t > e.t0)


def _same_page(e: Transfer, accused: Transfer | None, size: int) -> bool:
    """Whether the server has answered *e*, made without the name, as with it."""
    if accused is None:
        return False
    if e.failure is Failure.TIMEOUT:
        return True
    statuses = {e.status, accused.status} - {None}
    alike = SAME_SIZE * size <= e.received <= size / SAME_SIZE
    return len(statuses) == 1 and (alike or e.received >= e.asked)


def _usual_size(transfers: Sequence[Transfer]) -> int:
    """Bytes of the page, of as much of it as is asked for, by those that have all of that."""
    full = [e.received for e in transfers if e.whole or e.received >= e.asked]
    return int(median(full)) if full else max((e.received for e in transfers), default=0)


def _by_control(theirs: Iterable[Transfer]) -> dict[str, list[Transfer]]:
    found: dict[str, list[Transfer]] = {}
    for e in theirs:
        found.setdefault(e.vantage, []).append(e)
    return {name: made for name, made in found.items() if len(made) >= FEWEST_TIMED}


def _slowest_control(theirs: dict[str, list[Transfer]], size: int) -> float | None:
    """The time of a slow transfer (upper quartile) of the slowest control. None: none timed it.

    The slowest: with the doubt that remains, it is the server.
    """
    quartiles = [
        quantiles([duration(e, size) for e in made], n=4, method="inclusive")[-1]
        for made in theirs.values()
    ]
    return max(quartiles, default=None)


def _rtt_excess(
    mine: Iterable[Transfer], theirs: dict[str, list[Transfer]], made: Iterable[Transfer]
) -> float:
    """Seconds by which our round trip to the server, at best, exceeds the one over a control."""
    sent = [e.rtt_min or e.connect for e in made if e.what == "control" and e.connect]
    there = [min(e.connect for e in timed) for timed in theirs.values()]
    ours = [e.connect for e in mine if e.connect]
    if not (sent and there and ours):
        return 0.0
    return round(min(ours) - (max(there) + min(sent)), 3)


def _compared_with(unnamed: float, ours: float) -> str:
    if not unnamed:
        return ""
    return "slow" if unnamed * BY_NAME > ours else "fast"


def _median(values: Iterable[float]) -> float:
    known = list(values)
    return round(median(known), 3) if known else 0.0


def _cut(plain: Iterable[AnyEvidence], url: str) -> bool:
    """Whether nobody would have waited for the end of the page of *url*.

    We did not see it, for what is longer than a bound or takes longer is cut, and what came
    took over `PATIENCE`, as it did to no control.
    """
    pages = [e for e in plain if isinstance(e, HTTPExchange) and e.url == url and e.status]
    mine = [e for e in pages if e.vantage == PROBE]
    theirs = [e for e in pages if e.vantage != PROBE]
    if not mine or not theirs or any(e.t - e.t0 > PATIENCE for e in theirs):
        return False
    most = min(e.body_length for e in theirs)
    return all(
        e.body_truncated and e.t - e.t0 > PATIENCE and e.body_length <= most for e in mine
    )
