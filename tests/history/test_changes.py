"""Onset and lift, from small histories made by hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest

from analysis.history.changes import parts
from analysis.history.event import Interval, Part
from analysis.history.rows import as_table
from analysis.history.table import VerdictRow

HOUR = 3600.0
T0 = 19_700 * 86400.0
MTS = 25106

Seen = Callable[[float], str]  # hours since T0 -> mechanisms; "" for ok, "!x" for an outcome


def look(
    hour: float, seen: str, *, probe: str = "a", host: str = "x.example", asn: int = MTS,
    url: str = "", ip: str = "", resolver: int = 0, probability: float = 0.98, source: str = "zond",
    kind: str = "", region: str = "",
) -> VerdictRow:  # fmt: skip
    at = T0 + hour * HOUR
    outcome = seen[1:] if seen.startswith("!") else "blocked" if seen else "ok"
    mechanisms = "" if seen.startswith("!") else seen
    return VerdictRow(
        measurement_id=f"{host} {asn} {probe} {hour} {url} {ip}", source=source,
        url=url or f"https://{host}/", host=host, measured_at=at, day=int(at // 86400),
        hour=int(at // HOUR), probe_id=probe, probe_cc="BY", probe_asn=asn, resolver_asn=resolver,
        ip=ip, outcome=outcome, mechanism=mechanisms.partition(",")[0], mechanisms=mechanisms,
        probability=probability, network_type=kind, region=region,
    )  # fmt: skip


def hourly(seen: Seen, hours: Iterable[float], **fixed: object) -> list[VerdictRow]:
    return [look(h, seen(h), **fixed) for h in hours]  # type: ignore[arg-type]


def found(rows: list[VerdictRow], until: float | None = None) -> tuple[Part, ...]:
    return parts(as_table(rows), until=None if until is None else T0 + until * HOUR)


def one(rows: list[VerdictRow]) -> Part:
    result = found(rows)
    assert len(result) == 1, result
    return result[0]


def holds(interval: Interval | None, hour: float) -> bool:
    assert interval is not None and interval.by is not None
    after = -float("inf") if interval.after is None else interval.after
    return after <= T0 + hour * HOUR <= interval.by


def between(begin: float, end: float, mechanism: str = "tls.reset") -> Seen:
    return lambda h: mechanism if begin <= h < end else ""


def test_a_block_is_between_the_last_clean_look_and_the_first_blocked_one() -> None:
    part = one(hourly(between(49.5, 100.5), range(200)))
    assert part.mechanism == "tls.reset"
    assert part.onset.after == T0 + 49 * HOUR
    assert part.onset.by == T0 + 50 * HOUR
    assert part.lift is not None
    assert (part.lift.after, part.lift.by) == (T0 + 100 * HOUR, T0 + 101 * HOUR)
    assert min(part.onset.probability, part.lift.probability) > 0.9
    assert (part.blocked, part.measured, part.probes) == (51, 51, 1)


def test_what_was_never_blocked_has_no_part() -> None:
    assert found(hourly(lambda h: "", range(100))) == ()
    assert found([]) == ()


def test_it_is_told_within_hours_where_it_is_looked_at_hourly() -> None:
    part = one(hourly(between(49.5, 1e9), range(100)))
    assert part.alerted_at is not None
    assert part.alerted_at - T0 - 49.5 * HOUR <= 6 * HOUR


@pytest.mark.parametrize("outcome", ["down", "server_side", "local_fault", "inconclusive",
                                     "not_measured"])  # fmt: skip
def test_silence_and_what_is_neither_are_no_lift(outcome: str) -> None:
    def seen(h: float) -> str:
        return "" if h < 50 else "tls.reset" if h < 100 else f"!{outcome}"

    part = one(hourly(seen, range(300)))
    assert part.lift is None
    assert part.onset.by == T0 + 50 * HOUR


def test_single_false_alarms_and_single_misses_change_nothing() -> None:
    alarms = {7, 60, 61, 140, 199}
    assert found(hourly(lambda h: "tls.reset" if h in alarms else "", range(300))) == ()
    misses = {60, 75, 90}
    part = one(hourly(lambda h: "tls.reset" if 50 <= h < 100 and h not in misses else "",
                      range(200)))  # fmt: skip
    assert holds(part.onset, 49.5) and holds(part.lift, 99.5)


def test_a_gap_makes_the_interval_as_wide_as_it_is() -> None:
    hours = [*range(40), *range(90, 120), *range(300, 330)]
    part = one(hourly(between(60, 200), hours))
    assert (part.onset.after, part.onset.by) == (T0 + 39 * HOUR, T0 + 90 * HOUR)
    assert part.lift is not None
    assert (part.lift.after, part.lift.by) == (T0 + 119 * HOUR, T0 + 300 * HOUR)


def test_what_was_blocked_at_the_first_look_has_no_last_clean_one() -> None:
    part = one(hourly(between(-1, 1e9), range(50)))
    assert part.onset.after is None
    assert part.onset.by == T0


def test_ok_with_a_mechanism_is_interfered_with() -> None:
    rows = [
        look(h, "", probe="a") if h < 50 else
        VerdictRow(**{**{f: getattr(look(h, "http.redirect", url="http://x.example/"), f)
                         for f in VerdictRow.__struct_fields__}, "outcome": "ok"})
        for h in range(100)
    ]  # fmt: skip
    assert one(rows).mechanism == "http.redirect"


def test_an_analysis_of_a_part_of_the_data_alarms_as_the_whole_does() -> None:
    draw = random.Random(4)
    rows = [
        look(h, "tls.reset" if draw.random() < (0.9 if 80 <= h < 160 else 0.02) else "", probe=p)
        for h in range(250) for p in "ab"
    ]  # fmt: skip
    part = one(rows)
    assert part.alerted_at is not None
    hour = (part.alerted_at - T0) / HOUR
    assert found(rows, until=hour - 1e-6) == ()
    (then,) = found(rows, until=hour)
    assert then.alerted_at == part.alerted_at
