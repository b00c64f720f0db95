"""Text as whoever decodes it would read it, with the place of each character in the original.

Rule: an address that a server echoes stands in a page as HTML, in a header URL-encoded, in a
script escaped, and sometimes twice. Searching what was decoded finds all of these with one
set of patterns; what is found is replaced in the original, so that everything else stays
as it came, byte for byte.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from collections.abc import Iterator

LAYERS = 3  # of encoding, one in another; %2525 is as deep as careless programs go

_ESCAPE = re.compile(
    r"%[0-9A-Fa-f]{2}"  # RFC 3986
    r"|&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});"  # HTML
    r"|\\u(?:[0-9A-Fa-f]{4}|\{[0-9A-Fa-f]{1,6}\})"  # JSON, JavaScript
    r"|\\x[0-9A-Fa-f]{2}"
    r"|\\[/.:\-\[\]]"
    r"|\x00"  # UTF-16 of what is ASCII
)


class View:
    """*text*, decoded once. *marks* are where in it something was decoded, *shifts* by how many
    characters the original is longer up to there."""

    def __init__(self, text: str, marks: list[int], shifts: list[int], below: View | None) -> None:
        self.text = text
        self._marks, self._shifts, self._below = marks, shifts, below

    def origin(self, at: int) -> int:
        """Where in the original the character *at* begins."""
        passed = bisect_left(self._marks, at)
        at += self._shifts[passed - 1] if passed else 0
        return self._below.origin(at) if self._below is not None else at


def views(text: str) -> Iterator[View]:
    """*text* as it is, then as it is when decoded once, twice, while there is anything to."""
    view: View | None = View(text, [], [], None)
    for _ in range(LAYERS + 1):
        if view is None:
            return
        yield view
        view = _decoded(view)


def _decoded(view: View) -> View | None:
    text = view.text
    if not ("%" in text or "&" in text or "\\" in text or "\0" in text):
        return None
    pieces: list[str] = []
    marks: list[int] = []
    shifts: list[int] = []
    at = length = shift = 0
    for found in _ESCAPE.finditer(text):
        character = _character(found[0])
        if len(character) > 1:
            continue
        start, end = found.span()
        pieces += (text[at:start], character)
        length += start - at
        marks.append(length)
        length += len(character)
        shift += end - start - len(character)
        shifts.append(shift)
        at = end
    if not marks:
        return None
    pieces.append(text[at:])
    return View("".join(pieces), marks, shifts, view)


def _character(escape: str) -> str:
    """What *escape* stands for; two characters where it is none."""
    if escape == "\0":
        return ""
    if escape[0] == "%":
        return chr(int(escape[1:], 16))
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[1] in "ux":
        code = int(escape[2:].strip("{}"), 16)
        return chr(code) if code < 0x110000 else "  "
    return escape[1]
