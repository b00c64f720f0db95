"""OONI's documents through `zond import` and the rules: what we say, and how fast.

    python -m bench.ooni_documents DIR [--write] [--no-speed]

DIR holds OONI documents in folders: ``qa/`` with ``truth.csv`` beside it, ``field/`` and
``captures/``. They are not ours, and not in this repository. Printed are our verdicts beside
the truth and beside what the probes said themselves; each difference is explained by a
sentence of ``bench/data/ooni_notes.csv``, and one without a sentence fails. Then documents
per second, from the bytes to observations, on one core. --write puts it all into
``docs/ooni_documents.md``.
"""

from __future__ import annotations

import argparse
import csv
import gc
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.observe.derive import observe
from analysis.observe.services import is_service, service_rows
from analysis.verdict import Verdict, judge, observations
from probe.formats.ooni import Imported, read
from probe.importing import import_files, sources
from probe.store import Store

HERE = Path(__file__).parent
NOTES = HERE / "data" / "ooni_notes.csv"
PAGE = HERE.parent / "docs" / "ooni_documents.md"
OUTCOMES = ("ok", "blocked", "down", "server_side", "local_fault", "inconclusive", "not_measured")
MEAN = 28 * 1024  # bytes of the mean document that OONI's probes send (measurements of peers)
ROUNDS = 7


@dataclass(frozen=True)
class Truth:
    """What is so in a world: outcomes that are right, and sets of which one each must hold."""

    outcomes: tuple[str, ...]
    mechanisms: tuple[frozenset[str], ...]

    def holds(self, verdict: Verdict) -> bool:
        named = set(verdict.mechanisms)
        return verdict.outcome in self.outcomes and all(some & named for some in self.mechanisms)

    def __str__(self) -> str:
        each = ", ".join(" or ".join(sorted(some)) for some in self.mechanisms)
        return f"{' or '.join(self.outcomes)} {each}".strip()


def truths(file: Path) -> dict[str, Truth]:
    """By world. A note may name other outcomes that are right: "ok or down"; "as 38" is 38's."""
    rows = list(csv.DictReader(file.read_text().splitlines()))
    notes = {row["number"]: row["note"] for row in rows}
    found = {}
    for row in rows:
        note = row["note"]
        if (other := re.fullmatch(r"as (\d+)", note)) is not None:
            note = notes[other[1]]
        either = re.search(rf"\b({'|'.join(OUTCOMES)}) or ({'|'.join(OUTCOMES)})\b", note)
        outcomes = dict.fromkeys((row["outcome"], *(either.groups() if either else ())))
        mechanisms = tuple(
            frozenset(some.split("|")) for some in row["mechanisms"].split(";") if some
        )
        found[row["world"]] = Truth(tuple(outcomes), mechanisms)
    return found


def judged(folder: Path) -> dict[str, list[Verdict]]:
    """The verdicts on each file of *folder*, by its name; none for what was set aside."""
    found: dict[str, list[Verdict]] = {file.stem: [] for file in sorted(folder.glob("*.json"))}
    with tempfile.TemporaryDirectory() as scratch:
        with Store(Path(scratch) / "zond.db", write=True) as store:
            import_files(store, list(sources([folder])))
            rows = [row for run in store.runs() for row in observations(store, run)]
    for row, verdict in zip(rows, judge(rows), strict=True):
        found[row.origin.partition(":")[0].removesuffix(".json")].append(verdict)
    return found


def keys_of(file: Path) -> dict[str, Any]:
    return json.loads(file.read_bytes()).get("test_keys") or {}


def own_words(keys: dict[str, Any]) -> str:
    """What the probe made of it itself."""
    if "blocking" in keys:
        said = (json.dumps(keys[name]) for name in ("blocking", "accessible") if name in keys)
        return "/".join(said).replace('"', "")
    told = [
        f"{name} {json.dumps(keys[name])}".replace('"', "")
        for name in sorted(keys)
        if re.search(r"(_status|_blocking|^success|^tampering|^failure|^result)$", name)
        and not isinstance(keys[name], (dict, list)) and keys[name] is not None
    ]
    return ", ".join(told[:4]) or "nothing"


def short(verdicts: Sequence[Verdict]) -> str:
    """The verdict on a document; of a service, on the whole of it."""
    if not verdicts:
        return "set aside"
    verdict = verdicts[0]
    mechanisms = " ".join(verdict.mechanisms)
    more = f" ({len(verdicts) - 1} endpoints)" if len(verdicts) > 1 else ""
    return f"{verdict.outcome} {mechanisms}".strip() + more


def accuses(keys: dict[str, Any]) -> bool:
    return bool(keys.get("blocking"))


def worlds_table(folder: Path, verdicts: dict[str, list[Verdict]], truth: dict[str, Truth]) -> str:
    lines = [
        "| world | truth | zond | right | by rule | OONI: blocking/accessible | fits |",
        "|---|---|---|---|---|---|---|",
    ]
    ours = theirs = alarms = 0
    for world, true in truth.items():
        (verdict,) = verdicts[world]
        keys = keys_of(folder / f"{world}.json")
        fits = accuses(keys) == ("blocked" in true.outcomes)
        right = true.holds(verdict)
        ours, theirs = ours + right, theirs + fits
        alarms += verdict.outcome == "blocked" and "blocked" not in true.outcomes
        lines.append(
            f"| {world} | {true} | {short([verdict])} | {'yes' if right else '**no**'} |"
            f" `{verdict.rules[0]}` | {own_words(keys)} | {'yes' if fits else '**no**'} |"
        )
    said = (
        f"Outcome and mechanisms right: **{ours} of {len(truth)}**, false alarms: {alarms}. OONI's"
        f" probe names no mechanism of these; whether it accuses is right in {theirs} of"
        f" {len(truth)}.\n\n"
    )
    return said + "\n".join(lines)


def field_table(
    folder: Path, verdicts: dict[str, list[Verdict]], notes: dict[str, str]
) -> tuple[str, list[str]]:
    """The table, and the files that need a note and have none."""
    lines = ["| document | the probe itself | zond | by rule | why |", "|---|---|---|---|---|"]
    missing = []
    for name, found in verdicts.items():
        keys = keys_of(folder / f"{name}.json")
        same = bool(found) and (
            (found[0].outcome == "blocked" and accuses(keys))
            or (found[0].outcome == "ok" and keys.get("accessible") is True)
        )
        note = notes.get(name, "")
        if not note and not same:
            missing.append(name)
        rule = f"`{found[0].rules[0]}`" if found else ""
        lines.append(
            f"| {name} | {own_words(keys)} | {short(found)} | {rule} | {note or 'the same'} |"
        )
    return "\n".join(lines), missing


def to_observations(documents: Iterable[bytes]) -> int:
    """From the bytes to rows; how many."""
    count = 0
    for data in documents:
        found = read(data)
        if not isinstance(found, Imported):
            continue
        for measurement in found.measurements:
            if is_service(measurement):
                count += len(service_rows(measurement, found.run, ()))
            else:
                observe(measurement, found.run, ())
                count += 1
    return count


def best_of(work: Any, documents: list[bytes]) -> float:
    """Seconds of CPU for *documents*, the least of some rounds. Cycles are looked for rarely, as
    in whatever reads in bulk: there are none in evidence."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000)
    taken = []
    try:
        for _ in range(ROUNDS):
            began = time.process_time()
            work(documents)
            taken.append(time.process_time() - began)
    finally:
        gc.set_threshold(*usual)
    return min(taken)


def speed_table(folder: Path) -> str:
    def web(sub: str) -> list[bytes]:
        found = [file.read_bytes() for file in sorted((folder / sub).glob("*.json"))]
        return [data for data in found if b'"web_connectivity"' in data]

    sets = {"qa": web("qa"), "field": web("field"), "captures": web("captures")}
    mixed = [*sets["qa"], *sets["field"]]
    for big in sorted(sets["captures"], key=len):
        if sum(map(len, mixed)) / len(mixed) < MEAN:
            mixed.append(big)
    sets["the mean document's size"] = mixed
    lines = ["| documents | mean size | to evidence | to observations |", "|---|---:|---:|---:|"]
    for name, documents in sets.items():
        size = sum(map(len, documents)) / len(documents)
        decoded = best_of(lambda some: [read(data) for data in some], documents)
        whole = best_of(to_observations, documents)
        lines.append(
            f"| {name} ({len(documents)}) | {size / 1024:.1f} KiB |"
            f" {len(documents) / decoded:,.0f}/s | {len(documents) / whole:,.0f}/s |"
        )
    busy = f"{os.getloadavg()[0]:.0f} programs wanted its {os.cpu_count()} cores meanwhile"
    return "\n".join(lines) + f"\n\n{busy}, which costs caches if not time."


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--no-speed", action="store_true")
    given = parser.parse_args(arguments)
    notes = {r["file"]: r["note"] for r in csv.DictReader(NOTES.read_text().splitlines())}
    parts, missing = [INTRODUCTION], []
    truth = truths(given.folder / "truth.csv")
    qa = given.folder / "qa"
    parts += ["## OONI's fifty simulated worlds", worlds_table(qa, judged(qa), truth), WORLDS]
    for sub, title in (("field", "Field"), ("captures", "Captures")):
        folder = given.folder / sub
        table, without = field_table(folder, judged(folder), notes)
        parts += [f"## {title}", table]
        missing += without
    if not given.no_speed:
        parts += ["## Speed", SPEED, speed_table(given.folder)]
    page = "\n\n".join(parts) + "\n"
    print(page)
    if given.write:
        PAGE.write_text(page)
    for name in missing:
        print(f"{name} differs, and {NOTES.name} does not say why", file=sys.stderr)
    return 1 if missing else 0


INTRODUCTION = """# OONI's documents, judged by our rules

Written by `python -m bench.ooni_documents DIR --write`, DIR being a folder of OONI documents
that are not in this repository. Each was read by `zond import` and judged as `zond verdicts`
judges it."""

WORLDS = """Right is also what a world's note allows: the page of
`controlFailureWithSuccessfulHTTPWebsite` came in the clear with nothing to compare it with, and
a long chain of redirects that the helper does not follow either is nobody's block. The two
throttled ones are told of by documents in which all times are zero: the head of the page came,
its end did not, and a slow line would look the same. So they stay `inconclusive`
(`page_cut_short`). *Fits*: OONI's probe accuses where there is a block, and only there. What one
helper is worth: [import.md](import.md)."""

SPEED = """One core, CPU time, the best of some rounds: from the bytes of a document to its
evidence, and to its observation. Writing to the database and judging come on top. OONI's own
figure is some 5,000 measurements a second for the whole of its pipeline."""


if __name__ == "__main__":
    sys.exit(main())
