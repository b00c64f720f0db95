"""The tutorial's commands work, on a database like the one that its first command makes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.demo import demo_worlds, write_list
from lab.stage import Setting, Stage
from lab.trial import HURRY
from testlists import builtin

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/analyst.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)


@pytest.mark.lab
def test_the_commands_work_in_their_order(tmp_path: Path) -> None:
    first, *others = COMMANDS
    assert first.startswith("zond demo --targets 25 --db demo.db")
    # Two that are reset by name, and one that is silent by address; the demo's second pass takes
    # a minute of pauses, and what follows needs none of it.
    wanted = [
        target for target in builtin("by")[0]
        if target.url in {"https://charter97.org/", "https://c97.org/", "https://naviny.by/"}
    ]  # fmt: skip
    assert 3 == len(wanted)
    with Stage(demo_worlds(wanted), tmp_path / "country", Setting(config=HURRY)) as stage:
        write_list(stage.list_file, wanted)
        done = stage.run(tmp_path / "demo.db", "--no-follow-up", "--max-risk", "high")
        assert 0 == done.returncode, done.stderr
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in others:
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": path, "HOME": str(tmp_path)},
        )  # fmt: skip
        assert 0 == done.returncode, f"{command}: {done.stderr}"
        assert "Traceback" not in done.stderr
    for made in ("report.html", "shared.html", "charter97.json", "found/findings.jsonl"):
        assert (tmp_path / made).is_file(), made


def test_what_is_printed_stands_below_each_command_that_prints() -> None:
    quiet = {"zond demo", "zond dataset build", "zond events", "zond report"}
    for block in re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        for shown in block.split("$ ")[1:]:
            command, _, said = shown.partition("\n")
            silent = " > " in command or any(command.startswith(word) for word in quiet)
            assert said or silent, f"{command}: scripts/tutorial --write"
