"""A person's own list, as it grows: made of what was typed and of files, always valid.

What the user says of a target is kept; what he does not say is not guessed, but for the risk,
which is that of a list that says nothing (`testlists.target.RISK_UNSAID`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date

from testlists.categories import CATEGORIES
from testlists.parsing import COLUMNS, MAX_FIELD, Problem, parse
from testlists.target import RISK_UNSAID, Target
from testlists.url import BadURL, normalise


class NotAdded(ValueError):
    """What was typed cannot be on a list. The message is one line."""


def grown(
    old: bytes,
    urls: Sequence[str],
    taken: bytes,
    day: date,
    *,
    category: str = "",
    risk: str | None = None,
    note: str = "",
) -> tuple[bytes, int, list[Problem]]:
    """The list *old* with *urls* and the targets of the list *taken*; how many are new; what
    is wrong with lines of *taken*.

    What is said of them is said of all. Raises `NotAdded` where a URL cannot be measured, or
    where a word of what is said of it is none.
    """
    if category and category.upper() not in CATEGORIES:
        raise NotAdded(f"no category {category[:20]!r}; as in {', '.join(CATEGORIES)}")
    note = " ".join(note.split())
    if not note.isprintable() or "\\" in note or len(note) > MAX_FIELD:
        raise NotAdded(f"a note has up to {MAX_FIELD} letters, and no backslash")
    there, broken = parse(old, "")
    if broken:  # writing the list anew would lose that line
        raise NotAdded(f"mend the list first: {broken[0]}")
    targets, problems = parse(taken, "")
    rows = [_row(target) for target in there]
    known = {row["url"] for row in rows}
    said = {"category_code": category.upper(), "risk": risk or "", "notes": note}
    coming = [_row(target) for target in targets]
    for url in urls:
        try:
            coming.append({**_row(Target(url=normalise(url))), "risk": RISK_UNSAID})
        except BadURL as exc:
            raise NotAdded(f"{url}: {exc}") from exc
    new = {row["url"]: row for row in coming if row["url"] not in known}
    for row in new.values():
        row |= {column: value for column, value in said.items() if value}
        row["category_description"] = CATEGORIES.get(row["category_code"], "")
        row["date_added"], row["source"] = str(day), row["source"] or "own"
    return _written([*rows, *new.values()]), len(new), problems


def _row(target: Target) -> dict[str, str]:
    return {
        "url": target.url,
        "category_code": target.category,
        "category_description": CATEGORIES.get(target.category, ""),
        "date_added": target.date_added,
        "source": target.source,
        "notes": target.notes,
        "risk": target.risk,
        "risk_reason": "",
        **dict(target.attributes),
    }


def _written(rows: Sequence[dict[str, str]]) -> bytes:
    columns = dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()
