"""How long do the hypotheses of a country take on a table of a million verdicts?

    python -m bench.hypotheses [--rows N] [--country NAME] [--seed N] [--write]

The rows are noise: hosts, networks, outcomes, tests and events drawn without any structure, so
that a hypothesis that is found consistent in them is too easily satisfied, and the bench says
so and fails; H25 is none, since in noise three political categories of ten are a minority.
--write puts the figures into bench/data/hypotheses.csv.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from analysis.history.event import Event, Interval, Kind, Part
from analysis.history.rows import arrow_schema
from analysis.history.table import TestRow, VerdictRow
from analysis.regime.load import load, outside_of
from analysis.regime.outside import Announcement, Hosting, RegisterEntry
from analysis.regime.query import hypotheses, judge
from analysis.regime.tables import outside_tables, regime_tables
from analysis.regime.workspace import Workspace
from bench.watching import size

DATA = Path(__file__).parent / "data" / "hypotheses.csv"
DAY = 86400.0
BEGIN, YEARS = 1_577_836_800.0, 3  # from 2020 on
HOSTS = 3000
TRUE_IN_NOISE = ("H25",)
CATEGORIES = ("NEWS", "POLR", "ANON", "ALDR", "GMB", "PORN", "COMM", "HUMR", "CULTR", "COMT")
OUTCOMES = {"ok": 0.8, "blocked": 0.08, "down": 0.05, "inconclusive": 0.03, "server_side": 0.03,
            "not_measured": 0.01}  # fmt: skip
MECHANISMS = ("dns.nxdomain", "tcp.silence", "tls.reset", "http.redirect", "http.blockpage")
FINGERPRINTS = ("", "", "", *(f"F{n:02}" for n in range(1, 18)))
COUNTRIES = {"BY": 0.9, "DE": 0.06, "RU": 0.04}


@dataclass(frozen=True, kw_only=True)
class Taken:
    """*seconds* of one hypothesis over *rows* verdicts; *cases* that it found in noise."""

    id: str
    rows: int
    tests: int
    seconds: float
    cases: int
    state: str


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--country", default="belarus")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args(argv)
    random = np.random.default_rng(wanted.seed)
    regime = load(wanted.country)
    hosts = [f"site{n}.{'by' if n % 7 == 0 else 'example'}" for n in range(HOSTS)]
    asns = list(regime.networks)
    outside = {**outside_of(wanted.country), **_outside(random, hosts)}
    hours = regime.country.utc_offset_hours
    found: list[Taken] = []
    with Workspace(
        verdicts=_verdicts(random, wanted.rows, hosts, asns),
        tests=_tests(random, wanted.rows // 2, hosts, asns),
        events=_events(random, hosts, asns),
        tables={**regime_tables(regime), **outside_tables(outside, hours)},
    ) as workspace:
        for hypothesis in hypotheses(wanted.country):
            began = time.perf_counter()
            result = judge(hypothesis, workspace)
            found.append(Taken(
                id=result.id, rows=wanted.rows, tests=wanted.rows // 2,
                seconds=round(time.perf_counter() - began, 3), cases=sum(result.counts.values()),
                state=result.state,
            ))  # fmt: skip
    for taken in found:
        print(f"{taken.id}  {taken.seconds:6.2f} s  {taken.cases:6} cases  {taken.state}")
    peak = size().peak / 1e9
    print(f"all: {sum(t.seconds for t in found):.1f} s; process at most {peak:.2f} GB")
    if wanted.write:
        with DATA.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(asdict(found[0])), lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(taken) for taken in found)
    easy = [t.id for t in found if t.state == "consistent" and t.id not in TRUE_IN_NOISE]
    if easy:
        print(f"consistent in noise: {', '.join(easy)}", file=sys.stderr)
    return 1 if easy else 0


def _verdicts(random: Any, rows: int, hosts: list[str], asns: list[int]) -> Any:
    schema = arrow_schema(VerdictRow)
    at = np.sort(BEGIN + random.random(rows) * 365 * YEARS * DAY)
    host = random.integers(0, len(hosts), rows)
    outcome = random.choice(list(OUTCOMES), rows, p=list(OUTCOMES.values()))
    blocked = outcome == "blocked"
    mechanism = np.where(blocked, random.choice(MECHANISMS, rows), "")
    scheme = np.where(random.random(rows) < 0.3, "http://", "https://")
    names = np.array(hosts)[host]
    asn = random.choice(asns, rows)
    columns: dict[str, Any] = {
        "measurement_id": np.char.add("m", np.arange(rows).astype(str)),
        "run_id": np.char.add("r", (at // 3600).astype(int).astype(str)),
        "host": names,
        "url": np.char.add(np.char.add(scheme, names), "/"),
        "category": np.array(CATEGORIES)[host % len(CATEGORIES)],
        "measured_at": at,
        "day": (at // DAY).astype(int),
        "hour": (at // 3600).astype(int),
        "probe_id": np.char.add("p", (asn * 10 + random.integers(0, 4, rows)).astype(str)),
        "probe_cc": random.choice(list(COUNTRIES), rows, p=list(COUNTRIES.values())),
        "probe_asn": asn,
        "network_type": random.choice(["", "fixed", "mobile"], rows),
        "region": random.choice(["", "Minsk", "Gomel"], rows),
        "outcome": outcome,
        "mechanism": mechanism,
        "mechanisms": mechanism,
        "fingerprints": np.where(blocked, random.choice(FINGERPRINTS, rows), ""),
        "controls": random.integers(0, 3, rows),
        "domestic_alive": random.random(rows) < 0.9,
    }
    return _table(schema, columns, rows)


TESTS = (
    "tcp_connect", "harmless_here", "last_hop", "harmless_elsewhere", "no_name", "control_fetch",
    "transit", "notice", "certificate", "status", "server", "body_hash", "isp_a", "isp_ns",
    "isp_soa", "public_a", "public_ns", "public_soa", "ns_port_53", "host_root", "sibling_path",
    "sibling_subdomain", "or_port", "dir_port", "or_port_dirauth", "obfs4", "vanilla_bridge",
    "openvpn", "wireguard", "name_other_port", "harmless_other_port", "name_web_port", "rtt",
    "ttl", "goodput", "path_length", "cites", "content", "scheme",
)  # fmt: skip


def _tests(random: Any, rows: int, hosts: list[str], asns: list[int]) -> Any:
    at = BEGIN + random.random(rows) * 365 * YEARS * DAY
    columns: dict[str, Any] = {
        "measurement_id": np.char.add("m", random.integers(0, rows, rows).astype(str)),
        "measured_at": at,
        "probe_cc": random.choice(list(COUNTRIES), rows, p=list(COUNTRIES.values())),
        "probe_asn": random.choice(asns, rows),
        "host": random.choice(hosts, rows),
        "ip": np.char.add("149.154.164.", random.integers(1, 250, rows).astype(str)),
        "port": random.choice([7, 9, 80, 443, 9001], rows),
        "test": random.choice(TESTS, rows),
        "result": random.choice(["works", "fails"], rows),
        "value": random.random(rows) * 500,
    }
    return _table(arrow_schema(TestRow), columns, rows)


def _table(schema: Any, columns: dict[str, Any], rows: int) -> Any:
    empty = {"string": "", "int64": 0, "double": 0.0, "bool": False}
    return pa.table({
        field.name: pa.array(columns[field.name], type=field.type) if field.name in columns
        else pa.array(np.full(rows, empty[str(field.type)]), type=field.type)
        for field in schema
    })  # fmt: skip


def _events(random: Any, hosts: list[str], asns: list[int]) -> list[Event]:
    """Four thousand events of one to thirty parts, at any time, of any kind."""
    kinds: tuple[Kind, ...] = ("blocking", "blocking", "blocking", "ddos", "shutdown", "outage")
    made = []
    for number in range(4000):
        onset = BEGIN + random.random() * 365 * YEARS * DAY
        chosen = random.choice(asns, random.integers(1, 8), replace=False)
        parts = tuple(
            Part(
                host=host, mechanism="tcp.silence", probe_asn=int(asn), blocked=5, measured=6,
                probes=2, onset=Interval(onset - 3600, onset + random.random() * DAY),
                lift=Interval(onset + 5 * DAY, onset + 6 * DAY),
            )
            for host in random.choice(hosts, random.integers(1, 5), replace=False)
            for asn in chosen
        )  # fmt: skip
        made.append(Event(
            id=f"e{number}", kind=kinds[number % len(kinds)], parts=parts,
            targets=tuple(dict.fromkeys(str(p.host) for p in parts)),
            networks=tuple(int(a) for a in chosen), mechanisms=("tcp.silence",),
            onset=Interval(onset - 3600, onset), lift=Interval(onset + 5 * DAY, onset + 6 * DAY),
        ))  # fmt: skip
    return made


def _outside(random: Any, hosts: list[str]) -> dict[str, tuple[Any, ...]]:
    """Decisions, registers and places for a third of the hosts."""
    some = [str(h) for h in random.choice(hosts, len(hosts) // 3, replace=False)]
    days = [f"202{random.integers(0, 3)}-{random.integers(1, 13):02}-10" for _ in some]
    whats: tuple[Literal["restrict", "restore"], ...] = ("restrict", "restore")
    bodies = ("mininform", "kgb", "prosecutors")
    return {
        "announcements": tuple(
            Announcement(host=h, what=whats[n % 2], body=bodies[n % 3], decided=day, source="made")
            for n, (h, day) in enumerate(zip(some, days, strict=True))
        ),
        "registers": tuple(
            RegisterEntry(register="BY" if n % 2 else "RU", host=h, listed=day, source="made",
                          entry_kind="url" if n % 5 == 0 else "host")
            for n, (h, day) in enumerate(zip(some, days, strict=True))
        ),
        "hosting": tuple(
            Hosting(host=h, asn=24940, country="BY" if n % 3 else "DE", at="2020-01-01",
                    source="made")
            for n, h in enumerate(some)
        ),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
