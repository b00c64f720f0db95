"""docs/dataset.md: its columns are those of the structs, and its queries run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analysis.dataset.coarse import Cell
from analysis.dataset.query import Queries, column_docs, documented, markdown

PAGE = Path(__file__).parents[2] / "docs" / "dataset.md"


def test_the_columns_are_generated() -> None:
    parts = [f"### Published: cells\n\n{markdown(column_docs(Cell))}"] + [
        f"### `{view}`\n\n{markdown(columns)}" for view, columns in documented().items()
    ]
    text = PAGE.read_text()
    begins = text.index("## Columns\n")
    # To write them anew: put what is expected here in the place of that chapter.
    assert "## Columns\n\n" + "\n".join(parts) == text[begins:]


@pytest.mark.parametrize("sql", re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.S))
def test_its_queries_run(sql: str, tmp_path: Path) -> None:
    with Queries(tmp_path) as queries:
        assert queries.ask(sql).num_rows == 0


def test_there_are_queries() -> None:
    assert len(re.findall(r"```sql\n", PAGE.read_text())) >= 4
