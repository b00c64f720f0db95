"""Reads test lists: Citizen Lab's CSV with our column, or one URL a line.

A bad line costs that line and never the rest, so a list is read line by line: one
unbalanced quote would otherwise swallow all that follows. A record therefore ends
where its line ends.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from testlists.categories import CATEGORIES
from testlists.target import RISK_UNSAID, RISKS, Risk, Target
from testlists.url import SERVICES, normalise

MAX_BYTES = 32 * 2**20
PART = 2**16  # bytes read at once
MAX_LINE = 16_384  # characters
MAX_FIELD = 2_000  # characters of a note or a source
MAX_ATTRIBUTES = 20

# The last two are ours, the others Citizen Lab's. Only "url" must be there, and a column may be
# anywhere. Others are passed over, but for a service's: those are its target's attributes.
COLUMNS = (
    "url", "category_code", "category_description", "date_added", "source", "notes",
    "risk", "risk_reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line. *line* counts from 1; 0 is the list as a whole."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}" if self.line else self.reason


def parse(
    content: str | bytes | IO[str] | IO[bytes], name: str
) -> tuple[list[Target], list[Problem]]:
    """The targets in *content*, in its order, and what is wrong with the other lines.

    Bytes are UTF-8, with or without a mark at the beginning. *name* becomes the
    targets' ``list_name``. No content raises an exception; an unreadable stream
    raises its own.
    """
    if not isinstance(content, str | bytes):
        content = content.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        return [], [Problem(0, f"the list is larger than {MAX_BYTES // 2**20} MB")]
    text = content if isinstance(content, str) else content.decode("utf-8", "surrogateescape")
    return _Parser(name).parse(text.removeprefix("\ufeff"))


def load(path: Path) -> tuple[list[Target], list[Problem]]:
    """`parse` of a file; the list is named after it. Raises OSError."""
    # In parts: a reader makes room at once for all that it is asked for.
    with path.open("rb") as file:
        parts = islice(iter(partial(file.read, PART), b""), MAX_BYTES // PART + 1)
        return parse(b"".join(parts), path.stem)


def records(content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """The records of a list with a heading, as they stand there, by column; with their lines.

    For who rewrites or checks a list; lines that `parse` complains of may be missing.
    """
    text = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    columns: list[str] | None = None
    for number, line in lines(text):
        try:
            row = fields(line)
        except ValueError:
            continue
        if columns is None:
            columns = row
        elif len(row) == len(columns):
            yield number, dict(zip(columns, row, strict=True))


class _Parser:
    def __init__(self, name: str) -> None:
        self._name = name
        self._columns: list[str] | None = None  # None in a plain list
        self._first_line: dict[str, int] = {}  # URL -> where it was first seen

    def parse(self, text: str) -> tuple[list[Target], list[Problem]]:
        targets: list[Target] = []
        problems: list[Problem] = []
        numbered = lines(text)
        for number, line in numbered:
            try:
                if (columns := _header(line)) is not None:
                    self._columns = columns
                else:
                    targets.append(self._target(number, line))
            except ValueError as exc:
                problems.append(Problem(number, str(exc)))
            break
        for number, line in numbered:
            try:
                targets.append(self._target(number, line))
            except ValueError as exc:
                problems.append(Problem(number, str(exc)))
        return targets, problems

    def _target(self, number: int, line: str) -> Target:
        _check_text(line)
        row = self._row(line)
        url = normalise(row["url"])
        target = Target(
            url=url,
            category=_category(row.get("category_code", "")),
            risk=_risk(row.get("risk", "")),
            list_name=self._name,
            written="" if url == row["url"] else row["url"],
            date_added=row.get("date_added", "")[:MAX_FIELD],
            source=row.get("source", "")[:MAX_FIELD],
            notes=row.get("notes", "")[:MAX_FIELD],
            attributes=_attributes(row) if urlsplit(url).scheme in SERVICES else (),
        )
        if (first := self._first_line.setdefault(url, number)) != number:
            raise ValueError(f"{url} is already on line {first}")
        return target

    def _row(self, line: str) -> dict[str, str]:
        if self._columns is None:
            return {"url": _plain(line)}
        row = [field.strip() for field in fields(line)]
        if len(row) != len(self._columns):
            raise ValueError(f"{len(row)} columns where the heading has {len(self._columns)}")
        return dict(zip(self._columns, row, strict=True))


def lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, counted from 1. Not `str.splitlines`: it also cuts at \\x0b."""
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def _check_text(line: str) -> None:
    if len(line) > MAX_LINE:
        raise ValueError(f"line of {len(line)} characters; at most {MAX_LINE}")
    if re.search(r"[\ud800-\udfff]", line):
        raise ValueError("not UTF-8")
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", line):
        raise ValueError("control characters in the line")


def _header(line: str) -> list[str] | None:
    """The columns that *line* names, None where it is no heading."""
    try:
        _check_text(line)
        columns = [field.strip().lower() for field in fields(line)]
    except ValueError:
        return None  # then it is the first line of content, and is judged as that
    return columns if "url" in columns else None


def fields(line: str) -> list[str]:
    """The fields of one record. Raises ValueError."""
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as exc:
        raise ValueError(f"broken CSV: {exc}") from exc


def _attributes(row: dict[str, str]) -> tuple[tuple[str, str], ...]:
    others = [(name, said[:MAX_FIELD]) for name, said in row.items() if name not in COLUMNS]
    return tuple((name, said) for name, said in others if said)[:MAX_ATTRIBUTES]


def _plain(line: str) -> str:
    """The URL on a line of a plain list, without the comment behind it."""
    _, *others = line.split(",")
    if others and others[0].strip().upper() in CATEGORIES:
        raise ValueError("columns, but the list has no heading that names them")
    return re.sub(r"\s+#.*", "", line).strip()


def _category(code: str) -> str:
    if code and code.upper() not in CATEGORIES:
        raise ValueError(f"unknown category {code[:20]!r}")
    return code.upper()


def _risk(said: str) -> Risk:
    for risk in RISKS:
        if said.lower() == risk:
            return risk
    if said:
        raise ValueError(f"unknown risk {said[:20]!r}; it is one of {', '.join(RISKS)}")
    return RISK_UNSAID
