"""How large is a report, how long does it take to make, and to open?

    python -m bench.report [--lab FILE] [--targets N] [--networks N] [--days N] [--every N]
                           [--dir DIR] [--write]

Two reports, made by the command in a process of its own, and opened in Chromium:

- of one run of 2,200 targets: measurements of the lab (``zond demo --db FILE``, which most
  targets of are blocked), each for many targets under other names;
- of a dataset: verdict rows of *targets* by *networks* over *days*, each pair looked at every
  *every* days, with the events that such a country would have. Events are written as rows too:
  finding them is another bench's (docs/scale.md).

--write puts the figures into docs/report.md. What is made is left in DIR.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # as a script it stands beside what it is part of

from analysis.dataset import manifest  # noqa: E402
from analysis.history.event import Event, Interval, Part  # noqa: E402
from analysis.history.rows import arrow_schema  # noqa: E402
from analysis.history.table import VerdictRow  # noqa: E402
from analysis.regime.load import networks as networks_of  # noqa: E402
from analysis.regime.query import Result, hypotheses  # noqa: E402
from bench.watching import watch  # noqa: E402
from probe.evidence import Measurement  # noqa: E402
from probe.store import Planned, Store  # noqa: E402
from testlists.target import Target  # noqa: E402
from tests.report.browser import chromium  # noqa: E402

DOCS = HERE.parent / "docs" / "report.md"
BEGIN, END = "<!-- figures: bench/report.py -->", "<!-- end of figures -->"
RUN_TARGETS = 2200
START = 1_756_684_800.0  # 2025-09-01
DAY = 86400.0
MECHANISMS = ("tls.reset", "dns.substituted", "tcp.silence", "tls.forged", "http.redirect")
CATEGORIES = ("NEWS", "POLR", "HUMR", "ANON", "COMT", "MMED", "GMB", "MISC")
NATIONAL, ALONE, REFUSED, DOWN = 0.03, 0.07, 0.02, 0.02  # shares of the targets


@dataclass(frozen=True)
class Figures:
    what: str
    size: int
    pages: int
    folder: int
    seconds: float
    memory: int
    opened: float

    def line(self) -> str:
        sizes = f"{self.size / 1e6:.1f} MB | {self.pages:,} | {self.folder / 1e6:,.0f} MB"
        made = f"{self.seconds:.0f} s | {self.memory / 1e9:.1f} GB"
        return f"| {self.what} | {sizes} | {made} | {self.opened:.2f} s |"


# One run


def one_run(lab: Path, out: Path, targets: int) -> Path:
    """A database of one run with *targets* of the measurements in *lab*, under other names."""
    with Store(lab) as store:
        run = store.runs()[-1]
        of = [(m, store.follow_ups(m.id)) for m in store.measurements(run.id)]
        canaries = store.canaries(run.id)
    out.unlink(missing_ok=True)
    with Store(out, write=True) as store:
        made = [_renamed(*of[n % len(of)], n) for n in range(targets)]
        store.begin_run(run, [
            Planned(run_id=run.id, position=n, nettest=m.nettest,
                    target=Target(url=m.url, category=m.category))
            for n, (m, _follow_ups) in enumerate(made)
        ])  # fmt: skip
        store.append_canaries(canaries)
        for measurement, follow_ups in made:
            store.append([measurement, *follow_ups])
    return out


def _renamed(
    measurement: Measurement, follow_ups: Sequence[Measurement], number: int
) -> tuple[Measurement, list[Measurement]]:
    from analysis.history.table import host_of

    host = host_of(measurement.url)
    return _one(measurement, host, number), [_one(m, host, number) for m in follow_ups]


def _one(m: Measurement, host: str, number: int) -> Measurement:
    text = msgspec.json.encode(m).replace(host.encode(), f"n{number}.{host}".encode())
    named = msgspec.json.decode(text, type=Measurement)
    about = f"{m.about[:24]}{number:08x}" if m.about else ""
    return msgspec.structs.replace(named, id=f"{m.id[:24]}{number:08x}", about=about)


# A dataset


def dataset(out: Path, targets: int, networks: int, days: int, every: int) -> Path:
    """A dataset's verdicts, and what ``zond analyse`` would leave beside them; what is there from
    another time is left as it is."""
    if (out / "hypotheses.jsonl").exists():
        return out
    (out / "verdicts").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    asns = [*networks_of("belarus"), *range(64_500, 64_600)][:networks]
    fate = np.full((targets, networks), -1)  # a mechanism, or -1: open, -2 refused, -3 down
    since = np.zeros((targets, networks))
    order = rng.permutation(targets)
    edges = np.cumsum([int(targets * share) for share in (NATIONAL, ALONE, REFUSED, DOWN)])
    events = []
    for number, t in enumerate(order[: edges[-1]]):
        if number < edges[0]:
            hit = np.flatnonzero(rng.random(networks) < 0.8)
        elif number < edges[1]:
            hit = np.array([rng.integers(networks)])
        else:
            fate[t] = -2 if number < edges[2] else -3
            continue
        fate[t, hit] = rng.integers(len(MECHANISMS), size=len(hit))
        since[t, hit] = START + DAY * (rng.uniform(0, days) + rng.uniform(0, 2, len(hit)))
        events.append(_event(int(t), [asns[n] for n in hit], fate[t, hit], since[t, hit]))
    files = {}
    for day in range(days):
        table = _looks(day, every, asns, fate, since, rng)
        date = str(np.datetime64(int(START + DAY * day), "s"))[:10]
        name = f"verdicts/date={date}/cc=BY/rows.parquet"
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, out / name, compression="zstd")
        files[f"date={date}/cc=BY"] = manifest.Files(
            signature="bench", files=(name,), rows=table.num_rows
        )
    manifest.save(out, manifest.Manifest(verdicts=files))
    results = [
        Result(id=h.id, title=h.title, state="cannot_tell", reason="not asked in a bench")
        for h in hypotheses("belarus")
    ]
    for name, rows in (("events", events), ("findings", []), ("hypotheses", results)):
        (out / f"{name}.jsonl").write_bytes(b"".join(msgspec.json.encode(r) + b"\n" for r in rows))
    return out


def _event(
    target: int, asns: list[int], ways: Sequence[int], since: Sequence[float]
) -> Event:
    host = f"site{target:05}.example"
    parts = tuple(
        Part(
            host=host, mechanism=MECHANISMS[w], probe_asn=a,
            onset=Interval(float(s) - DAY, float(s)),
        )
        for a, w, s in zip(asns, ways, since, strict=True)
    )
    first = float(min(since))
    return Event(
        id=f"{target:016x}", kind="blocking", targets=(host,), networks=tuple(asns),
        mechanisms=tuple(dict.fromkeys(p.mechanism for p in parts)), trigger="name",
        scope="national" if len(asns) > 1 else "network", onset=Interval(first - DAY, first),
        probability=0.98, blocked=len(asns) * 5, measured=len(asns) * 5, probes=len(asns),
        parts=parts, reasons=("Made up for a bench.",),
    )  # fmt: skip


def _looks(
    day: int, every: int, asns: list[int], fate: np.ndarray, since: np.ndarray,
    rng: np.random.Generator,
) -> pa.Table:
    """The looks of one day: of each network at a share of the targets, in turn."""
    targets, networks = fate.shape
    pairs = np.meshgrid(np.arange(day % every, targets, every), np.arange(networks))
    t, n = pairs[0].ravel(), pairs[1].ravel()
    at = START + DAY * (day + rng.random(t.size))
    of = fate[t, n]
    met = (of >= 0) & (at >= since[t, n])
    outcome = np.where(met, 0, np.where(of == -2, 1, np.where(of == -3, 2, 3)))
    outcome = np.where(rng.random(t.size) < 0.01, 4, outcome)
    met &= outcome == 0
    words = {
        "outcome": (outcome, ("blocked", "server_side", "down", "ok", "inconclusive")),
        "mechanism": (np.where(met, of, len(MECHANISMS)), (*MECHANISMS, "")),
        "trigger": (np.where(met, 0, 1), ("name", "")),
        "category": (t % len(CATEGORIES), CATEGORIES),
    }
    columns = {
        name: pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names))
        for name, (codes, names) in words.items()
    }
    hosts = pa.array([f"site{i:05}.example" for i in range(targets)])
    urls = pa.array([f"https://site{i:05}.example/" for i in range(targets)])
    columns |= {
        "host": pa.DictionaryArray.from_arrays(pa.array(t), hosts),
        "url": pa.DictionaryArray.from_arrays(pa.array(t), urls),
        "mechanisms": columns["mechanism"],
        "measurement_id": pa.array([f"{day:04x}{i:028x}" for i in range(t.size)]),
        "measured_at": pa.array(at),
        "probe_asn": pa.array(np.array(asns)[n]),
        "probe_id": pa.array([f"p{i}" for i in n * 10 + rng.integers(5, size=n.size)]),
        "probability": pa.array(np.where(met, 0.98, -1.0)),
        "hop": pa.array(np.where(met, 3 + n % 3, 0)),
        "hop_asn": pa.array(np.where(met, 6697, 0)),
    }
    schema = arrow_schema(VerdictRow)
    usual = {"source": "zond", "nettest": "web_connectivity", "probe_cc": "BY"}
    rest = {pa.string(): "", pa.int64(): 0, pa.float64(): -1.0, pa.bool_(): True}
    return pa.table([
        columns[f.name].cast(f.type) if f.name in columns
        else pa.repeat(pa.scalar(usual.get(f.name, rest[f.type]), f.type), t.size)
        for f in schema
    ], schema=schema)  # fmt: skip


# Measuring


def measured(what: str, out: Path, *source: str | Path) -> Figures:
    """The report of *source*, made by the command in a process of its own, and opened."""
    zond = Path(sys.executable).with_name("zond")
    began = time.perf_counter()
    process = subprocess.Popen([zond, "report", *source, "--out", out, "--lang", "en"])
    ended = watch(process.pid)
    process.returncode = os.waitstatus_to_exitcode(ended.status)
    if process.returncode:
        raise RuntimeError(f"zond report ended with status {process.returncode}")
    seconds = time.perf_counter() - began
    behind = list(out.with_name(f"{out.stem}_pages").glob("*.html"))
    return Figures(
        what=what, size=out.stat().st_size, pages=len(behind), seconds=seconds, memory=ended.peak,
        folder=sum(path.stat().st_size for path in behind), opened=opened_in(out),
    )  # fmt: skip


def opened_in(page_file: Path) -> float:
    """Seconds until all of the page is there and its script has run, in a new window."""
    with chromium() as browser:
        page = browser.new_page()
        page.goto(page_file.as_uri())
        at = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    return float(at) / 1000


def table(found: Sequence[Figures]) -> Iterator[str]:
    yield "| report of | first page | pages behind | of together | made in | memory | opened in |"
    yield "|---|---|---|---|---|---|---|"
    yield from (figures.line() for figures in found)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--lab", type=Path)
    parser.add_argument("--targets", type=int, default=30_000)
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--every", type=int, default=30)
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    folder = given.dir or Path(tempfile.mkdtemp(prefix="zond-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    if given.lab is not None:
        db = one_run(given.lab, folder / "run.db", RUN_TARGETS)
        what = f"one run of {RUN_TARGETS:,} targets"
        found.append(measured(what, folder / "run.html", "--db", db))
        print(found[-1].line(), flush=True)
    if given.targets:
        size = (given.targets, given.networks, given.days, given.every)
        made = dataset(folder / "dataset", *size)
        rows = sum(files.rows for files in manifest.load(made).verdicts.values())
        what = (
            f"a dataset of {given.targets:,} targets by {given.networks} networks over"
            f" {given.days} days, every {given.every} days ({rows / 1e6:.1f} million verdicts)"
        )
        found.append(measured(what, folder / "dataset.html", "--dataset", made))
        print(found[-1].line(), flush=True)
    text = "\n".join(table(found))
    if given.write:
        before, _, rest = DOCS.read_text("utf-8").partition(BEGIN)
        DOCS.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
