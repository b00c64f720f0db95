"""The rules that a list which others will read must keep, Citizen Lab's and ours.

Rule: a list is read leniently (`testlists.parsing`: a bad line costs itself) and written
strictly, since what a published list gets wrong is measured wrongly for years. The rules of
Citizen Lab's own checker (scripts/lint-lists.py of their test-lists) come first: the heading,
the number of columns, ``http`` or ``https`` with a path, no line ends, tabs or backslashes, a
known category with its description, an ISO date, no address twice, neither in the list nor
in the global one beside it. Ours are about what they do not have: risk with its reason,
services, and panels, which never change.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from pathlib import PurePath
from urllib.parse import urlsplit

from testlists.categories import CATEGORIES
from testlists.panels import PINNED, altered
from testlists.parsing import Problem, fields, lines, parse, records
from testlists.risks import REASONS
from testlists.url import BadURL, normalise

CITIZEN_LAB = (
    "url", "category_code", "category_description", "date_added", "source", "notes"
)  # fmt: skip
OURS = (*CITIZEN_LAB, "risk", "risk_reason")
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,30}", re.ASCII)
MAX_PROBLEMS = 1000


def lint(
    content: bytes,
    name: str,
    *,
    beside: Mapping[str, Collection[str]] | None = None,
    today: date | None = None,
) -> list[Problem]:
    """What is wrong with the list *name*, in the order of its lines; nothing: empty.

    *beside* are the URLs of other lists that are measured together with it, by the name of
    the list. Without *today* no date is in the future.
    """
    problems = [*_bytes(content)]
    if problems:
        return problems
    text = content.decode()
    _, problems = parse(content, name)
    numbered = next(lines(text), None)
    if numbered is None:
        return [Problem(0, "an empty list")]
    problems += [Problem(numbered[0], reason) for reason in _heading(numbered[1])]
    for number, record in records(content):
        problems += [Problem(number, said) for said in _record(record, beside or {}, today)]
    problems += [Problem(0, reason) for reason in altered(name, content)]
    return sorted(dict.fromkeys(problems), key=lambda p: p.line)[:MAX_PROBLEMS]


def lint_together(
    contents: Mapping[str, bytes], today: date | None = None
) -> dict[str, list[Problem]]:
    """`lint` of lists that are measured together, by their names or files: a target is on one.

    Not so a panel, whose targets are on another list as well.
    """
    seen: dict[str, Collection[str]] = {}
    found: dict[str, list[Problem]] = {}
    for given, content in contents.items():
        name = PurePath(given).name.removesuffix(".csv")
        beside = {} if name in PINNED else seen
        found[given] = lint(content, name, beside=beside, today=today)
        if name not in PINNED:
            seen[given] = {target.url for target in parse(content, name)[0]}
    return found


def _bytes(content: bytes) -> list[Problem]:
    try:
        text = content.decode()
    except UnicodeDecodeError as exc:
        return [Problem(content[: exc.start].count(b"\n") + 1, "not UTF-8")]
    if text.startswith("\ufeff"):
        return [Problem(1, "a byte order mark")]
    if "\r" in text:
        return [Problem(text[: text.index("\r")].count("\n") + 1, "a carriage return")]
    return []


def _heading(line: str) -> list[str]:
    try:
        columns = fields(line)
    except ValueError:
        return []  # parse has said so
    if tuple(columns) == CITIZEN_LAB:
        return []
    if tuple(columns[: len(OURS)]) != OURS:
        return [f"the heading is not {','.join(OURS)}"]
    strange = [c for c in columns[len(OURS) :] if not _COLUMN.fullmatch(c)]
    return [f"a column named {strange[0][:30]!r}"] if strange else []


def _record(
    record: Mapping[str, str], beside: Mapping[str, Collection[str]], today: date | None
) -> list[str]:
    said: list[str] = []
    for column, value in record.items():
        if "\t" in value or "\\" in value:
            said.append(f"a tab or a backslash in {column}")
        if value != value.strip():
            said.append(f"spaces around {column}")
    said += _url(record.get("url", ""), beside)
    said += _category(record.get("category_code", ""), record.get("category_description", ""))
    said += _date(record.get("date_added", ""), today)
    if "risk" in record:
        said += _risk(record)
    return said


def _url(url: str, beside: Mapping[str, Collection[str]]) -> list[str]:
    try:
        normal = normalise(url)
    except BadURL:
        return []  # parse has said so
    said = [f"{normal} is on the list {name} as well" for name in beside if normal in beside[name]]
    if url.lower().startswith(("http://", "https://")) and not urlsplit(url).path:
        said.append("no path: a bare host ends in a slash")
    return said


def _category(code: str, description: str) -> list[str]:
    if not code:
        return ["no category"]
    if code in CATEGORIES and CATEGORIES[code] != description:
        return [f"{code} is described as {description[:40]!r}, and is {CATEGORIES[code]!r}"]
    return [] if code in CATEGORIES or code.upper() not in CATEGORIES else ["category in small"]


def _date(text: str, today: date | None) -> list[str]:
    try:
        if len(text) != 10:
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        return [f"{text[:20]!r} is no date as in 2026-11-22"]
    if today is not None and day > today + timedelta(days=1):  # somewhere it is tomorrow
        return [f"{text} is in the future"]
    return []


def _risk(record: Mapping[str, str]) -> list[str]:
    said = [f"no {column}" for column in ("risk", "source") if not record.get(column)]
    reason = record.get("risk_reason", "")
    if reason not in REASONS:
        return [*said, f"no reason {reason[:20]!r} for a risk: {', '.join(REASONS)}"]
    if (risk := record.get("risk", "")) and REASONS[reason].risk != risk:
        said.append(f"risk {risk[:20]}, for a reason ({reason}) of {REASONS[reason].risk} risk")
    return said
