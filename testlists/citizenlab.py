"""Citizen Lab's test lists, taken in by the user who has them.

They are licensed CC BY-NC-SA 4.0: not for commerce, and what is made from them only under the
same terms. So zond carries none of them and mixes none into its own. What is imported is kept
apart, under a name of its own, with the licence, the origin and what was changed written at
its head, as the licence asks; that head goes where the file goes.

What is added is the risk, which their lists do not know: that of our entry for the same page,
else the higher of that for its host and that of its category (`testlists.risks`), since a page
on a large host says more than the host. Whoever measures a foreign list at home should not be
less careful with it than with ours.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from datetime import date
from urllib.parse import urlsplit

from testlists.lint import CITIZEN_LAB, OURS
from testlists.parsing import Problem, parse, records
from testlists.risks import REASONS, usual_reason
from testlists.target import RISKS
from testlists.url import BadURL, normalise

PREFIX = "citizenlab-"
LICENCE = "CC BY-NC-SA 4.0"
_HEAD = """\
# Test list of Citizen Lab and others, https://github.com/citizenlab/test-lists
# Licence: {licence}, https://creativecommons.org/licenses/by-nc-sa/4.0/
# Imported {day} from {file} (SHA-256 {sum}).
# Changed: risk and risk_reason are zond's; lines that could not be read are left out.
"""


class NotCitizenLab(ValueError):
    """The file is no list of theirs. The message is one line."""


def converted(
    content: bytes, file: str, known: Mapping[str, str], day: date
) -> tuple[bytes, list[Problem]]:
    """The list as it is kept, and what is wrong with lines that are left out.

    *file* is what it was called, *known* as `known_reasons` has it. Raises `NotCitizenLab`.
    """
    rows = list(records(content))
    if not rows or tuple(rows[0][1]) != CITIZEN_LAB:
        raise NotCitizenLab(f"no list of Citizen Lab's: its heading is {','.join(CITIZEN_LAB)}")
    targets, problems = parse(content, file)
    if not targets:
        raise NotCitizenLab("no line of it can be read")
    bad = {problem.line for problem in problems}
    out = io.StringIO()
    named = "".join(c if c.isprintable() else "?" for c in file)[:100]
    hashed = hashlib.sha256(content).hexdigest()
    out.write(_HEAD.format(licence=LICENCE, day=day, file=named, sum=hashed))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(OURS)
    for number, row in rows:
        if number not in bad:
            reason = _reason(row["url"], row["category_code"].strip().upper(), known)
            writer.writerow([*row.values(), REASONS[reason].risk, reason])
    return out.getvalue().encode(), problems


def known_reasons(books: Iterable[bytes]) -> dict[str, str]:
    """The reason of the highest risk that lists of ours give for a page and for a host, by either
    as in ``a.example/page`` and ``a.example``."""
    found: dict[str, str] = {}
    for content in books:
        for _, row in records(content):
            reason = row.get("risk_reason", "")
            for place in _places(row.get("url", "")) if reason in REASONS else ():
                found[place] = max(found.get(place, reason), reason, key=_rank)
    return found


def _reason(url: str, category: str, known: Mapping[str, str]) -> str:
    page, host = _places(url)
    usual = usual_reason(category)
    return known.get(page) or max(known.get(host, usual), usual, key=_rank)


def _places(url: str) -> tuple[str, ...]:
    """The page and the host of *url*, whatever its scheme, without ``www.``; none where it
    cannot be measured."""
    try:
        parts = urlsplit(normalise(url))
    except BadURL:
        return ()
    host = (parts.hostname or "").removeprefix("www.")
    return f"{host}{parts.path}{'?' if parts.query else ''}{parts.query}", host


def _rank(reason: str) -> int:
    return RISKS.index(REASONS[reason].risk)
