"""Where the machine has too little of something, a run says so or does without; it accuses nobody.

Limits are those of the kernel (``prlimit``); what is measured is a country where nothing of what
is tried here is blocked.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.stage import DELAYS, Setting, Stage, verdicts
from lab.trial import HURRY
from lab.world import Wire
from lab.worlds.plan import build

pytestmark = pytest.mark.lab

TARGETS = 12


@dataclass(frozen=True)
class Ended:
    """*outcomes* of the targets by URL; *said* on stderr."""

    status: int
    said: str
    outcomes: dict[str, str]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    worlds = [build("plain_site", n) for n in range(TARGETS)]
    folder = tmp_path_factory.mktemp("scarce")
    with Stage(worlds, folder, Setting(config=HURRY, icmp_ratelimit=0)) as stage:
        yield stage


def run(stage: Stage, db: Path, *limits: str, cut_after: int = 0) -> Ended:
    """A run under *limits*; the line is cut when *cut_after* targets are measured."""
    process = stage.start_run(
        db, "--json", "--seed", "1", "--concurrency", "3",
        before=("prlimit", *limits) if limits else (),
    )  # fmt: skip
    assert process.stdout is not None
    for measured, _ in enumerate(process.stdout, 1):
        if measured == cut_after:
            stage.country.set(Wire.LINE, cut=True)
    _, said = process.communicate(timeout=300)
    assert "Traceback" not in said, said
    found = {url: str(line["outcome"]) for url, line in verdicts(db).items()}
    return Ended(process.returncode, said, found)


def accused(ended: Ended) -> set[str]:
    return {url for url, outcome in ended.outcomes.items() if outcome == "blocked"}


def test_with_too_few_files_it_says_how_to_have_more(stage: Stage, tmp_path: Path) -> None:
    done = stage.run(tmp_path / "z.db", before=("prlimit", "--nofile=24:24"))
    assert 1 == done.returncode
    assert "only 24 files may be open at once: `ulimit -n 1024`" in done.stderr
    assert "Traceback" not in done.stderr


def test_with_few_files_it_has_fewer_targets_open(stage: Stage, tmp_path: Path) -> None:
    ended = run(stage, tmp_path / "z.db", "--nofile=80:80")
    assert 0 == ended.status, ended.said
    assert "only 80 files may be open: 2 targets at once" in ended.said
    assert {"ok"} == set(ended.outcomes.values())


@pytest.mark.parametrize("megabytes", [160, 100])
def test_with_little_address_space_it_measures_or_says_why_not(
    stage: Stage, tmp_path: Path, megabytes: int
) -> None:
    ended = run(stage, tmp_path / "z.db", f"--as={megabytes * 2**20}")
    assert set() == accused(ended)
    assert ended.status == 0, ended.said
    assert {"ok"} == set(ended.outcomes.values())


def test_what_is_left_is_measured_after_the_line_was_lost_for_good(
    stage: Stage, tmp_path: Path
) -> None:
    db = tmp_path / "z.db"
    stage.country.set(Wire.LINE, delay=0.3)  # or the run might be over before the line is cut
    ended = run(stage, db, cut_after=3)
    stage.country.set(Wire.LINE, cut=False, delay=DELAYS[Wire.LINE])
    assert (3, set()) == (ended.status, accused(ended)), ended.said
    again = stage.run(db, "--resume")
    assert 0 == again.returncode, again.stderr
    outcomes = [str(line["outcome"]) for line in verdicts(db).values()]
    assert {"ok", "local_fault"} >= set(outcomes)
    assert TARGETS - 3 <= outcomes.count("ok")  # all but those that were open at that moment


def test_a_disk_that_may_only_be_read_is_one_line(stage: Stage, tmp_path: Path) -> None:
    mounted = tmp_path / "read-only"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", mounted], check=True)
    try:
        done = stage.run(mounted / "z.db")
    finally:
        subprocess.run(["umount", mounted], check=True)
    assert 1 == done.returncode
    assert 1 == len(done.stderr.strip().splitlines()), done.stderr
    assert "Read-only" in done.stderr
