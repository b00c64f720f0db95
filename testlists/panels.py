"""Continuity panels: lists that never change.

Rule: a trend over lists that are edited is a trend of the editing. A panel is chosen once,
by class and not by what is blocked today, and is the same on every device for as long as the
series is to be compared; entries that die stay, for a site that is gone is gone for everybody
and does not look like a change of policy. Who wants other targets makes another panel, with
another year in its name. The pin is a hash of the URLs: the risk of an
entry may be judged anew, since a series is worth less than a person.
"""

from __future__ import annotations

import hashlib

from testlists.parsing import parse

PINNED = {
    "by-panel-2026": "c6d4c8d45a4a129b75d4c6696a0aabbdb862206b680869cc8f7a063c53a7a468",
}


def altered(name: str, content: bytes) -> list[str]:
    """In which way the panel *name* is not what it always was; empty for any other list."""
    if name not in PINNED or pin(content) == PINNED[name]:
        return []
    return [f"{name} is a panel, and never changes: make another one with another name"]


def pin(content: bytes) -> str:
    """The hash of a panel's URLs, in hex, whatever their order."""
    urls = sorted(target.url for target in parse(content, "")[0])
    return hashlib.sha256("\n".join(urls).encode()).hexdigest()
