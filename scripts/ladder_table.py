"""Writes the table of the ladder's rungs into a page, between its two marks.

    python scripts/ladder_table.py docs/diagnosis.md [--check]

--check changes nothing and fails where the page is not current.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

from probe.ladder.rung import PHASES, REGISTRY, Layer, rungs

BEGIN, END = "<!-- rungs -->", "<!-- /rungs -->"


def table() -> str:
    """One line for each rung, in the order in which they are climbed."""
    for layer in get_args(Layer):
        rungs(layer)  # finds them
    order = sorted(REGISTRY.values(), key=lambda r: (PHASES.index(r.phase), r.id))
    lines = ["| phase | rung | asks | of |", "|---|---|---|---|"]
    lines += [
        f"| {r.phase} | `{r.id}` | {r.asks} | {', '.join(sorted(r.of))} |" for r in order
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    path = Path(next(a for a in arguments if a != "--check"))
    page = path.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    current = f"{before}{BEGIN}\n{table()}\n{END}{after}"
    if "--check" in arguments:
        if page != current:
            print(f"{path} is not current: run python scripts/ladder_table.py {path}")
        return int(page != current)
    path.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
