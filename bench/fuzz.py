"""Coverage-guided fuzzing of every codec and importer; each is a target of `bench.fuzzing`.

    python -m bench.fuzz --list
    python -m bench.fuzz --target dns_answer [--seconds 60]
    python -m bench.fuzz --all [--seconds 60] [--until 20:00] [--write]
    python -m bench.fuzz --all --growth [--write]

A target ends with the first input that is neither read nor refused as its codec says, that takes
more than two seconds of the processor, or that makes the process larger than 1,500 MB. The input
goes to ``finds`` in the working folder; what is mended stays as ``tests/corpus/TARGET/mended-*``,
and is tried with each run of the tests. ``--all`` goes round the targets until it is told to stop,
and adds to the results; ``--write`` puts them into ``docs/reliability.md``. Inputs with new
branches are kept in ``--corpus``. Needs atheris (``pip install '.[bench]'``; Linux, CPython 3.11 to
3.13).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.fuzzing.running import fuzz, grown, run  # noqa: E402
from bench.fuzzing.target import TARGETS, Target  # noqa: E402
from bench.pages import put  # noqa: E402

RESULTS = ROOT / "bench" / "data" / "fuzz.json"
CORPUS = ROOT / "tests" / "corpus"
PAGE = ROOT / "docs" / "reliability.md"


def targets() -> dict[str, Target]:
    import bench.fuzzing.targets  # noqa: F401  # registers them

    return TARGETS


def inputs(target: Target, corpus: Path) -> Iterator[bytes]:
    """What is known of *target*: its seeds, and all that was kept."""
    yield from target.seeds()
    for folder in (CORPUS / target.name, corpus / target.name):
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            yield path.read_bytes()


def one(target: Target, given: argparse.Namespace) -> str:
    """Fuzz *target* in a process of its own, add to the results; what was found, or empty."""
    command = [sys.executable, __file__, "--target", target.name, "--inside"]
    command += ["--seconds", str(given.seconds), "--corpus", str(given.corpus)]
    ran = run(command)
    results = load(given.results)
    sums = results.setdefault(target.name, {"inputs": 0, "seconds": 0.0})
    sums["inputs"] += ran.inputs
    sums["seconds"] = round(sums["seconds"] + ran.seconds, 1)
    save(given.results, results)
    print(f"{target.name}: {ran.inputs:,} inputs, {ran.seconds:.0f} s", flush=True)
    if ran.found:
        print(f"{ran.found}\n{'-' * 70}", flush=True)
    return ran.found


def load(results: Path) -> dict[str, Any]:
    return json.loads(results.read_text()) if results.exists() else {}


def save(path: Path, results: dict[str, Any]) -> None:
    path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def growth(wanted: list[Target], given: argparse.Namespace) -> None:
    """By how much each target makes this process larger, into the results."""
    for target in wanted:
        grew = grown(target, inputs(target, given.corpus))
        results = load(given.results)
        results.setdefault(target.name, {"inputs": 0, "seconds": 0.0})["grown"] = grew
        save(given.results, results)
        print(f"{target.name}: {grew / 2**20:.1f} MB larger", flush=True)


def table(results: dict[str, Any]) -> str:
    lines = [
        "`python -m bench.fuzz --all --write`, with the results of all runs so far.", "",
        "| target | what it is given | inputs | CPU seconds | found and mended | growth |",
        "|---|---|--:|--:|--:|--:|",
    ]  # fmt: skip
    for name, target in sorted(targets().items()):
        sums = results.get(name, {"inputs": 0, "seconds": 0.0})
        grew = f"{sums['grown'] / 2**20:.1f} MB" if "grown" in sums else "not measured"
        mended = len(list((CORPUS / name).glob("mended-*")))
        said = (target.run.__doc__ or name.replace("_", " ")).split("\n")[0].rstrip(".")
        lines.append(
            f"| `{name}` | {said} | {sums['inputs']:,} | {sums['seconds']:,.0f} | {mended} |"
            f" {grew} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--target", choices=list(targets()), metavar="NAME")
    what.add_argument("--all", action="store_true")
    what.add_argument("--list", action="store_true")
    parser.add_argument("--seconds", type=int, default=60, help="for one target")
    parser.add_argument("--until", help="with --all: again and again, until HH:MM (UTC) today")
    parser.add_argument("--corpus", type=Path, default=Path("fuzz-corpus"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--growth", action="store_true", help="look for growth, instead of fuzzing")
    parser.add_argument("--write", action="store_true", help="the table of docs/reliability.md")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.list:
        print("\n".join(sorted(targets())))
        return 0
    if given.inside:
        return inside(targets()[given.target], given)
    wanted = list(targets().values()) if given.all else [targets()[given.target]]
    found: list[str] = []
    if given.growth:
        growth(wanted, given)
    else:
        found += rounds(wanted, given)
    if given.write:
        put(PAGE, "fuzz", table(load(given.results)))
    return 1 if found else 0


def rounds(wanted: list[Target], given: argparse.Namespace) -> Iterator[str]:
    """Go round *wanted*, the least tried first, once, or until it is time; who found something."""
    while True:
        spent = {name: sums["seconds"] for name, sums in load(given.results).items()}
        for target in sorted(wanted, key=lambda t: float(spent.get(t.name, 0.0))):
            if given.until and datetime.now(UTC).strftime("%H:%M") >= given.until:
                return
            if one(target, given):
                yield target.name
        if not given.until:
            return


def inside(target: Target, given: argparse.Namespace) -> int:
    corpus, finds = given.corpus / target.name, Path("finds") / target.name
    for folder in (corpus, finds):
        folder.mkdir(parents=True, exist_ok=True)
    print(f"{target.name}: {time.strftime('%H:%M:%S')}", file=sys.stderr)
    fuzz(target, given.seconds, corpus, finds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
