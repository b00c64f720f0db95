"""The table of the situations of Tor in ``docs/tor.md``, written from the situations themselves.

``python -m lab.tor.page docs/tor.md``
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from lab.score import truth_text
from lab.worlds.tor import SCENES, Condition

BEGIN, END = "<!-- situations: python -m lab.tor.page -->", "<!-- end of situations -->"


def table() -> str:
    """One row for each condition: what is so, and what is true of each kind of target."""
    lines = ["| situation | what is so | what is true |", "|---|---|---|"]
    for scene in SCENES.values():
        for condition in scene.conditions:
            truths = "; ".join(_truths(condition))
            lines.append(f"| `{scene.name}/{condition.name}` | {condition.note} | {truths} |")
    return "\n".join(lines)


def _truths(condition: Condition) -> Iterator[str]:
    found: dict[str, int] = {}
    for url, truth in condition.truths.items():
        word = url.partition("://")[2]
        what = f"`{url}`" if word.isalnum() else ""
        by = f" (by {' or '.join(sorted(truth.trigger))})" if truth.trigger else ""
        text = f"{truth_text(truth)}{by}"
        key = f"{what}: {text}" if what else text
        found[key] = found.get(key, 0) + 1
    for text, count in found.items():
        yield text if text.startswith("`") else f"{count} × {text}"


def written(page: str) -> str:
    """*page* with the table as it is now. Raises ValueError where it has no place for one."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the page has no place for the situations")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
