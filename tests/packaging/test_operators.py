"""The unit on the operators' page is one that systemd takes, and starts the command as it is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from probe.cli import zond

PAGE = Path(__file__).parents[2] / "docs/operators.md"


def unit() -> str:
    found = re.search(r"<!-- unit -->\n```ini\n(.*?)```\n<!-- end", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_unit_starts_a_command_that_there_is() -> None:
    started = re.search(r"^ExecStart=((?:.*\\\n)*.*)$", unit(), re.MULTILINE)
    assert started is not None
    program, *arguments = shlex.split(started[1].replace("\\\n", " "))
    assert "zond" == Path(program).name
    command: click.Command = zond
    while isinstance(command, click.Group):
        inner = command.get_command(click.Context(command), arguments.pop(0))
        assert inner is not None
        command = inner
    context = command.make_context("serve", arguments)
    assert "0.0.0.0:443" == context.params["listen"]
    assert "abuse@example.org" == context.params["contact"]


def test_the_unit_repeats_no_setting() -> None:
    names = re.findall(r"^(\w+)=", unit(), re.MULTILINE)
    assert {"LoadCredential"} == {name for name in names if names.count(name) > 1}
