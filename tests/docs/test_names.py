"""What the documentation names is there: files, pages, commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe.cli import zond

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
_PATH = re.compile(
    r"`((?:tests|bench|probe|analysis|lab|testlists|scripts|docs)/[\w./*-]+?)(?:::\w+)?`"
)
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)(?:#[^)]*)?\)")
_COMMAND = re.compile(r"^(?:sudo )?zond ([a-z]+)\b", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = [name for name in _PATH.findall(text) if not list(ROOT.glob(name.rstrip("/")))]
    linked = [link for link in _LINK.findall(text) if not (page.parent / link).exists()]
    assert ([], []) == (named, linked)


def test_every_command_that_a_page_shows_is_one() -> None:
    shown = {
        command
        for page in PAGES
        for command in _COMMAND.findall(page.read_text(encoding="utf-8"))
    }
    commands = zond.list_commands(zond.make_context("zond", [], resilient_parsing=True))
    assert set() == shown - set(commands)


def test_every_command_has_help_with_an_example() -> None:
    context = zond.make_context("zond", [], resilient_parsing=True)
    without = []
    for name in zond.list_commands(context):
        said = CliRunner().invoke(zond, [name, "--help"])
        assert 0 == said.exit_code, said.output
        command = zond.get_command(context, name)
        if "Example" not in said.output and not hasattr(command, "commands"):
            without.append(name)
    assert [] == without
