"""Who is accused on a lossy line, and which blocks go unseen?

    python -m bench.loss [--loss PERCENT]… [--runs N] [--targets M] [--blocked K]
                         [--at-once N] [--keep DIR] [--write]

Each run is a country of its own: M sites that are open and K that are blocked, each time
others, on a line that loses so many packets of each way, measured by one ``zond run``. An
accusation is ``blocked``, or a mechanism named beside ``ok``, of a site with which nobody
interferes. --write adds each run to bench/data/loss.csv as it ends, and writes
docs/loss.md from all that are there, so that one may stop at any time; runs that are there
already are not made again. Needs what the lab needs.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from lab.score import Result
from lab.stage import DELAYS, Setting
from lab.trial import HURRY, try_worlds
from lab.wire import WireSettings
from lab.world import Wire, World
from lab.worlds.plan import build, names

HERE = Path(__file__).parent
RUNS = HERE / "data" / "loss.csv"
REPORT = HERE.parent / "docs" / "loss.md"

# Nobody interferes with these, and they work for everybody.
OPEN = (
    "plain_site", "http_only_site", "https_only_site", "domestic_site", "compressed_page",
    "dynamic_page", "many_addresses", "see_other", "permanent_redirect", "redirect_to_www",
    "long_redirect_chain", "article_about_blocking", "cname_to_content_network",
    "address_for_each_resolver", "domestic_cache_of_content_network", "h3_site",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Run:
    """Counts of one run. *accused* are open sites called blocked, or with a mechanism;
    *found* are blocked ones called so, *named* those through which a page came, and the
    mechanism is named beside ``ok``; *notes* names what was accused or missed, and by
    which rule."""

    loss: float
    number: int
    open: int
    open_ok: int
    open_inconclusive: int
    open_other: int
    accused: int
    blocked: int
    found: int
    named: int
    blocked_inconclusive: int
    blocked_other: int
    seconds: int
    notes: str


def worlds(number: int, targets: int, blocked: int) -> tuple[list[World], list[World]]:
    """The open and the blocked ones of run *number*."""
    each = -(-targets // len(OPEN))
    first = number * each % (512 - each)
    opened = [build(OPEN[n % len(OPEN)], first + n // len(OPEN)) for n in range(targets)]
    kinds = names("blocked")
    random.Random(number).shuffle(kinds)
    shut = [build(kinds[n % len(kinds)], number + 100 * (n // len(kinds))) for n in range(blocked)]
    return opened, shut


def run(loss: float, number: int, targets: int, blocked: int, keep: Path | None) -> Run:
    """One country, measured once; *loss* in percent, of each way on the last mile."""
    opened, shut = worlds(number, targets, blocked)
    line = WireSettings(delay=DELAYS[Wire.LINE], loss=loss / 100)
    setting = Setting(seed=number, config=HURRY, wires={Wire.LINE: line}, icmp_ratelimit=0)
    began = time.monotonic()
    with ExitStack() as stack:
        folder = keep / f"{loss:g}-{number}" if keep else None
        where = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        trial = try_worlds([*opened, *shut], where, setting)
    if trial.status:
        print(trial.said[-1000:], file=sys.stderr)
    return counted(
        loss, number, trial.results[: len(opened)], trial.results[len(opened) :],
        time.monotonic() - began,
    )  # fmt: skip


def counted(
    loss: float, number: int, opened: Sequence[Result], shut: Sequence[Result], seconds: float
) -> Run:
    accused = [r for r in opened if r.outcome == "blocked" or r.mechanisms]
    missed = [r for r in shut if r.outcome != "blocked"]
    was = Counter(r.outcome for r in opened if r not in accused)
    is_ = Counter("named" if r.mechanisms else r.outcome for r in missed)
    notes = [f"accused {_told(r)}" for r in accused] + [f"missed {_told(r)}" for r in missed]
    return Run(
        loss=loss, number=number, open=len(opened), open_ok=was["ok"],
        open_inconclusive=was["inconclusive"],
        open_other=was.total() - was["ok"] - was["inconclusive"],
        accused=len(accused), blocked=len(shut), found=len(shut) - len(missed),
        named=is_["named"], blocked_inconclusive=is_["inconclusive"],
        blocked_other=is_.total() - is_["named"] - is_["inconclusive"],
        seconds=round(seconds), notes="; ".join(notes),
    )  # fmt: skip


def _told(r: Result) -> str:
    sure = "" if r.probability is None else f" {r.probability:.2f}"
    said = " ".join((r.outcome, *r.mechanisms))
    return f"{r.world}: {said} by {r.rules[0] if r.rules else 'nobody'}{sure}"


def read(path: Path) -> list[Run]:
    if not path.exists():
        return []
    kinds = {f.name: {"int": int, "float": float}.get(str(f.type), str) for f in fields(Run)}
    with path.open(newline="") as lines:
        return [Run(**{k: kinds[k](v) for k, v in row.items()}) for row in csv.DictReader(lines)]


def add(run: Run, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    fresh = not path.exists()
    with path.open("a", newline="") as out:
        table = csv.DictWriter(out, [f.name for f in fields(Run)], lineterminator="\n")
        if fresh:
            table.writeheader()
        table.writerow(asdict(run))


def text(runs: Iterable[Run], planned: int) -> str:
    done = sorted(runs, key=lambda r: (r.loss, r.number))
    lines = [
        "# On a lossy line", "",
        "Written by `python -m bench.loss --write`: how often a site with which nobody"
        " interferes is accused, and how often a block goes unseen, when the last mile loses"
        " packets at random, of each way. Each run is a country of its own with other sites and"
        " other blocks.", "",
        f"**{len(done)} runs of {planned} that were planned.** What a censor injects may be lost"
        " like anything else: then the page comes, and where interference was seen all the same,"
        " its mechanism is named beside `ok`.", "",
        "| loss | runs | open targets | ok | inconclusive | other | accused | blocked targets |"
        " found | named | inconclusive | other | s a run |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for loss in sorted({r.loss for r in done}):
        here = [r for r in done if r.loss == loss]
        sums = [
            sum(getattr(r, name) for r in here)
            for name in ("open", "open_ok", "open_inconclusive", "open_other", "accused",
                         "blocked", "found", "named", "blocked_inconclusive", "blocked_other")
        ]  # fmt: skip
        mean = sum(r.seconds for r in here) / len(here)
        lines.append(
            f"| {loss:g} % | {len(here)} | {' | '.join(map(str, sums))} | {mean:.0f} |"
        )
    told = Counter(
        (r.loss, note.rpartition(" 0.")[0] or note) for r in done for note in r.notes.split("; ")
        if note
    )  # fmt: skip
    if told:
        lines += ["", "What was accused or missed, by which rule, and how often:", ""]
        lines += [f"- {loss:g} %: {note} ({count})" for (loss, note), count in told.items()]
    return "\n".join(lines) + "\n"


def made(
    wanted: Sequence[tuple[float, int]], targets: int, blocked: int, keep: Path | None, at_once: int
) -> Iterator[Run]:
    with ProcessPoolExecutor(at_once) as pool:
        going = [pool.submit(run, loss, n, targets, blocked, keep) for loss, n in wanted]
        for one in as_completed(going):
            yield one.result()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--loss", type=float, action="append", help="percent; 0, 1, 3 and 5")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--blocked", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=2, help="countries at the same time")
    parser.add_argument("--keep", type=Path, help="leave the databases in this folder")
    parser.add_argument("--write", action="store_true", help="add to the data and the report")
    given = parser.parse_args()
    losses = given.loss or [0.0, 1.0, 3.0, 5.0]
    done = read(RUNS) if given.write else []
    have = {(r.loss, r.number) for r in done}
    planned = [(loss, n) for n in range(given.runs) for loss in losses]
    wanted = [one for one in planned if one not in have]
    for one in made(wanted, given.targets, given.blocked, given.keep, given.at_once):
        print(f"{one.loss:g} % run {one.number}: {one.accused} of {one.open} open accused,"
              f" {one.found} of {one.blocked} blocked found, {one.seconds} s {one.notes}",
              flush=True)  # fmt: skip
        done.append(one)
        if given.write:
            add(one, RUNS)
            REPORT.write_text(text(done, len(planned)))
    print(text(done, len(planned)))


if __name__ == "__main__":
    main()
