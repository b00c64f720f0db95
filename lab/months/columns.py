"""The numbers become verdict rows: strings, clocks, uploads, duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no types
import pyarrow.compute as pc  # type: ignore[import-untyped]

from analysis.history.rows import arrow_schema
from analysis.history.table import VerdictRow, verdict_row
from lab.months.networks import PUBLIC_RESOLVERS, VPN_ASN, VPN_CC
from lab.months.noise import Noise
from lab.months.probes import DAY, HOUR, Probe
from lab.months.rows import Floats, Rows
from lab.months.targets import Target

BOOTED_AT = -40 * DAY  # where the clock stands that has no battery, from the beginning
WRONG = 0.05           # of the sessions of a machine without one


def arrow(
    rows: Rows, says: Floats, probes: Sequence[Probe], targets: Sequence[Target], noise: Noise,
    begin: float, rng: np.random.Generator,
) -> tuple[Any, Floats]:  # fmt: skip
    """The rows as they are stored, by measured time (what the clocks say, *says*), and when each
    came in."""
    kept = np.flatnonzero(~rows.dropped)
    again = rng.random(int(rows.session.max(initial=0)) + 1) < noise.duplicates
    kept = np.concatenate([kept, kept[again[rows.session[kept]]]])
    measured = begin + says[kept]
    slow = np.array([p.slow for p in probes])[rows.probe[kept]]
    delay = rng.exponential(1.0, again.size)[rows.session[kept]] * slow * HOUR
    arrived = begin + rows.t[kept] + delay + 60
    order = np.argsort(measured, kind="stable")
    kept, measured, arrived = kept[order], measured[order], arrived[order]
    schema = arrow_schema(VerdictRow)
    columns = _columns(rows, kept, measured, probes, targets)
    table = pa.Table.from_arrays(
        [pc.cast(columns[name], schema.field(name).type) for name in schema.names], schema=schema
    )
    return table, arrived


def clocks(
    rows: Rows, probes: Sequence[Probe], begin: float, rng: np.random.Generator
) -> Floats:
    """What the volunteers' clocks say, in seconds since the beginning."""
    says = rows.t.copy()
    boots = rng.random(int(rows.session.max(initial=0)) + 1) < WRONG
    for number, probe in enumerate(probes):
        mine = rows.probe == number
        if probe.fault == "clock":
            says[mine] += float(rng.choice([-1.0, 1.0, 3.0])) * HOUR
        elif probe.fault == "boot_clock":
            wrong = mine & boots[rows.session]
            if probe.source == "zond":  # which looks at its clock, and measures nothing by such
                rows.say(wrong, "local_fault:clock")
                says[wrong] = -begin
            else:
                says[wrong] = BOOTED_AT + rows.t[wrong] % DAY
    return says


def _columns(
    rows: Rows, kept: Any, measured: Floats, probes: Sequence[Probe], targets: Sequence[Target]
) -> dict[str, Any]:
    probe, target = rows.probe[kept], rows.target[kept]
    visible = rows.immune[kept] & (rows.session[kept] % 2 == 0)  # half of the tunnels are seen
    asn = np.where(visible, VPN_ASN, np.array([p.asn for p in probes])[probe])
    resolver = np.where(visible, 0, np.array([p.resolver for p in probes])[probe])
    resolver = np.where(rows.elsewhere[kept], PUBLIC_RESOLVERS[0], resolver)
    cc = pc.if_else(pa.array(visible), VPN_CC, _of([p.cc for p in probes], probe))
    of_target = {
        name: _of([getattr(t, name) for t in targets], target)
        for name in ("url", "host", "category")
    }
    starts = np.concatenate([[0], np.cumsum([len(t.ips) for t in targets])])[:-1]
    ips = [ip for t in targets for ip in t.ips]
    session = pc.cast(pa.array(rows.session[kept]), pa.string())
    return {
        **_of_verdicts(rows, kept),
        **of_target,
        "measurement_id": pc.binary_join_element_wise(
            "m", pc.cast(pa.array(kept), pa.string()), ""
        ),
        "run_id": pc.binary_join_element_wise("r", session, ""),
        "source": _of([p.source for p in probes], probe),
        "measured_at": pa.array(measured),
        "day": pa.array((measured // DAY).astype(np.int64)),
        "hour": pa.array((measured // HOUR).astype(np.int64)),
        "probe_id": _of([p.id for p in probes], probe),
        "probe_cc": cc,
        "probe_asn": pa.array(asn),
        "resolver_asn": pa.array(resolver),
        "network_type": _of([p.network_type for p in probes], probe),
        "region": _of([p.region for p in probes], probe),
        "ip": _of(ips, starts[target] + rows.address[kept]),
    }


def _of_verdicts(rows: Rows, kept: Any) -> dict[str, Any]:
    """All columns, by the function that fills them for real verdicts; what it knows of who
    measured is replaced afterwards."""
    judged = rows.shapes
    made = [
        verdict_row(o, v) for o, v in zip(judged.observations, judged.verdicts, strict=True)
    ]
    chosen = rows.verdict[kept]
    names = arrow_schema(VerdictRow).names
    return {name: _of([getattr(row, name) for row in made], chosen) for name in names}


def _of(values: Sequence[Any], index: Any) -> Any:
    return pc.take(pa.array(values), pa.array(index))
