"""scripts/release-lists: what it makes is what `zond lists update` takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testlists import Shelf, builtin_names
from testlists.release import BadRelease

ROOT = Path(__file__).parents[2]
VERSION = "2027-01-01"


def released(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "release-lists", *map(str, arguments)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "zond.key"
    subprocess.run(
        ["minisign", "-G", "-W", "-s", path, "-p", path.with_suffix(".pub")],
        check=True, capture_output=True,
    )  # fmt: skip
    return path


def test_a_release_that_was_made_and_signed_is_taken(tmp_path: Path, key: Path) -> None:
    out = tmp_path / "lists.zip"
    made = released(VERSION, "--out", out, "--sign", key)
    assert 0 == made.returncode, made.stderr
    signature = out.with_name("lists.zip.minisig").read_bytes()
    shelf = Shelf(tmp_path / "lists")
    release = shelf.install(out.read_bytes(), signature, key.with_suffix(".pub").read_text())
    assert set(builtin_names()) == set(release.lists)
    assert "release" == shelf.book("by").kind


def test_one_signed_under_another_version_is_not(tmp_path: Path, key: Path) -> None:
    out = tmp_path / "lists.zip"
    command = released(VERSION, "--out", out).stdout.split()
    assert ["minisign", "-S"] == command[:2]
    comment = "zond lists 2028-01-01"
    subprocess.run(
        ["minisign", "-S", "-s", key, "-m", out, "-t", comment], check=True, capture_output=True
    )
    signature = out.with_name("lists.zip.minisig").read_bytes()
    with pytest.raises(BadRelease, match="signed as 'zond lists 2028-01-01'"):
        Shelf(tmp_path / "lists").install(
            out.read_bytes(), signature, key.with_suffix(".pub").read_text()
        )


def test_a_list_that_breaks_a_rule_is_not_released(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("url\nhttps://example.com\n")
    out = tmp_path / "lists.zip"
    made = released(VERSION, "--lists", tmp_path, "--out", out)
    assert (1, False) == (made.returncode, out.exists())
    assert "bad, line 1: the heading is not url," in made.stderr


def test_an_edited_panel_is_not_released(tmp_path: Path) -> None:
    panel = Shelf().book("by-panel-2026").content
    (tmp_path / "by-panel-2026.csv").write_bytes(panel[: panel.rindex(b"\n", 0, -1) + 1])
    made = released(VERSION, "--lists", tmp_path, "--out", tmp_path / "lists.zip")
    assert (1, True) == (made.returncode, "a panel, and never changes" in made.stderr)


def test_a_version_that_is_none_is_one_line(tmp_path: Path) -> None:
    made = released("soon", "--out", tmp_path / "x")
    assert (2, "no version: 'soon'; as in 2026-11-22\n") == (made.returncode, made.stderr)
