"""Questions to the person before the terminal, and what they may answer, in their language."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click

from probe.i18n import _

# Whoever writes Cyrillic need not change the keyboard to agree or, above all, to refuse.
YES = frozenset({"y", "yes", "т", "так", "д", "да"})
NO = frozenset({"n", "no", "н", "не", "нет"})


def somebody_is_here() -> bool:
    """Whether there is a terminal, and so perhaps somebody, to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def yes_or_no(question: str, *, default: bool) -> bool:
    """Whether they say yes; Enter is *default*. Raises `click.Abort` when they leave."""

    def read(answer: str) -> bool:
        said = answer.strip().casefold()
        if said in YES or said in NO:
            return said in YES
        raise click.UsageError(_("please answer yes or no"))

    shown = _("[Y/n]") if default else _("[y/N]")
    answer: bool = click.prompt(
        f"{question} {shown}", default=_("yes") if default else _("no"), show_default=False,
        value_proc=read, err=True,
    )  # fmt: skip
    return answer


def one_of(question: str, answers: Mapping[str, str], *, default: str) -> str:
    """Which of *answers* they choose, by its number; each key has its meaning beside it."""
    keys = list(answers)
    click.echo(question, err=True)
    for number, key in enumerate(keys, 1):
        click.echo(f"  {number}. {answers[key]}", err=True)

    def read(answer: str) -> str:
        said = answer.strip()
        if said.isdecimal() and 1 <= int(said) <= len(keys):
            return keys[int(said) - 1]
        raise click.UsageError(_("please answer with a number"))

    usual = str(keys.index(default) + 1)
    chosen: str = click.prompt("", prompt_suffix=f"[{usual}] ", default=usual, show_default=False,
                               value_proc=read, err=True)  # fmt: skip
    return chosen
