"""What was tried beside the plain measurement, one row for each trial: `TestRow`.

The rungs of the ladder are columns of the `Observation` under the names that the tests have
here. A rung that met the same end ``fails``, one that got through ``works``; one whose tests
do not agree is ``mixed``, and one that tells nothing is no row: not tried and not told look
alike to whoever asks, and neither is a result.
"""

from __future__ import annotations

from collections.abc import Iterator

from analysis.history.table import TestRow, row_of_test
from analysis.observations import Observation
from analysis.service_trials import service_trials

RUNGS = (
    "elsewhere", "harmless_elsewhere", "harmless_here", "no_name", "other_case", "suffix",
    "subdomain", "host_only", "say_nothing", "other_port", "other_family", "port_elsewhere",
    "name_other_port", "harmless_other_port", "split_hello", "ech_hello", "other_hello",
    "quic_instead", "bare_dns", "dns_tcp", "dns_others",
)  # fmt: skip
RESULTS = {"same": "fails", "free": "works", "mixed": "mixed"}
BEYOND_CONNECT = ("tls", "certificate", "http", "page", "redirect")  # the connection stood


def trials(o: Observation) -> Iterator[TestRow]:
    """The rows of what was tried for *o*'s target; none where it was not measured."""
    if not o.measured:
        return
    if o.service:
        yield from service_trials(o)
        return
    for name in RUNGS:
        result = RESULTS.get(getattr(o, name))
        if result is not None:
            yield row_of_test(o, name, result)
    if o.path_ip and (o.path_end == "tcp" or o.path_end in BEYOND_CONNECT):
        yield row_of_test(o, "tcp_connect", "fails" if o.path_end == "tcp" else "works")
    if o.residual >= 0:
        yield row_of_test(o, "residual", "blocked" if o.residual > 0 else "free", o.residual)
    if o.hop_high:
        near = "household" if o.hop_near else ""
        yield row_of_test(o, "hop", o.hop_ip or near or "unnamed", float(o.hop_high))
    for name in ("reset_ttl", "reset_window", "reset_ip_id"):
        value = getattr(o, name)
        if value >= 0:
            yield row_of_test(o, name, "reset", float(value))
    yield from _speeds(o)


def _speeds(o: Observation) -> Iterator[TestRow]:
    """Timed side by side: seconds, and times as long as what it is compared with."""
    if o.speed_seconds > 0:
        yield row_of_test(o, "page_seconds", "cut" if o.speed_cut else "works", o.speed_seconds)
    if o.speed_pairs:
        slow = o.speed_p <= 0.01
        yield row_of_test(o, "slower_than_control", "slow" if slow else "alike", o.speed_ratio)
    if o.speed_name_pairs:
        slow = o.speed_name_p <= 0.01
        yield row_of_test(o, "slower_than_unnamed", "slow" if slow else "alike", o.speed_name_ratio)
