"""``docs/regime.md``, written from a country's data, so that it cannot be wrong.

``python -m analysis.regime.document FILE NAME|DIR [--check]``
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from analysis.regime.documents import Instrument, Regime
from analysis.regime.findings import __doc__ as _how
from analysis.regime.load import load, outside_of
from analysis.regime.outside import KINDS
from analysis.regime.query import NOT_ATTRIBUTION
from analysis.regime.tables import outside_tables, regime_tables

_INTRODUCTION = """# The documented regime: {name}

Written by `python -m analysis.regime.document docs/regime.md {id}`; do not edit. The data are in
`analysis/regime/{id}/`, a row for each thing and a source for each row.

{not_attribution}

{caution}

## How an event is laid beside it

{how}

Each event gets seven findings: *origin* (whose the looks are), *instrument* (what could be the
basis), *pattern* (whether it was done as documented there), *precedent* (whether it is
documented), *announcement* (whether a decision is known, and on which side of the onset),
*clock* (whether the hour of the onset fits those at which the list is read),
*feeds* (whether a feed saw an outage then, or an operator gave notice).
Beside them: who may decide under the instruments, what recourse there is, and whether such
targets usually carry information that may not be restricted.
"""
_ANOTHER = """## Another country

A folder with these files, given as `--country DIR`; no code. `country.toml` and
`networks.csv` must be there, the rest may be missing: `sources.csv`, `actors.toml`,
`instruments.toml`, `grounds.toml` (grounds and categories), `law.toml` (articles and what
may not be restricted), `scores.csv`, `facts.csv` (looks and ways), `documented_events.csv`,
`calendar.csv`, `list_sizes.csv`, `outside/KIND.csv`, `hypotheses/ID.toml`. The fields are
those of `analysis/regime/documents.py` and `analysis/regime/outside.py`; several values in
a cell of CSV are joined by `;`. Dates are `2014`, `2014-08`, `2014-08-14` or
`2014-08-14T01:20`, local unless an offset follows. A reference to nothing, a row without a
source or a date that is none stops the reading with one line. `tests/regime/ruritania` is a
small example.
"""


def text(country: str | Path) -> str:
    """The page for *country*, as Markdown."""
    regime = load(country)
    parts = [
        _INTRODUCTION.format(
            name=regime.country.name, id=regime.country.id, how=_method(),
            not_attribution=NOT_ATTRIBUTION, caution=regime.country.caution.strip(),
        ),
        "## Who\n",
        _table(
            "actor|kind|may|about|confidence|sources",
            (
                (a.name, a.kind, "; ".join(_power(p) for p in a.may), a.about, a.confidence,
                 ", ".join(a.sources))
                for a in regime.actors
            ),
        ),
        "\n## Networks\n",
        _table(
            "AS|name|operator|role|kind|gateways",
            (
                (f"AS{n.asn}", n.name, n.operator, n.role, n.kind,
                 ", ".join(f"AS{g}" for g in n.gateways) or "unknown")
                for n in regime.networks.values()
            ),
        ),
        "\n## Instruments\n",
        _table(
            "instrument|in force|means|grounds|reach|decides|appeal|sources",
            (_instrument(i, regime) for i in regime.instruments),
        ),
        "",
        *(f"- **{i.title}**: {i.about} {i.recourse}".rstrip() for i in regime.instruments),
        "\n## Grounds and categories of targets\n",
        _table(
            "ground|what|political", ((g.id, g.what, _yes(g.political)) for g in regime.grounds)
        ),
        "",
        _table(
            "category|name|grounds|usually carries, of what may not be restricted",
            (
                (c.code, c.name, ", ".join(c.grounds), ", ".join(c.protected))
                for c in regime.categories
            ),
        ),
        "\n## What may not be restricted, and what recourse there is\n",
        _table(
            "article|place|what|id", ((p.article, p.place, p.what, p.id) for p in regime.protected)
        ),
        "",
        *(f"- Article {a.article}: {a.what} {a.bears}" for a in regime.articles),
        "\nHow the law is rated, for requests for information: whether the reason of a restriction"
        " can be learnt and argued with.\n",
        _table(
            "section|indicator|what|points|of|finding|articles|remark",
            (
                (s.section_name, s.indicator or "", s.what, s.points, s.max_points, s.finding,
                 s.article.replace(";", ", "), s.comment)
                for s in regime.scores
                if not s.indicator or "ppeal" in s.section_name or "xception" in s.section_name
            ),
        ),
        "\n## Looks and ways\n",
        _table(
            "id|networks|mechanisms|targets|origin|since|until|meaning|confidence|sources",
            (
                (f.id, ", ".join(f"AS{n}" for n in f.asns) or "any", ", ".join(f.mechanisms),
                 ", ".join(f.categories), f.origin, f.since, f.until, f.meaning, f.confidence,
                 ", ".join(f.sources))
                for f in regime.facts
            ),
        ),
        "\n## Documented events\n",
        _table(
            "id|start|end|target|kind|scope|how|basis|confidence|sources",
            (
                (e.id, e.start, e.end, e.target, e.kind, e.scope, e.how,
                 ", ".join(e.instruments) or e.lawful, e.confidence, ", ".join(e.sources))
                for e in regime.events
            ),
        ),
        "\n## Calendar\n",
        _table(
            "id|start|end|kind|what|networks suffered",
            ((c.id, c.start, c.end, c.kind, c.what, _yes(c.crisis)) for c in regime.calendar),
        ),
        "\n## How much is listed\n",
        _table(
            "as of|entries|of them political|what|sources",
            (
                (s.as_of, s.entries, f"{s.political:.0%}" if s.political >= 0 else "", s.what,
                 ", ".join(s.sources))
                for s in regime.list_sizes
            ),
        ),
        _outside(country),
        _views(regime),
        _ANOTHER,
        "## Sources\n",
        _table(
            "id|title|address|read",
            ((s.id, f"{s.title}{f' ({s.locator})' if s.locator else ''}", s.url, s.read)
             for s in regime.sources),
        ),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _method() -> str:
    paragraphs = (_how or "").strip().split("\n\n")
    return paragraphs[1].replace("\n", " ")


def _outside(country: str | Path) -> str:
    carried = outside_of(country)
    lines = [
        "\n## What is known from outside\n",
        "Dated tables, one kind to a file, each row with its source. Those of the documents are",
        "in `outside/`; others come in by `zond regime import KIND FILE --db FILE`, where a row",
        "that cannot be read is told in one line and the rest count. They lie beside the evidence",
        "in the database and outlive every analysis.\n",
        _table(
            "kind|what|columns (optional ones in brackets)|of the documents",
            (
                (kind, (of.__doc__ or "").strip().split("\n\n")[0].split(". *")[0], _fields(of),
                 len(carried.get(kind, ())))
                for kind, of in KINDS.items()
            ),
        ),
    ]  # fmt: skip
    return "\n".join(lines)


def _views(regime: Regime) -> str:
    tables = regime_tables(regime) | outside_tables({})
    lines = [
        "\n## Tables for hypotheses\n",
        "Beside `verdicts`, `tests`, `events` and `event_parts`. A date `d` has `d_first` and",
        "`d_last`: the POSIX seconds between which it lies, null where it is not known.\n",
        _table("table|columns", ((n, ", ".join(t.column_names)) for n, t in tables.items())),
        "",
    ]
    return "\n".join(lines)


def _fields(of: type[msgspec.Struct]) -> str:
    return ", ".join(
        f.encode_name if f.required else f"[{f.encode_name}]" for f in msgspec.structs.fields(of)
    )


def _instrument(i: Instrument, regime: Regime) -> tuple[Any, ...]:
    names = {a.id: a.name for a in regime.actors}
    reach = f"{i.reach}: {', '.join(i.bound)}" if i.bound else i.reach
    force = f"{i.in_force} to {i.until}" if i.until else i.in_force
    return (
        f"{i.title} (`{i.id}`)", force, ", ".join(i.means), ", ".join(i.grounds), reach,
        "; ".join(names[a] for a in i.decides), i.appeal, ", ".join(i.sources),
    )  # fmt: skip


def _power(power: Any) -> str:
    since = f" since {power.since}" if power.since else ""
    until = f" until {power.until}" if power.until else ""
    return f"{power.what}{since}{until}"


def _yes(value: bool) -> str:
    return "yes" if value else ""


def _table(head: str, rows: Iterable[Sequence[Any]]) -> str:
    names = head.split("|")
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    lines += [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(prog="python -m analysis.regime.document")
    parser.add_argument("file", type=Path)
    parser.add_argument("country")
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args(arguments)
    place = Path(asked.country)
    written = text(place if place.is_dir() else asked.country)
    if not asked.check:
        asked.file.write_text(written, encoding="utf-8")
        return 0
    return 0 if asked.file.read_text(encoding="utf-8") == written else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
