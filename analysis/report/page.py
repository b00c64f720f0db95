"""One page of the report, from a template: whole in itself, and shut against what it shows.

Rule: escaping is on and every expression is made `inert.plain` first; a page's policy allows
its own style and its own script by their hashes and nothing else: no request, no other script, no
frame with an address, no form. So what a stranger wrote would have to pass three doors.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analysis.report.gather import HELD
from analysis.report.inert import plain
from analysis.report.tell import Teller
from analysis.report.words import CATEGORIES, PREDICTED, STANDS, STATES
from probe import __version__


class Pages:
    """Pages told by *tell*; *rules_version* is named at their foot, *more* is known to all."""

    def __init__(self, tell: Teller, rules_version: str, **more: Any) -> None:
        place = files("analysis.report") / "templates"
        style = (place / "style.css").read_text("utf-8")
        script = (place / "report.js").read_text("utf-8")
        style += "".join(
            f'.cell.{state}::before {{ content: "{look.sign}"; content: "{look.sign}" / ""; }}\n'
            for state, look in STATES.items()
        )
        words = tell.words
        self._env = Environment(
            loader=PackageLoader("analysis.report"), autoescape=True, finalize=_finalize,
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )  # fmt: skip
        self._env.install_gettext_callables(  # type: ignore[attr-defined]  # of the extension
            words.gettext, words.ngettext, newstyle=True
        )
        self._env.filters["cut"] = plain
        self._env.globals |= {
            "language": words.language, "words": words, "tell": tell, "looks": STATES,
            "held": HELD, "stands": STANDS, "predicted": PREDICTED, "categories": CATEGORIES,
            "version": __version__,
            "rules_version": rules_version, "made": words.day(datetime.now(UTC).timestamp()),
            "style": Markup(style), "script": Markup(script),  # noqa: S704 - files of ours
            "policy": policy(style, script), **more,
        }  # fmt: skip

    def render(self, template: str, **facts: Any) -> Iterator[str]:
        """The page in pieces."""
        return self._env.get_template(template).generate(**facts)


def policy(style: str, script: str) -> str:
    """The page's Content-Security-Policy."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src-elem '{_hash(style)}'",
            "style-src-attr 'unsafe-inline'",  # widths of bars, and of the pages in frames
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _finalize(value: object) -> object:
    if isinstance(value, Markup):
        return value
    if value is None:
        return ""
    return plain(value) if isinstance(value, str) else value
