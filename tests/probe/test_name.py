"""Started by another name, zond keeps, shows and calls itself nothing of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from probe import places

ROOT = Path(__file__).parents[2]
PROGRAM = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
from probe import cli
if "wipe" in sys.argv:  # what others have in memory for as long as they run is theirs
    import pathlib, tempfile, probe.wipe
    probe.wipe.IN_MEMORY = pathlib.Path(tempfile.gettempdir())
if "show-title" in sys.argv:
    cli.zond.main = lambda **_: print(open("/proc/self/cmdline").read().strip("\\0"))
cli.main()
"""


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A link to the program, as `ln -s` makes it."""
    program = tmp_path / "bin/zond"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    link = tmp_path / "links/notes"
    link.parent.mkdir()
    link.symlink_to(program)
    return link


def start(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    home = program.parents[1]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ZOND_", "XDG_"))}
    return subprocess.run(
        [program, *arguments], check=False,
        env=kept | {"HOME": str(home), "LC_ALL": "C", "TMPDIR": str(home / "links")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip


def test_directories_and_files_are_called_as_the_program_is(notes: Path) -> None:
    agreed = start(
        notes, "consent", "--yes", "--tiers", "low", "--networks", "any", "--way", "direct"
    )
    assert agreed.returncode == 0, agreed.stderr
    imported = start(notes, "import", os.devnull)
    assert "notes.db" in imported.stderr + str(list(notes.parents[1].rglob("*.db")))
    home = notes.parents[1]
    kept = [str(path.relative_to(home)) for path in home.rglob("*")]
    assert ".local/share/notes/consent.json" in kept and ".config/notes/notes.toml" in kept
    assert [path for path in kept if "zond" in path] == ["bin/zond"]
    usual = start(notes.resolve(), "consent")
    assert "to measure: no" in usual.stdout  # another program, which nobody agreed to


def test_usage_and_errors_name_the_program_as_it_was_started(notes: Path) -> None:
    assert "Usage: notes" in start(notes, "--help").stdout
    assert "see notes run --help" in start(notes, "run", "--nonsense").stderr


def test_wiping_removes_what_is_kept_by_that_name(notes: Path) -> None:
    start(notes, "consent", "--yes", "--tiers", "low", "--way", "direct")
    start(notes.resolve(), "consent", "--yes", "--tiers", "low")
    assert start(notes, "wipe", "--yes").returncode == 0
    home = notes.parents[1]
    assert not [path for path in home.rglob("*") if path.name == "notes" and path != notes]
    assert (home / ".local/share/zond/consent.json").exists()


def test_lists_of_processes_show_the_name_alone(notes: Path) -> None:
    shown = start(notes, "run", "--url", "https://secret.example/", "show-title")
    assert "notes" == shown.stdout.strip()


@pytest.mark.parametrize(
    ("started", "name"),
    [
        ("/usr/bin/zond", "zond"), ("zond-0.2.pyz", "zond"), ("-c", "zond"), ("python3", "zond"),
        ("/home/u/.local/bin/notes", "notes"), ("notes.pyz", "notes"), ("C:/notes.exe", "notes"),
        ("../..", "zond"), ("", "zond"), ("a b", "zond"), ("n" * 40, "zond"),
    ],
)  # fmt: skip
def test_a_name_is_a_word_or_the_usual_one(started: str, name: str) -> None:
    assert places.called_by(started) == name
