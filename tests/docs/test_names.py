"""What the documentation names is there: files, pages and their headings, commands, options."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from probe.cli import zond

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted(ROOT.glob("docs/**/*.md"))]
_PATH = re.compile(
    r"`((?:tests|bench|probe|analysis|lab|testlists|scripts|docs)/[\w./*-]+?)(?:::\w+)?`"
)
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)(?:#[^)]*)?\)")
_ANCHOR = re.compile(r"\]\(([^)#:]*)#([^)]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_COMMAND = re.compile(
    r"^(?:    )?(?:\$ )?(?:sudo )?zond ([a-z][^\n#|>&;]*)|`zond ([a-z][^`]*)`", re.MULTILINE
)
_MODULE = re.compile(r"python -m ([a-z_]+(?:\.[a-z_]+)+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = [name for name in _PATH.findall(text) if not list(ROOT.glob(name.rstrip("/")))]
    linked = [link for link in _LINK.findall(text) if not (page.parent / link).exists()]
    assert ([], []) == (named, linked)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_heading_that_a_page_links_to_exists(page: Path) -> None:
    lost = [
        (to, anchor)
        for to, anchor in _ANCHOR.findall(page.read_text(encoding="utf-8"))
        if anchor not in _anchors((page.parent / to) if to else page)
    ]
    assert [] == lost


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_option_that_a_page_shows_is_one(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    shown = [(first or second).split() for first, second in _COMMAND.findall(text)]
    assert [] == [" ".join(words) for words in shown if not _is_understood(words)]
    assert [] == [name for name in _MODULE.findall(text) if find_spec(name) is None]


def _is_understood(words: list[str]) -> bool:
    command: click.Command = zond
    context = click.Context(zond)
    while isinstance(command, click.Group) and words and re.match(r"[a-z]", words[0]):
        found = command.get_command(context, words[0])
        if found is None:
            return False
        command, words = found, words[1:]
    if "--" in words:  # what follows is for another command
        words = words[: words.index("--")]
    known = {
        name for option in command.get_params(context)
        for name in (*option.opts, *option.secondary_opts)
    }  # fmt: skip
    shown = {name for word in words for name in re.findall(r"(?<![\w-])--[a-z][a-z-]*", word)}
    return shown <= known


def test_an_option_or_command_that_is_gone_is_noticed() -> None:
    assert _is_understood(["upload", "--dry-run"])
    assert _is_understood(["consent", "--upload", "yes"])
    assert not _is_understood(["upload", "--wet-run"])
    assert not _is_understood(["lists", "forget"])
    assert not _is_understood(["forget"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_the_package_fetched_by_its_name(page: Path) -> None:
    """No index has it from us: whoever takes the name there would run on volunteers' machines."""
    if page.parent.name != "design":  # these are not edited
        assert [] == re.findall(r"install ['\"]?zond\b", page.read_text(encoding="utf-8"))


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
