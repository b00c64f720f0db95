"""Servers that mean harm cost a target's share of time and memory, and accuse nobody."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.stage import CONTROLS, Setting, Stage
from lab.trial import HURRY
from lab.world import Place
from lab.worlds.hostile import worlds
from probe.store import Store

pytestmark = pytest.mark.lab

# A bomb unpacks to 512 MB: whoever unpacks it does not live in this.
ADDRESS_SPACE = 600 * 2**20
# Who sends without end takes all that the machine has, and the resolver is behind it in a queue.
AT_ONCE = "12"


def test_every_hostile_server_is_measured_and_none_is_called_a_block(tmp_path: Path) -> None:
    db = tmp_path / "zond.db"
    described = worlds(step=300)
    setting = Setting(config=HURRY, icmp_ratelimit=0)
    with Stage(described, tmp_path, setting) as stage:
        process = stage.zond(
            "run", "--yes", "--no-upload", "--list", stage.list_file, "--db", db,
            "--no-follow-up", "--seed", "1", "--concurrency", AT_ONCE,
            before=("prlimit", f"--as={ADDRESS_SPACE}"),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        _, said = process.communicate()
        controls_live = [
            stage.country.command(
                Place.HOME, ["curl", "-sf", "--cacert", "roots.pem", f"https://{name}/"],
                cwd=tmp_path, stdout=subprocess.DEVNULL,
            ).wait()
            for _, name, _ in CONTROLS
        ]  # fmt: skip
        results = stage.results(db)
    assert (0, False) == (process.returncode, "Traceback" in said), said
    assert [0, 0] == controls_live
    wrong = {r.world: (r.outcome, r.rules) for r in results if r.outcome not in r.truth.outcome}
    assert {} == wrong
    with Store(db) as store:
        measured = list(store.measurements())
    assert {world.url for world in described} == {m.url for m in measured}
    bodies = [getattr(e, "body", None) or b"" for m in measured for e in m.evidence]
    assert max(map(len, bodies)) <= 512 * 1024
    assert db.stat().st_size < 100_000 * len(described)
