"""The dataset of observations and verdicts, as Parquet: derived, and rebuilt from documents.

``build(store, out)`` makes it or brings it up to date; `verdict_table`, `test_table` and
`observation_table` are its tables, for any engine. Layout of the folder::

    manifest.json                                what counts (`analysis.dataset.manifest`)
    observations/date=2026-11-22/cc=BY/….parquet columns of `Observation`, and `Beside`
    tests/date=2026-11-22/cc=BY/….parquet        columns of `TestRow`
    verdicts/date=2026-11-22/cc=BY/….parquet     columns of `VerdictRow`

The date is that on which the run began, UTC; the column ``day`` is that of the measurement.
"""

from analysis.dataset.building import Built, build, rejudge
from analysis.dataset.manifest import DatasetError
from analysis.dataset.tables import observation_table, test_table, verdict_table

__all__ = [
    "Built", "DatasetError", "build", "observation_table", "rejudge", "test_table",
    "verdict_table",
]  # fmt: skip
