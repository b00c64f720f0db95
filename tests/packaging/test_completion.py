"""What a shell completes, asked as a shell asks: by starting the program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ZOND = Path(sys.executable).with_name("zond")


def in_bash(typed: str, home: Path) -> list[str]:
    """What bash offers for *typed*, with what ``zond completion bash`` prints in force."""
    script = f"""
        source <({ZOND} completion bash)
        COMP_WORDS=({typed}) COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
        compopt() {{ true; }}   # which bash allows within a completion only
        _zond_completion {ZOND}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        check=True, capture_output=True, text=True, env={**os.environ, "HOME": str(home)},
    )  # fmt: skip
    assert "" == done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("zond wi", ["wipe"]),
        ("zond verd", ["verdicts"]),  # of an entry point
        ("zond lists upd", ["update"]),
        ("zond dataset que", ["query"]),
        ("zond run --no-f", ["--no-follow-up"]),
        ("zond run --nettest web", ["web_connectivity"]),
        ("zond run --list by-pan", ["by-panel-2026"]),
        ("zond lists show tor-b", ["tor-bootstrap", "tor-bridges"]),
        ("zond run --max-risk m", ["medium"]),
        ("zond nothing-like-this", []),
    ],
)
def test_bash_completes(typed: str, offered: list[str], tmp_path: Path) -> None:
    assert offered == in_bash(typed, tmp_path)


def test_lists_of_ones_own_are_completed_too(tmp_path: Path) -> None:
    home = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run([ZOND, "lists", "add", "mine", "https://example.org/"], check=True, env=home)
    assert ["mine"] == in_bash("zond run --list mi", tmp_path)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_is_printed_asks_by_the_name_of_the_program(shell: str) -> None:
    done = subprocess.run([ZOND, "completion", shell], check=True, capture_output=True, text=True)
    assert "_ZOND_COMPLETE" in done.stdout


def test_each_nettest_is_completed_by_its_name() -> None:
    from click import Command, Context, Option

    from probe.commands.completion import nettest_names
    from probe.nettest import discover

    asked = Context(Command("run")), Option(["--nettest"])
    offered = {item.value for item in nettest_names(*asked, "")}
    assert set(discover()) == offered


def test_completing_loads_nothing_that_measures_or_judges() -> None:
    asked = {**os.environ, "_ZOND_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", ZOND],
        capture_output=True, text=True, env={**asked, "COMP_WORDS": "zond "},
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click.core" in loaded
    assert set() == loaded & {"trio", "ibis", "duckdb", "httpx2", "cryptography", "sqlite_utils"}
