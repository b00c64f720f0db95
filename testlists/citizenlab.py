"""Citizen Lab's test lists, taken in by the user who has them.

They are licensed CC BY-NC-SA 4.0: not for commerce, and what is made from them only under the
same terms. So zond carries none of them and mixes none into its own. What is imported is kept
apart, under a name of its own, with the licence, the origin and what was changed written at
its head, as the licence asks; that head goes where the file goes.

What is added is the risk, which their lists do not know: that of our entry for the same host,
else that of the category (`testlists.risks`). Whoever measures a foreign list at home should
not be less careful with it than with ours.
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
            category = row["category_code"].strip().upper()
            reason = known.get(host_of(row["url"])) or usual_reason(category)
            writer.writerow([*row.values(), REASONS[reason].risk, reason])
    return out.getvalue().encode(), problems


def known_reasons(books: Iterable[bytes]) -> dict[str, str]:
    """The reason of the highest risk that lists of ours give for a host, by host."""
    found: dict[str, str] = {}
    for content in books:
        for _, row in records(content):
            host, reason = host_of(row.get("url", "")), row.get("risk_reason", "")
            if host and reason in REASONS and _rank(reason) >= _rank(found.get(host, "ordinary")):
                found[host] = reason
    return found


def host_of(url: str) -> str:
    """The host of *url* without ``www.``; empty where it cannot be measured."""
    try:
        return (urlsplit(normalise(url)).hostname or "").removeprefix("www.")
    except BadURL:
        return ""


def _rank(reason: str) -> int:
    return RISKS.index(REASONS[reason].risk)
