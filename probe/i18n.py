"""In which language the user is spoken to: English, Belarusian or Russian.

What a message says is its English text in the code; the translations are
``locale/<language>/LC_MESSAGES/zond.po``, made into the ``.mo`` beside them by
``scripts/translations`` (Babel), and read here by the standard library's gettext: a probe
need not have Babel. What is not translated is said in English.

``--lang`` goes before ``ZOND_LANG``, and that before the system's own variables.
"""

from __future__ import annotations

import gettext
import os
import re
import shutil
import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import click

LANGUAGES = {"en": "English", "be": "Беларуская", "ru": "Русский"}
SYSTEMS_OWN = ("LC_ALL", "LC_MESSAGES", "LANG")  # in the order of locale(7)
DOMAIN = "zond"
WIDTH = 88  # columns at most
JOINT = "\N{WORD JOINER}"
_CHOSEN = "zond.language"

Command = TypeVar("Command", bound=Callable[..., Any])


def language() -> str:
    """The code of the language that is spoken now, one of `LANGUAGES`."""
    return chosen() or "en"


def chosen() -> str:
    """The language that an option or the environment asks for; empty: none that we have."""
    context = click.get_current_context(silent=True)
    option: str | None = context.meta.get(_CHOSEN) if context is not None else None
    return option or _of_environment()


def _of_environment() -> str:
    system = next((value for name in SYSTEMS_OWN if (value := os.environ.get(name))), "")
    # LANGUAGE speaks where there is a locale at all, as gettext(3) has it.
    plain = system.partition(".")[0] in ("C", "POSIX")
    listed = "" if plain else os.environ.get("LANGUAGE", "")
    wanted = [os.environ.get("ZOND_LANG", ""), *listed.split(":"), system]
    codes = (name.replace("-", "_").partition("_")[0].lower() for name in wanted)
    return next((code for code in codes if code in LANGUAGES), "")


def speak(code: str) -> None:
    """From now on speak the language *code* for as long as this command runs."""
    click.get_current_context().meta[_CHOSEN] = code


def _(message: str, **values: object) -> str:
    """*message* in the user's language, with *values* put into its ``{names}``."""
    said = _translations(language()).gettext(message)
    return said.format(**values) if values else said


def plural(one: str, many: str, count: int, **values: object) -> str:
    """`_` of *one* or *many*, as *count* asks for in that language; ``{count}`` is known."""
    said = _translations(language()).ngettext(one, many, count)
    return said.format(count=count, **values)


def paragraph(text: str, *, indent: str = "", bullet: str = "") -> str:
    """*text* in lines as long as the terminal has, the first after *bullet*."""
    width = min(WIDTH, shutil.get_terminal_size().columns)
    after = indent + " " * len(bullet)
    # A command stays in one line, so that it can be copied.
    joined = re.sub("`[^`]*`", lambda command: command[0].replace(" ", JOINT), text)
    lines = textwrap.fill(
        joined, max(40, width), initial_indent=indent + bullet, subsequent_indent=after,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return lines.replace(JOINT, " ")


def language_option(command: Command) -> Command:
    """Gives a command ``--lang``."""

    def take(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value:
            context.meta[_CHOSEN] = value

    return click.option(
        "--lang", type=click.Choice(list(LANGUAGES)), is_eager=True, expose_value=False,
        callback=take, help="The language to speak.",
    )(command)  # fmt: skip


@cache
def _translations(code: str) -> gettext.NullTranslations:
    folder = Path(__file__).with_name("locale")
    return gettext.translation(DOMAIN, folder, languages=[code], fallback=code == "en")
