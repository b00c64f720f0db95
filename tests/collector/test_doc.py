"""The operator's manual tells every mark, option and file."""

from __future__ import annotations

from pathlib import Path

from analysis.collector.cli import collector, serve
from analysis.collector.notes import MARKS

MANUAL = (Path(__file__).parents[2] / "docs" / "collector.md").read_text()


def test_every_mark_is_explained() -> None:
    for mark, about in MARKS.items():
        assert f"| `{mark}` | {about} |" in MANUAL


def test_every_option_and_command_is_told() -> None:
    for parameter in serve.params:
        assert parameter.opts[0] in MANUAL
    for command in collector.commands:
        assert f"zond collector {command}" in MANUAL
