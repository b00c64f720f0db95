"""What docs/lab.md says is so: its programs run, and its names are those of the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab import censors, middlebox, splice
from lab.namespace import explain_if_impossible
from lab.stage import ZOND
from lab.world import Place, Wire
from lab.worlds.plan import Plan, Registered

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "lab.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def ran(program: str, folder: Path) -> str:
    why = explain_if_impossible()
    if why is not None:
        pytest.skip(why)
    path = os.pathsep.join((str(ZOND.parent), os.environ["PATH"]))
    env = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=env,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    return done.stdout


def test_the_map_has_every_place_and_every_wire() -> None:
    drawn = PAGE.partition("## The map")[2].partition("```\n\n")[0]
    assert [] == [name for name in (*Place, *Wire) if name not in drawn]


def test_the_table_has_every_rule_and_no_other() -> None:
    table = PAGE.partition("| about | rules |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`(\w+)`", table))
    rules = middlebox.AddressRule, middlebox.NameRule
    there = {
        name
        for name, thing in vars(censors).items()
        if isinstance(thing, type) and issubclass(thing, rules) and thing not in rules
        if not name.startswith("_")
    }
    assert there | {"Rewrite", "sni_alert", "http_redirect", splice.SNIForge.__name__} == told


@pytest.mark.lab
def test_the_world_in_a_few_lines_is_read_rightly(tmp_path: Path) -> None:
    said = ran(PROGRAMS[0], tmp_path)
    assert "https://www.vesti.info/ blocked tls.reset right\n" == said
    assert f"`{said.strip()}`" in PAGE


def test_the_world_of_a_plan_is_a_world(monkeypatch: pytest.MonkeyPatch) -> None:
    registry: dict[str, Registered] = {}
    monkeypatch.setattr("lab.worlds.plan.REGISTRY", registry)
    exec(PROGRAMS[1], {})
    made = registry["reset_by_name"].make(Plan("reset_by_name", 0, 5))
    assert {"tls.reset"} == set().union(*made.truth.mechanisms)
    assert made.censors


@pytest.mark.lab
def test_one_world_by_hand(tmp_path: Path) -> None:
    said = ran(PROGRAMS[2], tmp_path)
    assert "HTTP/1.1 302" in said and "http://82.209.230.23/" in said
    assert re.search(r"^blocked .* http\.redirect ", said, re.MULTILINE)
    assert (tmp_path / "by-hand" / "line.pcap").stat().st_size > 10_000
