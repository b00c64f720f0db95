"""All rules as one query: what DuckDB is asked of the rows of observations.

Ibis makes it from the rules. That takes half a second of a laptop's processor and several of a
small device's, more than asking it of some hundred rows; so the query is written down beside the
data, under the version of the rules it was made of, and made anew only where that differs.
``python -m analysis.question`` writes it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import ibis  # type: ignore[import-untyped]  # Ibis ships no types

from analysis.observations import describe
from analysis.rules import RULES, RULES_VERSION

ASKED = "observations"  # the rows, to the engine
_TYPES = {"str": "string", "int": "int64", "float": "float64", "bool": "boolean"}
_NAME = "question.sql"


def schema() -> ibis.Schema:
    """The types of the columns, in Ibis' words; ``row`` numbers the rows."""
    columns = {name: _TYPES[kind] for name, (kind, _) in describe().items()}
    return ibis.schema({"row": "int64", **columns})


@cache
def question() -> str:
    """``row``, and for each of `RULES` whether it fires; the rows come in any order."""
    written = (files("analysis") / "data" / _NAME).read_text(encoding="utf-8")
    return written if written.startswith(_head()) else made()


def made() -> str:
    """The question, from the rules themselves."""
    fired = {rule.id: rule.when.fill_null(False) for rule in RULES}
    table = ibis.table(schema(), name=ASKED)
    query = ibis.to_sql(table.select("row", **fired), dialect="duckdb")
    return f"{_head()}{query}\n"


def _head() -> str:
    return f"-- Written by python -m analysis.question; rules {RULES_VERSION}\n"


if __name__ == "__main__":
    (Path(__file__).parent / "data" / _NAME).write_text(made(), encoding="utf-8")
