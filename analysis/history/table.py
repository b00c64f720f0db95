"""The verdict table: one row for each judged target, the input of all that looks at many.

Scalars only, so that the rows are a table in any engine, and a file in Parquet. Where a
verdict holds several values they are joined by commas, in the verdict's order. An empty
string, a 0 in a number that counts from 1, and -1 in a duration mean: not known.
"""

from __future__ import annotations

from typing import Annotated, ClassVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from analysis.observations import Observation
from analysis.verdict import Verdict

HOUR = 3600.0
DAY = 86400.0
PORTS = {"http": 80, "https": 443}


class VerdictRow(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict, with what is needed to count it. The annotations are the documentation."""

    measurement_id: Annotated[str, Meta(description="the measurement")]
    run_id: Annotated[str, Meta(description="its run")] = ""
    source: Annotated[
        str, Meta(description="who measured: `zond`, or the software that the document names")
    ] = "zond"
    nettest: Annotated[str, Meta(description="the nettest, as `web_connectivity`")] = ""
    url: Annotated[str, Meta(description="the target")]
    host: Annotated[str, Meta(description="its host name, or address")] = ""
    category: Annotated[str, Meta(description="Citizen Lab's category code")] = ""
    measured_at: Annotated[float, Meta(description="POSIX seconds")] = 0.0
    day: Annotated[int, Meta(description="days since 1970-01-01, UTC")] = 0
    hour: Annotated[int, Meta(description="hours since 1970-01-01, UTC")] = 0
    probe_id: Annotated[
        str, Meta(description="pseudonym under which the probe counts as one; empty: the run's id")
    ] = ""
    probe_cc: Annotated[str, Meta(description="country of the probe, ISO 3166")] = "ZZ"
    probe_asn: Annotated[int, Meta(description="access network; 0 unknown")] = 0
    resolver_asn: Annotated[int, Meta(description="network of the resolver; 0 unknown")] = 0
    network_type: Annotated[str, Meta(description="`mobile`, `fixed`; empty: unknown")] = ""
    region: Annotated[str, Meta(description="region in the country, where declared")] = ""
    ip: Annotated[str, Meta(description="address at which the user's path ended")] = ""
    outcome: Annotated[str, Meta(description="the verdict's outcome")] = "not_measured"
    mechanism: Annotated[
        str, Meta(description="the first mechanism that the rules name; empty: none")
    ] = ""
    mechanisms: Annotated[str, Meta(description="all of them")] = ""
    trigger: Annotated[str, Meta(description="name, address, port, protocol, any")] = ""
    position: Annotated[str, Meta(description="`in-path`, `on-path`")] = ""
    residual: Annotated[float, Meta(description="seconds of residual blocking")] = -1.0
    hop: Annotated[int, Meta(description="hop of the interference")] = 0
    hop_ip: Annotated[str, Meta(description="the router there")] = ""
    hop_asn: Annotated[int, Meta(description="its network")] = 0
    fingerprints: Annotated[str, Meta(description="ids of the fingerprints that match")] = ""
    probability: Annotated[float, Meta(description="that the verdict is right; -1: none")] = -1.0
    rules: Annotated[str, Meta(description="all rules that fired, the deciding one first")] = ""
    rules_version: Annotated[str, Meta(description="version of the rules")] = ""
    controls: Annotated[int, Meta(description="controls that answered usefully")] = 0
    domestic_alive: Annotated[
        bool, Meta(description="a domestic canary answered meanwhile")
    ] = False
    foreign_lost: Annotated[bool, Meta(description="the foreign canaries failed meanwhile")] = False


class TestRow(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried beside the plain measurement: a rung of the ladder, a port of
    a relay, a transfer's speed. What the hypotheses about a regime ask for."""

    __test__: ClassVar[bool] = False  # not a test of pytest's, whatever its name

    measurement_id: Annotated[str, Meta(description="the measurement it belongs to")]
    measured_at: Annotated[float, Meta(description="POSIX seconds")] = 0.0
    probe_cc: Annotated[str, Meta(description="country of the probe")] = "ZZ"
    probe_asn: Annotated[int, Meta(description="access network of the probe")] = 0
    url: Annotated[str, Meta(description="the target")] = ""
    host: Annotated[str, Meta(description="its host name, or address")] = ""
    ip: Annotated[str, Meta(description="the address that was tried")] = ""
    port: Annotated[int, Meta(description="the port that was tried; 0: none")] = 0
    test: Annotated[str, Meta(description="what was tried, as `no_sni`, `or_port`, `goodput`")]
    result: Annotated[
        str, Meta(description="`works`, `fails`, or a value in words; never empty")
    ]
    value: Annotated[float, Meta(description="a number, in the test's unit; -1: none")] = -1.0


def host_of(url: str) -> str:
    """The host name or address in *url*, in small letters; *url* itself where it has none."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:  # as of http://[, which a list or a document may hold
        return url


def row_of_test(o: Observation, test: str, result: str, value: float = -1.0) -> TestRow:
    """The row of one *test* made beside the measurement that *o* is of."""
    return TestRow(
        measurement_id=o.measurement_id,
        measured_at=o.measured_at,
        probe_cc=o.probe_cc,
        probe_asn=o.probe_asn,
        url=o.url,
        host=host_of(o.url),
        ip=o.path_ip,
        port=_port(o.url),
        test=test,
        result=result,
        value=value,
    )


def _port(url: str) -> int:
    try:
        parts = urlsplit(url)
        return parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:  # no URL, or a port that is no number: a document may say anything
        return 0


def verdict_row(
    o: Observation, verdict: Verdict, *, source: str = "zond", nettest: str = "",
    probe_id: str = "", resolver_asn: int = 0, network_type: str = "",
) -> VerdictRow:  # fmt: skip
    """The row of *verdict*, which was given for *o*."""
    at = verdict.location
    return VerdictRow(
        measurement_id=o.measurement_id,
        run_id=o.run_id,
        source=o.source or source,
        nettest=nettest or o.nettest,
        url=o.url,
        host=host_of(o.url),
        category=o.category,
        measured_at=o.measured_at,
        day=int(o.measured_at // DAY),
        hour=int(o.measured_at // HOUR),
        probe_id=probe_id or o.probe_id or o.run_id,
        probe_cc=o.probe_cc,
        probe_asn=o.probe_asn,
        resolver_asn=resolver_asn or o.resolver_asn,
        network_type=network_type or o.network_type,
        ip=o.path_ip,
        outcome=verdict.outcome,
        mechanism=verdict.mechanisms[0] if verdict.mechanisms else "",
        mechanisms=",".join(verdict.mechanisms),
        trigger=verdict.trigger or "",
        position=verdict.position or "",
        residual=-1.0 if verdict.residual is None else verdict.residual,
        hop=(at.hop or 0) if at else 0,
        hop_ip=(at.ip or "") if at else "",
        hop_asn=int(at.asn.removeprefix("AS")) if at and at.asn else 0,
        fingerprints=",".join(verdict.fingerprints),
        probability=-1.0 if verdict.probability is None else verdict.probability,
        rules=",".join(verdict.rules),
        rules_version=verdict.rules_version,
        controls=verdict.controls,
        domestic_alive=o.domestic_alive,
        foreign_lost=o.foreign_lost,
    )
