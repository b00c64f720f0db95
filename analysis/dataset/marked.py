"""What a collector marked, in a question to a dataset: weighed, or left out.

Rule: a mark says that something cannot be, or is suspect, and not who lies. So what is marked is
not thrown away, and all of it together has the weight of one probe: who sends much under many
names has one voice, and an honest probe that was marked is still heard. Whoever wants to see what
rests on it leaves it out, and compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import ibis  # type: ignore[import-untyped]  # Ibis ships no types

from analysis.dataset import catalogue
from analysis.engines import Engine

Table = Any  # Ibis ships no types
Weight = Literal["full", "one_probe", "none"]
ONE_PROBE = "marked"  # in the place of a pseudonym, which is hexadecimal


def any_marked(root: Path) -> bool:
    """Whether a collector marked something in the dataset in *root*."""
    return bool(catalogue.marked(root).num_rows)


def weighed(table: Table, root: Path, engine: Engine, weight: Weight) -> Table:
    """*table*, of the dataset in *root*, in which what was marked has this *weight*: that of any
    other row (``full``), all of one probe together, or ``none``: it is left out."""
    marked = catalogue.marked(root)
    if weight == "full" or not marked.num_rows:
        return table
    found = engine.load(marked)
    if weight == "none":
        return table.anti_join(found, "measurement_id")
    if "probe_id" not in table.columns:
        return table
    rest = table.anti_join(found, "measurement_id")
    suspect = table.semi_join(found, "measurement_id").mutate(
        probe_id=ibis.literal(ONE_PROBE)
    )
    return rest.union(suspect.select(*rest.columns))
