"""Everything that a database or a dataset says together, each step made when it is asked for.

verdicts -> parts -> events -> what the regime's documents say of them, and of the
hypotheses. Nothing here decides; it only joins the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ibis  # type: ignore[import-untyped]  # Ibis ships no types

from analysis.dataset import manifest
from analysis.dataset.marked import Weight, any_marked
from analysis.dataset.tables import own, test_table, verdict_table
from analysis.engines import asked, duckdb
from analysis.history.changes import parts
from analysis.history.event import Event, Part
from analysis.history.events import events
from analysis.regime.documents import Regime
from analysis.regime.findings import EventFindings, all_findings
from analysis.regime.load import load, outside_of
from analysis.regime.outside import Outside, together
from analysis.regime.query import Result, hypotheses, judge_all
from analysis.regime.tables import outside_tables, regime_tables
from analysis.regime.workspace import Workspace
from analysis.service_witnesses import witnessed


class History:
    """What *source* (a database's path, or a dataset's folder) says, beside the regime of
    *country* (a name, or a folder) and what is known from *outside* beside its documents.

    *known*: events of an earlier run, whose ids are kept. *marked*: the weight of what the
    collector of a dataset marked (`analysis.dataset.marked`). Raises `StoreError`,
    `DatasetError` and `DataError` (a regime that cannot be read) where a step needs it.
    """

    def __init__(
        self, source: Path, country: str | Path, *, outside: Outside | None = None,
        known: Sequence[Event] = (), marked: Weight = "one_probe",
    ) -> None:  # fmt: skip
        self._source = source
        self._country = country
        self._more = outside or {}
        self._known = known
        self._marked = marked

    @cached_property
    def verdicts(self) -> Any:
        """The verdict table, with what probes elsewhere say of services that were in doubt."""
        if self._source.is_dir():
            return verdict_table(self._source, marked=self._marked)
        rows = verdict_table(self._source)
        return ibis.memtable(own().answered(asked(witnessed, rows.schema()), rows))

    @cached_property
    def tests(self) -> Any:
        """The table of what was tried beside."""
        if self._source.is_dir():
            return test_table(self._source, marked=self._marked)
        return test_table(self._source)

    @cached_property
    def regime(self) -> Regime:
        """The documents of the country."""
        return load(self._country)

    @cached_property
    def outside(self) -> Outside:
        """What is known from outside: of the documents, and what was imported."""
        return together((outside_of(self._country), self._more))

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """What each series shows."""
        return parts(self.verdicts)

    @cached_property
    def events(self) -> list[Event]:
        """One for each real thing, by onset."""
        return events(
            self.verdicts, self.parts, self.regime.networks, country=self.regime.country.cc,
            known=self._known,
        )  # fmt: skip

    @cached_property
    def findings(self) -> list[EventFindings]:
        """What the documents say of each event, in the events' order."""
        return all_findings(self.events, self.regime, self.outside)

    def hypotheses(self, ids: Sequence[str] = ()) -> list[Result]:
        """The state of the hypotheses *ids*; of all where none is named."""
        chosen = [h for h in hypotheses(self._country) if not ids or h.id in ids]
        with self._rows() as (verdicts, tests), Workspace(
            verdicts=verdicts, tests=tests, events=self.events, tables=self._tables
        ) as workspace:
            return judge_all(chosen, workspace, self.regime)

    @contextmanager
    def _rows(self) -> Iterator[tuple[Any, Any]]:
        """Verdicts and tests as queries take them: a dataset's where they lie, or, where
        something of it is weighed, in files for a while."""
        if not self._source.is_dir():
            yield self.verdicts, self.tests
        elif self._marked == "full" or not any_marked(self._source):
            found = manifest.load(self._source)
            yield (
                manifest.paths(self._source, found.verdicts),
                manifest.paths(self._source, found.tests),
            )
        else:
            with TemporaryDirectory(prefix="zond-") as folder, duckdb() as engine:
                verdicts, tests = Path(folder) / "verdicts", Path(folder) / "tests"
                engine.write(verdict_table(self._source, engine, marked=self._marked), verdicts)
                engine.write(test_table(self._source, engine, marked=self._marked), tests)
                yield verdicts, tests

    @cached_property
    def _tables(self) -> Mapping[str, Any]:
        hours = self.regime.country.utc_offset_hours
        return regime_tables(self.regime) | outside_tables(self.outside, hours)
