"""``docs/rules.md``, written from the rules themselves, so that it cannot be wrong.

``python -m analysis.document FILE`` writes it, ``--check`` says whether it is current.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.fingerprints import known
from analysis.observations import describe
from analysis.rules import MECHANISMS, OUTCOMES, RULES_VERSION, TRIGGERS, Rule

_INTRODUCTION = """# What the verdicts rest on

Written by `python -m analysis.document docs/rules.md`; do not edit.

A measurement becomes one row (the observation), and the rules are read on the row:
first come the outcomes, of which the first that fires decides, then every mechanism
that fires. A verdict names all rules that fired, the deciding one first, and this
version of the rules: `{version}`.

Silence, a refusal and an unreachable network are also what a dead site shows: they
need two controls that get through. A page or a redirect unlike the controls' needs two,
or one and our own page over a valid certificate. The rest needs one. With one control
a verdict is the same or weaker than with two.
"""


def text() -> str:
    """The page, as Markdown."""
    parts = [
        _INTRODUCTION.format(version=RULES_VERSION),
        "## Outcomes, in order\n",
        _rules(OUTCOMES, "outcome"),
        "\n## Mechanisms\n",
        _rules(MECHANISMS, "mechanism"),
        "\n## Triggers, in order\n",
        _rules(TRIGGERS, "trigger"),
        "\n## The observation\n",
        "| field | type | meaning |\n|---|---|---|",
        *(f"| `{name}` | {kind} | {about} |" for name, (kind, about) in describe().items()),
        "\n## Fingerprints\n",
        "| id | where | match | value | kind | confirms | meaning |\n|---|---|---|---|---|---|---|",
        *(
            f"| {f.id} | {f.field} | {f.match} | `{_cell(f.value)}` | {f.kind}"
            f" | {'needs packets' if f.needs else 'yes' if f.confirms else 'no'}"
            f" | {_cell(f.meaning)} |"
            for f in known()
        ),
    ]
    return "\n".join(parts) + "\n"


def _rules(rules: Sequence[Rule], what: str) -> str:
    lines = [f"| rule | {what} | when | why | source |", "|---|---|---|---|---|"]
    lines += [
        f"| `{r.id}` | {r.outcome or r.mechanism or r.trigger} | `{_cell(_readable(r))}`"
        f" | {r.comment}"
        f" | {r.source} |"
        for r in rules
    ]
    return "\n".join(lines)


def _readable(rule: Rule) -> str:
    shown = repr(rule.when).replace("_.", "")
    return shown[1:-1] if shown.startswith("(") and shown.endswith(")") else shown


def _cell(value: str) -> str:
    return value.replace("|", "\\|")


def main(arguments: Sequence[str]) -> int:
    check = "--check" in arguments
    path = Path(next(a for a in arguments if a != "--check"))
    if check:
        current = path.exists() and path.read_text(encoding="utf-8") == text()
        if not current:
            print(f"{path} is not current: run python -m analysis.document {path}", file=sys.stderr)
        return 0 if current else 1
    path.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
