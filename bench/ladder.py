"""What the ladder costs: time, connections and bytes for each target that differs.

    python -m bench.ladder [--targets 200] [--shares 0,5,30] [--write]

Measures the same list with and without follow-ups, in a lab where so many percent of the
targets are blocked in the common ways, at the ordinary pace of a volunteer (no setting is
hurried). --write puts the tables into docs/ladder_cost.md. Real packets; needs what the
lab needs.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

from lab.stage import Setting, Stage, verdicts
from lab.world import Wire, World
from lab.worlds.fixtures import NEUTRAL
from lab.worlds.plan import build
from probe.evidence import Measurement
from probe.store import Store

DOCS = Path(__file__).parent.parent / "docs"
BLOCKED = (
    "tls_reset", "http_redirect_beltelecom", "dns_substituted", "tls_silence", "tcp_silence",
    "http_reset", "tls_forged_a1", "dns_nxdomain",
)  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """One run over the list. *layers*: the follow-ups, by the layer that was accused."""

    share: int
    followed: bool
    wall: float
    out: int
    back: int
    outcomes: Counter[str]
    status: int
    layers: dict[str, list[Measurement]] = field(default_factory=dict)


def the_list(targets: int, share: int) -> list[World]:
    blocked = round(targets * share / 100)
    worlds = [build(BLOCKED[n % len(BLOCKED)], n // len(BLOCKED)) for n in range(blocked)]
    return worlds + [build("plain_site", n) for n in range(targets - blocked)]


def measure(targets: int, share: int, *, followed: bool) -> Figures:
    config = f"[ladder]\nneutral = {list(NEUTRAL)}\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = folder / "bench.db"
        with Stage(the_list(targets, share), folder, Setting(config=config)) as stage:
            before = stage.country.counters()[Wire.LINE]
            began = time.monotonic()
            process = stage.zond(
                "run", "--yes", "--no-upload", "--list", stage.list_file, "--db", db, "--seed", "1",
                *([] if followed else ["--no-follow-up"]),
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            status = process.wait()
            wall = time.monotonic() - began
            after = stage.country.counters()[Wire.LINE]
            layers: dict[str, list[Measurement]] = defaultdict(list)
            with Store(db) as store:
                for plain in store.measurements():
                    for follow_up in store.follow_ups(plain.id):
                        layers[str(follow_up.comparison["accused"])].append(follow_up)
            return Figures(
                share, followed, wall, after.bytes_out - before.bytes_out,
                after.bytes_back - before.bytes_back,
                Counter(v["outcome"] for v in verdicts(db).values()), status, layers,
            )  # fmt: skip


def whole_list(figures: Sequence[Figures], targets: int) -> str:
    lines = [
        "| differ | follow-ups | wall time | of it the ladder | sent | received | verdicts |",
        "|---:|---|---:|---:|---:|---:|---|",
    ]
    plain = {f.share: f for f in figures if not f.followed}
    for f in figures:
        extra = f"{f.wall - plain[f.share].wall:.0f} s" if f.followed else ""
        said = ", ".join(f"{n} {outcome}" for outcome, n in f.outcomes.most_common())
        lines.append(
            f"| {f.share} % of {targets} | {'yes' if f.followed else 'no'} | {f.wall:.0f} s"
            f" | {extra}"
            f" | {f.out / 1e6:.1f} MB | {f.back / 1e6:.1f} MB | {said} |"
        )
    return "\n".join(lines)


def each_target(figures: Sequence[Figures]) -> str:
    """By accused layer, and by all: what one follow-up took."""
    found: dict[str, list[Measurement]] = defaultdict(list)
    for f in figures:
        for layer, follow_ups in f.layers.items():
            found[layer] += follow_ups
            found["all"] += follow_ups
    lines = [
        "| accused | follow-ups | connections, mean | most | seconds, median | longest |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for layer, follow_ups in found.items():
        made = [int(f.comparison["connections"] or 0) for f in follow_ups]
        took = [f.runtime for f in follow_ups]
        lines.append(
            f"| {layer} | {len(follow_ups)} | {mean(made):.0f} | {max(made)}"
            f" | {median(took):.0f} | {max(took):.0f} |"
        )
    return "\n".join(lines)


def bytes_each(figures: Sequence[Figures]) -> str:
    lines = []
    plain = {f.share: f for f in figures if not f.followed}
    for f in figures:
        count = sum(map(len, f.layers.values()))
        if f.followed and count:
            less = plain[f.share]
            lines.append(
                f"{f.share} % differing: {(f.out - less.out) / count / 1e3:.1f} kB sent and"
                f" {(f.back - less.back) / count / 1e3:.1f} kB received for each follow-up."
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--shares", default="0,5,30", help="percent that differ, comma between")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    figures: list[Figures] = []
    for share in map(int, given.shares.split(",")):
        for followed in (False, True):
            figures.append(measure(given.targets, share, followed=followed))
            print(whole_list(figures, given.targets), end="\n\n", flush=True)
    page = "\n".join([
        "# What the ladder costs\n",
        "Written by `python -m bench.ladder --write`: real packets, the ordinary pace (at most 60"
        " connections a second, a second between two to one port), two cores.\n",
        "## The whole list\n", whole_list(figures, given.targets),
        "\n## A target that differs\n", each_target(figures), "\n" + bytes_each(figures),
        "\nThe bound of the time is the longest follow-up: they go on side by side, and most of"
        " each is waiting for silence to end, or for a router's leave to be heard from (one"
        " ICMP answer a second).",
    ])
    print(page)
    if given.write:
        (DOCS / "ladder_cost.md").write_text(page + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
