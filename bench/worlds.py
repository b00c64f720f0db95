"""How right are the verdicts? Every world of the lab in seeded variations, scored.

    python -m bench.worlds [--variations 20] [--write]

Variations are measured by the plain pass alone, one of them with the ladder, whose
diagnosis is scored apart. Prints the confusion matrix and every wrong verdict; --write
puts the tables into docs/worlds.md and docs/qa.md. Real packets; needs what the lab needs.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from lab.score import Result, axes_table, confusion, summary, truth_text, wrong
from lab.trial import try_country, try_worlds
from lab.worlds.plan import REGISTRY, build, names
from lab.worlds.qa import EXPECTED
from lab.worlds.whole import WHOLE

KINDS = ("blocked", "hindered", "innocent")
TIMED = ("throttled", "unhurried")  # only the ladder tells them
TOGETHER = 5  # variations in one country
DOCS = Path(__file__).parent.parent / "docs"


def variations(count: int) -> list[Result]:
    """All worlds that share a country, each in *count* variations."""
    results: list[Result] = []
    for first in range(0, count, TOGETHER):
        seeds = range(first, min(first + TOGETHER, count))
        said = f"seeds {first} to {seeds[-1]}"
        worlds = [build(name, seed) for seed in seeds for name in names(*KINDS)]
        with tempfile.TemporaryDirectory() as folder:
            trial = try_worlds(worlds, Path(folder), variation=said, follow_up=False)
        results += trial.results
        print(f"{said}: {summary(trial.results)}", file=sys.stderr)
    return results


def diagnosed(seed: int) -> list[Result]:
    """All of them once with the ladder; those that are a matter of time in a lab of their own."""
    results: list[Result] = []
    for kinds in (KINDS, TIMED):
        worlds = [build(name, seed) for name in names(*kinds)]
        with tempfile.TemporaryDirectory() as folder:
            trial = try_worlds(worlds, Path(folder), variation=f"seed {seed}, with the ladder")
        results += trial.results
        print(f"with the ladder: {summary(trial.results)}", file=sys.stderr)
    return results


def countries(seeds: Iterable[int]) -> list[Result]:
    """Situations of the whole country, one run each."""
    results: list[Result] = []
    for seed in seeds:
        for name, make in WHOLE.items():
            country = make(seed)
            with tempfile.TemporaryDirectory() as folder:
                trial = try_country(country, Path(folder), seed=seed)
            results += trial.results
            right = trial.status in country.exits
            print(
                f"{name} {seed}: {summary(trial.results)}, exit status {trial.status}"
                f"{'' if right else ' WRONG'}",
                file=sys.stderr,
            )
    return results


def qa() -> list[Result]:
    """OONI's fifty worlds, rebuilt; the two without a control run apart."""
    worlds = [build(name, 0) for name in names("qa")]
    with tempfile.TemporaryDirectory() as folder:
        results = list(try_worlds(worlds, Path(folder)).results)
    with tempfile.TemporaryDirectory() as folder:
        results += try_country(WHOLE["qa_controls_fail"](0), Path(folder)).results
    return results


def text(*shown: object) -> str:
    """Tables as plain text."""
    out = io.StringIO()
    console = Console(file=out, width=120)
    for thing in shown:
        console.print(thing)
    return out.getvalue()


def by_world(results: Sequence[Result]) -> str:
    lines = ["| world | kind | truth | right |", "|---|---|---|---|"]
    for name in dict.fromkeys(r.world for r in results):
        these = [r for r in results if r.world == name]
        kind = REGISTRY[name].kind if name in REGISTRY else "whole country"
        right = f"{sum(r.right for r in these)} of {len(these)}"
        lines.append(f"| {name} | {kind} | {truth_text(these[0].truth)} | {right} |")
    return "\n".join(lines)


def qa_table(results: Sequence[Result]) -> str:
    lines = ["| world | OONI expects | truth | zond says | right |", "|---|---|---|---|---|"]
    for r in results:
        name = r.world.rpartition("/")[2]
        said = " ".join((r.outcome, *r.mechanisms))
        lines.append(
            f"| {name} | {EXPECTED[name]} | {truth_text(r.truth)} | {said} |"
            f" {'yes' if r.right else '**no**'} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--variations", type=int, default=20)
    parser.add_argument("--countries", type=int, default=2, help="seeds of the whole countries")
    parser.add_argument("--write", action="store_true", help="write docs/worlds.md and docs/qa.md")
    given = parser.parse_args()
    varied = variations(given.variations)
    climbed = diagnosed(1)
    whole = countries(range(given.countries))
    fifty = qa()
    shown = text(
        confusion(varied + climbed + whole), wrong(varied + climbed + whole + fifty)
    )
    print(shown)
    print(axes_table(climbed))
    print(summary(varied + climbed + whole), "| QA:", summary(fifty))
    if given.write:
        write(varied, climbed, whole, fifty, given.variations, given.countries)


def write(
    varied: list[Result],
    climbed: list[Result],
    whole: list[Result],
    fifty: list[Result],
    count: int,
    seeds: int,
) -> None:
    everything = varied + climbed + whole
    kinds = Counter(REGISTRY[name].kind for name in {r.world for r in varied})
    (DOCS / "worlds.md").write_text(
        "# Verdicts against the truth\n\n"
        f"Written by `python -m bench.worlds --variations {count} --countries {seeds} --write`."
        " Each world is a situation in the lab with real packets; each variation has other"
        " names, addresses, paths, and places of the censor.\n\n"
        f"Worlds that share a country: {', '.join(f'{n} {k}' for k, n in kinds.items())}, each"
        f" in {count} variations by the plain pass alone: **{summary(varied)}**. Once more with"
        f" the ladder, {len(climbed)} worlds: **{summary(climbed)}**. Situations of"
        f" the whole country, each with {seeds} seed{'s' if seeds != 1 else ''}:"
        f" **{summary(whole)}**.\n\n"
        f"```\n{text(confusion(everything), wrong(everything))}```\n\n"
        f"What the ladder says, where the truth states it:\n\n{axes_table(climbed)}\n\n"
        f"{by_world(varied)}\n\n{by_world(climbed)}\n\n{by_world(whole)}\n"
    )
    (DOCS / "qa.md").write_text(
        "# OONI's fifty worlds\n\n"
        "The situations of OONI's own test suite, rebuilt in the lab with other names and"
        f" addresses: **{summary(fifty)}**."
        " OONI's expectation is `blocking/accessible`. Written by"
        " `python -m bench.worlds --write`.\n\n"
        f"{qa_table(fifty)}\n"
    )


if __name__ == "__main__":
    main()
