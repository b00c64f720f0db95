"""``zond demo``: a whole country on one machine, measured, judged and reported."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import click

from lab.country import LabError
from lab.demo import demo_worlds, write_list
from lab.namespace import explain_if_impossible
from lab.stage import Setting, Stage, ascii_url, verdicts
from lab.worlds.fixtures import NEUTRAL
from testlists import builtin

LIST = "by"
IN_PART = 5  # of `zond run`: there was no time to look closer at all that differs

# Nobody waits for a volunteer's pace in front of a demonstration.
QUICK_LADDER = f"""
[ladder]
neutral = {list(NEUTRAL)}
run_seconds = 60.0
residual_seconds = 10.0
pause = 0.2
hops_per_second = 20.0
concurrency = 60
"""


@click.command()
@click.option("--db", type=click.Path(path_type=Path), help="Keep the database there.")
@click.option("--report", type=click.Path(path_type=Path), help="Write an HTML report there.")
@click.option("--targets", type=click.IntRange(1), help="Only the first so many of the list.")
@click.option("--seed", type=click.IntRange(0), default=1, help="Decides the order.")
def demo(db: Path | None, report: Path | None, targets: int | None, seed: int) -> None:
    """Measure a whole country on this machine.

    Builds a household, an operator, gateways that censor, foreign sites, resolvers and two
    controls out of network namespaces that have no way out, and measures the list for
    Belarus there with the ordinary `zond run`, which then looks closer at what differs.

    Example: zond demo --targets 30 --report demo.html
    """
    why = explain_if_impossible()
    if why is not None:
        raise click.ClickException(why)
    wanted = builtin(LIST)[0][:targets]
    worlds = demo_worlds(wanted)
    folder = Path(tempfile.mkdtemp(prefix="zond-demo-"))
    db = (db or folder / "zond.db").absolute()
    click.echo(f"Building a country of {len(worlds)} targets…", err=True)
    try:
        with Stage(worlds, folder, Setting(config=QUICK_LADDER, icmp_ratelimit=0)) as stage:
            write_list(stage.list_file, wanted)
            click.echo("Measuring it with zond run, from a household of AS6697:", err=True)
            process = stage.zond(
                "run", "--yes", "--no-upload", "--list", stage.list_file, "--db", db,
                "--seed", str(seed), "--max-risk", "high",
            )  # fmt: skip
            status = process.wait()
        if status not in (0, IN_PART):
            sys.exit(status)
        shown = _zond("verdicts", "--db", db)
        if report is not None and not shown.returncode:
            shown = _zond("report", "--db", db, "--out", report)
        judged = verdicts(db)
    except LabError as exc:
        raise click.ClickException(str(exc)) from exc
    except KeyboardInterrupt:
        click.echo(f"\nStopped. What was measured is in {db}", err=True)
        sys.exit(130)
    as_built = sum(
        judged[ascii_url(world.url)]["outcome"] in world.truth.outcome for world in worlds
    )
    click.echo(
        f"\n{as_built} of {len(worlds)} verdicts are as this country was built."
        "\nIt is a made-up country: nothing here says what is blocked anywhere today."
        f"\nDatabase: {db}",
        err=True,
    )
    sys.exit(shown.returncode)


def _zond(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603
        [Path(sys.executable).with_name("zond"), *arguments], check=False
    )
