"""``docs/hypotheses.md``, written from a country's hypotheses, so that it cannot be wrong.

``python -m analysis.regime.hypotheses_document FILE NAME|DIR [--check]``
"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

import msgspec

from analysis.regime import read
from analysis.regime.load import load
from analysis.regime.query import NOT_ATTRIBUTION, Hypothesis, hypotheses

_INTRODUCTION = """# Hypotheses about the regime: {name}

Written by `python -m analysis.regime.hypotheses_document docs/hypotheses.md {id}`; do not edit.
Each hypothesis is a file in `analysis/regime/{id}/hypotheses/`, whose format is in the README
beside them. `zond regime` says the state of each over a database or a dataset.

{not_attribution}

## How a state comes about

A hypothesis asks one query for its *cases*: the events, targets, networks or days to which its
prediction applies. Each case is held against criteria that are true, false or unknown:

1. where another explanation fits (a confounder), the case is set aside, and says which;
2. else, where a criterion is false, the case is against the hypothesis;
3. else, where a criterion is unknown, the case is open, and what is missing is named;
4. else it is for it.

With two thirds of the decided cases for it the hypothesis is `consistent`, with at most one
third `contradicts`, and between them, or with no decided case, `cannot_tell`; so it is as well
where the cases against it are less than a tenth of those that are not set aside, since one
false alarm makes a case against, while a case for needs all of its evidence. What is missing is
what the case that is nearest to a decision lacks; without a case, what makes one.

Thresholds and their reasons stand as comments before each query. `tests/regime/` tells, for each
hypothesis, a history in which it holds, histories in which it is false or cannot be told, and
histories in which another explanation alone is there; it alters each thing that the
evidence needed names, and demands that the state changes. `bench/hypotheses.py` asks all of
them of a million verdicts of noise.
"""
_TESTS = """## Tests

What was tried beside the verdict, in the table `tests`: the value of `test`, what `result` and
`value` then are, and who produces it. *Evidence*, *ladder* and *services* come out of what the
probe, or OONI's, measures (`analysis.dataset`); what is *brought* comes from whoever has
it, as rows of the same table.
"""


class Test(msgspec.Struct, frozen=True, kw_only=True):
    """One value of `test` in the table of tests."""

    test: str
    means: str
    result: str
    value: str = ""
    producer: str


def vocabulary() -> list[Test]:
    """All values of `test` that hypotheses ask for."""
    file = files("analysis.regime") / "vocabulary.csv"
    return read.rows(read.text_of(file), Test, file.name)


def asked_tests(hypothesis: Hypothesis) -> list[str]:
    """The tests that *hypothesis* asks for, by name."""
    words = set(re.findall(r"'([a-z0-9_]+)'", hypothesis.cases))
    return [test.test for test in vocabulary() if test.test in words]


def asked_tables(hypothesis: Hypothesis, known: Iterable[str]) -> list[str]:
    """Those of the *known* tables that *hypothesis* reads."""
    words = set(re.findall(r"(?:FROM|JOIN)\s+([a-z_]+)", hypothesis.cases))
    return [name for name in known if name in words]


TABLES = (
    "verdicts", "tests", "events", "event_parts", "networks", "calendar", "announcements",
    "registers", "zones", "registrations", "outages", "connectivity", "relays", "notices",
    "hosting", "name_servers", "mirrors",
)  # fmt: skip


def text(country: str | Path) -> str:
    """The page for *country*, as Markdown."""
    about = load(country).country
    found = hypotheses(country)
    parts = [
        _INTRODUCTION.format(name=about.name, id=about.id, not_attribution=NOT_ATTRIBUTION),
        "## All of them\n",
        "| id | title | tables | tests |\n| --- | --- | --- | --- |",
        *(
            f"| [{h.id}](#{h.id.lower()}) | {_cell(h.title)} | {', '.join(asked_tables(h, TABLES))}"
            f" | {', '.join(asked_tests(h))} |"
            for h in found
        ),
        "",
        *(_section(h) for h in found),
        _TESTS,
        "| test | means | result | value | produced by |\n| --- | --- | --- | --- | --- |",
        *(
            f"| `{t.test}` | {_cell(t.means)} | {_cell(t.result)} | {t.value} | {t.producer} |"
            for t in vocabulary()
        ),
    ]
    return "\n".join(parts) + "\n"


def _section(h: Hypothesis) -> str:
    lines = [
        f"## {h.id}\n",
        f"**{h.title}.**\n",
        f"- Basis: {h.legal_basis}." + (f" ({', '.join(h.instruments)})" if h.instruments else ""),
        f"- Prediction: {h.prediction}.",
        f"- Falsified if: {h.falsified_if}.",
        f"- What `consistent` means: {h.consistent_means}.",
        f"- A case: {h.no_case}.",
        f"- Documented examples: {', '.join(h.exemplars) or 'none'}. Source: {h.source}.\n",
        "| criterion | evidence needed | as predicted | against it |\n| --- | --- | --- | --- |",
        *(
            f"| `{c.id}` | {_cell(c.need)} | {_cell(c.true)} | {_cell(c.false)} |"
            for c in h.criteria
        ),
        "",
    ]
    if h.confounders:
        lines += ["Set aside where:\n", *(f"- {c.what};" for c in h.confounders), ""]
    if h.confounders_in_words:
        lines += [f"Other explanations that are kept in mind: {_listed(h.confounders_in_words)}.\n"]
    return "\n".join(lines)


def _listed(words: Sequence[str]) -> str:
    return "; ".join(words)


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page, or with ``--check`` say whether it is current."""
    parser = ArgumentParser(description="Write the page of the hypotheses.")
    parser.add_argument("file", type=Path)
    parser.add_argument("country")
    parser.add_argument("--check", action="store_true")
    wanted = parser.parse_args(argv)
    folder = Path(wanted.country)
    page = text(folder if folder.is_dir() else wanted.country)
    if wanted.check:
        return 0 if wanted.file.read_text(encoding="utf-8") == page else 1
    wanted.file.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
