"""The rules for lists that others will read: each is broken once, and is seen."""

from __future__ import annotations

from datetime import date

import pytest

from testlists import Shelf
from testlists.lint import CITIZEN_LAB, OURS, lint, lint_together
from testlists.panels import PINNED

TODAY = date(2026, 11, 22)
THEIRS = ",".join(CITIZEN_LAB) + "\n"
GOOD_THEIRS = "https://example.com/,NEWS,News Media,2014-04-15,citizenlab,\n"
HEAD = ",".join(OURS) + "\n"
GOOD = "https://example.com/,NEWS,News Media,2026-11-22,own,why,low,ordinary\n"


def said(content: str | bytes) -> list[str]:
    raw = content if isinstance(content, bytes) else content.encode()
    return [str(problem) for problem in lint(raw, "x", today=TODAY)]


def test_a_good_list_of_theirs_and_of_ours_has_no_problems() -> None:
    assert [] == said(THEIRS + GOOD_THEIRS)
    assert [] == said(HEAD + GOOD)


def test_a_service_has_columns_of_its_own() -> None:
    head = HEAD.replace("\n", ",fingerprint,or_port6\n")
    line = "tor://192.99.11.54:9001," + GOOD.split(",", 1)[1].strip() + ",ABCD,\n"
    assert [] == said(head + line)
    assert ["line 1: a column named 'Or Port'"] == said(head.replace("or_port6", "Or Port") + line)


BAD: dict[str, tuple[str | bytes, str]] = {
    "another heading": (HEAD.replace("notes", "note") + GOOD, "line 1: the heading is not url,"),
    "a column less": (HEAD + GOOD.replace(",ordinary", ""), "line 2: 7 columns where the heading"),
    "no scheme": (HEAD + GOOD.replace("https://", ""), "line 2: no scheme; write https://"),
    "a bare host": (HEAD + GOOD.replace(".com/", ".com"), "line 2: no path: a bare host ends in"),
    "a backslash": (HEAD + GOOD.replace("why", "w\\hy"), "line 2: a tab or a backslash in notes"),
    "a tab": (HEAD + GOOD.replace("why", "w\thy"), "line 2: a tab or a backslash in notes"),
    "a space": (HEAD + GOOD.replace("why", " why"), "line 2: spaces around notes"),
    "a strange code": (HEAD + GOOD.replace("NEWS", "NOPE"), "line 2: unknown category 'NOPE'"),
    "a small code": (HEAD + GOOD.replace("NEWS", "news"), "line 2: category in small"),
    "no code": (HEAD + GOOD.replace("NEWS", ""), "line 2: no category"),
    "another description": (
        HEAD + GOOD.replace("News Media", "Newspapers"),
        "line 2: NEWS is described as 'Newspapers', and is 'News Media'",
    ),
    "another date": (HEAD + GOOD.replace("2026-11-22", "22.11.2026"), "line 2: '22.11.2026' is no"),
    "a short date": (HEAD + GOOD.replace("2026-11-22", "20261122"), "line 2: '20261122' is no"),
    "no such day": (HEAD + GOOD.replace("2026-11-22", "2026-02-30"), "line 2: '2026-02-30' is no"),
    "the future": (HEAD + GOOD.replace("2026", "2062"), "line 2: 2062-11-22 is in the future"),
    "twice": (HEAD + GOOD + GOOD, "line 3: https://example.com/ is already on line 2"),
    "twice, not the same": (HEAD + GOOD + GOOD.replace("e.com", "E.COM:443"), "line 3: https://ex"),
    "no risk": (HEAD + GOOD.replace(",low,", ",,"), "line 2: no risk"),
    "no source": (HEAD + GOOD.replace(",own,", ",,"), "line 2: no source"),
    "no reason": (HEAD + GOOD.replace("ordinary", ""), "line 2: no reason '' for a risk: extrem"),
    "a reason of another risk": (
        HEAD + GOOD.replace("low", "high"),
        "line 2: risk high, for a reason (ordinary) of low risk",
    ),
    "not UTF-8": ((HEAD + GOOD).encode().replace(b"why", b"\xff"), "line 2: not UTF-8"),
    "a mark": ("\ufeff" + HEAD + GOOD, "line 1: a byte order mark"),
    "DOS": ((HEAD + GOOD).replace("\n", "\r\n"), "line 1: a carriage return"),
    "nothing": ("\n# a comment\n", "an empty list"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_broken_rule_is_said_with_its_line(name: str) -> None:
    content, expected = BAD[name]
    found = said(content)
    assert any(problem.startswith(expected) for problem in found), found


def test_a_target_is_on_one_of_the_lists_that_are_measured_together() -> None:
    other = HEAD + GOOD.replace("https", "http")
    found = lint_together({"by": (HEAD + GOOD).encode(), "global": (other + GOOD).encode()})
    reason = "line 3: https://example.com/ is on the list by as well"
    assert {"by": [], "global": [reason]} == {n: [str(p) for p in ps] for n, ps in found.items()}


@pytest.mark.parametrize("edit", ["added", "removed"])
def test_a_panel_that_was_edited_is_seen(edit: str) -> None:
    (name,) = PINNED
    content = Shelf().book(name).content.decode()
    lines = content.splitlines(keepends=True)
    edited = content + GOOD if edit == "added" else "".join(lines[:-1])
    (problem,) = lint(edited.encode(), name)
    assert problem.reason.startswith(f"{name} is a panel, and never changes")


def test_the_risk_in_a_panel_may_be_judged_anew() -> None:
    (name,) = PINNED
    content = Shelf().book(name).content.replace(b",low,ordinary", b",medium,opinion")
    assert [] == lint(content, name)
