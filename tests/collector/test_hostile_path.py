"""Every measurement arrives once, whatever the path and the power do.

The seed is fixed: what the path does to which request still depends on who comes first.
Larger and with other seeds: ``python -m bench.hostile_path``.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from analysis.dataset.collect import STORE, collect
from probe.store import Store
from tests.collector.hostile import FAULTS
from tests.collector.trials import Trial, decoded, zond_upload

SECONDS = 900.0  # a busy machine's time; a quiet one needs a twentieth


async def test_200_batches_arrive_once_and_as_they_were(tmp_path: Path) -> None:
    trial = Trial(tmp_path, seed=2026, now=time.time())
    assert await trial.run(zond_upload, SECONDS), (trial.path.counts, trial.killed)

    held = trial.held()
    assert len(held) == trial.volunteers * trial.batches
    assert set(held) == trial.made()
    measurements, checks, _ = decoded([d for documents in held.values() for d in documents])
    assert Counter(m.id for m in measurements) == Counter(trial.measured.keys())
    assert len(checks) == trial.checks
    for found in measurements:
        measured = trial.measured[found.id]
        assert (found.url, found.run_id, found.evidence, found.runtime) == (
            measured.url, measured.run_id, measured.evidence, measured.runtime,
        )  # fmt: skip

    # And so it is in the dataset, which may ask again.
    dataset = tmp_path / "dataset"
    taken = collect(trial.data, dataset)
    assert (taken.measurements, dict(taken.left_out)) == (len(trial.measured), {})
    assert collect(trial.data, dataset).measurements == 0
    with Store(dataset / STORE) as store:
        evidence = Counter(m.evidence for m in store.measurements())
    assert evidence == Counter(m.evidence for m in trial.measured.values())

    # Who was made to send a thing twice is no forger.
    assert not trial.marks() & {"same_id", "same_evidence", "same_document"}

    assert set(FAULTS) <= set(trial.path.counts), "this path was not hostile enough"
    assert trial.killed["client"] >= 3
    assert trial.killed["collector"] >= 3
