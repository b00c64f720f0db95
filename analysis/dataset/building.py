"""Building a dataset: documents to observations side by side, observations to verdicts.

Rule: only what has changed is done again, and doing it again changes nothing. A new
derivation of the fields derives again; new rules, weights or fingerprints judge again, within
the engine, without the documents.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import filelock

from analysis import engines, probability
from analysis.dataset.columns import PARTITION, form, observed, verdict_rows
from analysis.dataset.derive import Share, derivation, derive, shares
from analysis.dataset.manifest import (
    DatasetError,
    Files,
    Manifest,
    begin,
    save,
    sweep,
)
from analysis.dataset.merged import cut_out
from analysis.dataset.witnessing import signature as witnessing
from analysis.dataset.witnessing import witness_all
from analysis.engines import Engine, Table, asked
from analysis.rules import RULES_VERSION
from probe.store import Store

JUDGED_AT_ONCE = 1_000_000  # rows in one query: what several small partitions share is planned once
PARTITIONS_AT_ONCE = 64  # files that the engine writes side by side
FEW = 2_000  # measurements, which are done before another process has begun
SAVED_EVERY = 50  # shares: what a kill makes us do again

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Built:
    """What a build did: shares of the store that were *derived*, or *kept* as they were;
    *observations* in the dataset, partitions that were *judged*, those of them and of others in
    which probes elsewhere decided something anew (*witnessed*), and *problems*: runs that could
    not be read, a line each."""

    derived: int
    kept: int
    judged: int
    witnessed: int
    observations: int
    problems: tuple[str, ...]


def build(
    source: Path | Store, out: Path, *, engine: Engine | None = None, workers: int = 0,
    progress: Progress | None = None,
) -> Built:  # fmt: skip
    """Bring the dataset in the folder *out* up to date with the store at *source*.

    Several stores may be built into one dataset, one after the other. *workers* processes
    derive (0: as many as cores); *progress* is told what is done: a word, how many, of how
    many. Raises `StoreError`, `DatasetError` (also where another build is at work there).
    """
    with alone(out):
        manifest = begin(out)
        derived, kept = _observe(source, out, manifest, workers, progress)
        judged, witnessed = judge_all(out, manifest, engine, progress)
        sweep(out, manifest)
    files = manifest.observations.values()
    return Built(
        derived=derived, kept=kept, judged=judged, witnessed=witnessed,
        observations=sum(f.rows for f in files),
        problems=tuple(problem for f in files for problem in f.problems),
    )


def rejudge(out: Path, *, engine: Engine | None = None, progress: Progress | None = None) -> int:
    """Judge what is in the dataset at *out* with the rules of this version; how many
    partitions that were. Raises `DatasetError`."""
    with alone(out):
        manifest = begin(out)
        judged, _witnessed = judge_all(out, manifest, engine, progress)
        sweep(out, manifest)
    return judged


def _observe(
    source: Path | Store, out: Path, manifest: Manifest, workers: int, progress: Progress | None
) -> tuple[int, int]:
    if isinstance(source, Store):
        wanted = shares(source)
    else:
        with Store(source) as store:
            wanted = shares(store)
    stale = [share for share in wanted if not _current(share, out, manifest)]
    if wanted:
        cut_out(out, manifest, _gone(manifest, wanted))
    new: dict[str, tuple[Files, Files]] = {}
    for done, (share, files) in enumerate(_derived(stale, out, workers), 1):
        new[share.key] = files
        if done % SAVED_EVERY == 0:
            _enter(out, manifest, new)
        if progress is not None:
            progress("observations", done, len(stale))
    _enter(out, manifest, new)
    return len(stale), len(wanted) - len(stale)


def _enter(out: Path, manifest: Manifest, new: dict[str, tuple[Files, Files]]) -> None:
    """Put the shares that are *new* in the place of what they were, and save."""
    cut_out(out, manifest, new)
    for key, (observations, tests) in new.items():
        manifest.observations[key] = observations
        manifest.tests[key] = tests
    new.clear()
    save(out, manifest)


def _current(share: Share, out: Path, manifest: Manifest) -> bool:
    found = manifest.observations.get(share.key)
    if found is None or found.signature != share.signature:
        return False
    files = (*found.files, *manifest.tests.get(share.key, found).files)
    return all((out / name).exists() for name in files)


def _gone(manifest: Manifest, wanted: list[Share]) -> set[str]:
    """What this store had once and has no more; other stores' shares stay."""
    store = wanted[0].key.partition("/")[0]
    there = manifest.observations.keys() | manifest.tests.keys()
    return {key for key in there if key.partition("/")[0] == store} - {s.key for s in wanted}


def _derived(
    stale: list[Share], out: Path, workers: int
) -> Iterator[tuple[Share, tuple[Files, Files]]]:
    workers = min(workers or os.cpu_count() or 1, len(stale))
    if workers <= 1 or sum(share.size for share in stale) < FEW:
        yield from ((share, derive(share, out)) for share in stale)
        return
    # Not forked: the engine's threads would be lost in the copy.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        asked: dict[Future[tuple[Files, Files]], Share] = {
            pool.submit(derive, share, out): share
            for share in sorted(stale, key=lambda s: s.size, reverse=True)
        }
        for future in as_completed(asked):
            yield asked[future], future.result()


def judge_all(
    out: Path, manifest: Manifest, engine: Engine | None, progress: Progress | None
) -> tuple[int, int]:
    """Judge the partitions whose observations or rules have changed, then let probes elsewhere
    decide what is in doubt; in how many partitions that changed something."""
    by = partitions(manifest)
    wanted = {partition: judgement(files) for partition, files in by.items()}
    stale = {
        partition: rows
        for partition, (signature, rows) in wanted.items()
        if not is_judged(out, manifest.verdicts.get(partition), signature)
    }
    for partition in set(manifest.verdicts) - set(by):
        del manifest.verdicts[partition]
    witnessed = 0
    if stale or manifest.witnessed != witnessing(out, manifest):
        with _given(engine, out) as given:
            _judge_stale(out, manifest, given, stale, by, wanted, progress)
            witnessed = witness_all(out, manifest, given)
    save(out, manifest)
    return len(stale), witnessed


def _judge_stale(
    out: Path, manifest: Manifest, engine: Engine, stale: dict[str, int],
    by: dict[str, list[Files]], wanted: dict[str, tuple[str, int]], progress: Progress | None,
) -> None:  # fmt: skip
    done = 0
    for batch in _batches(stale):
        written = _judge(out, engine, [f for p in batch for f in by[p]], _date(batch[0]))
        for partition in batch:
            signature, rows = wanted[partition]
            names = _placed(out, written / partition, partition, signature)
            manifest.verdicts[partition] = Files(signature=signature, files=names, rows=rows)
        shutil.rmtree(written)
        save(out, manifest)
        done += len(batch)
        if progress is not None:
            progress("verdicts", done, len(stale))


def partitions(manifest: Manifest) -> dict[str, list[Files]]:
    """The shares whose observations lie in each partition: of a day, or, compacted, a month."""
    by: dict[str, list[Files]] = {}
    for files in manifest.observations.values():
        for name in files.files:
            by.setdefault("/".join(Path(name).parts[1:-1]), []).append(files)
    return by


def rules_signature() -> str:
    """Changes with whatever a verdict depends on beside the observation."""
    return hashlib.sha256(f"{RULES_VERSION}\n{probability.fitted()!r}".encode()).hexdigest()


def judgement(files: Iterable[Files]) -> tuple[str, int]:
    """What the verdicts of a partition depend on, and how many they are."""
    of = sorted(f.signature for f in files)
    digest = hashlib.sha256("\n".join([rules_signature(), derivation(), *of]).encode())
    return digest.hexdigest()[:32], sum(f.rows for f in files)


def is_judged(out: Path, found: Files | None, signature: str) -> bool:
    return (
        found is not None and found.signature == signature
        and all((out / name).exists() for name in found.files)
    )  # fmt: skip


def _batches(stale: dict[str, int]) -> Iterator[list[str]]:
    batch: list[str] = []
    rows = 0
    for partition in sorted(stale, key=lambda name: (len(_date(name)), name)):
        if batch and (
            rows + stale[partition] > JUDGED_AT_ONCE or len(batch) == PARTITIONS_AT_ONCE
            or len(_date(partition)) != len(_date(batch[0]))
        ):  # fmt: skip
            yield batch
            batch, rows = [], 0
        batch.append(partition)
        rows += stale[partition]
    if batch:
        yield batch


def _date(partition: str) -> str:
    """The day (``2026-11-22``) or month of *partition*."""
    return partition.partition("/")[0].removeprefix("date=")


def _judge(out: Path, engine: Engine, of: Iterable[Files], date: str) -> Path:
    """Judge these files into a folder of their own, with a folder for each partition; they are of
    days or of months, as *date* is."""
    temporary = out / ".judging"
    shutil.rmtree(temporary, ignore_errors=True)
    of = list(of)
    paths = sorted({out / name for files in of for name in files.files})
    table = observed(engine, paths, same=all(files.form == form() for files in of))
    question = asked(_partitioned, table.schema(), len(date))
    engine.write(table, temporary, by=PARTITION, question=question)
    return temporary


def _partitioned(observations: Table, letters: int) -> Table:
    """The verdicts of *observations*, with their partition; its date has so many letters."""
    table = verdict_rows(observations, beside=PARTITION)
    return table.mutate(date=table.date.substr(0, letters))


def _placed(out: Path, written: Path, partition: str, signature: str) -> tuple[str, ...]:
    """Move the files of one partition to their place, under names that were not there."""
    names = []
    for number, path in enumerate(sorted(written.glob("*.parquet"))):
        name = f"verdicts/{partition}/{signature[:12]}-{number}.parquet"
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, out / name)
        names.append(name)
    return tuple(names)


@contextmanager
def _given(engine: Engine | None, out: Path) -> Iterator[Engine]:
    if engine is not None:
        yield engine
    else:
        with engines.duckdb(spill=out / ".spill") as started:
            yield started


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Nobody else builds in *out* meanwhile. Raises `DatasetError`.

    A folder that is made here is its owner's alone: what somebody measured at home is in it.
    """
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with filelock.FileLock(out / ".lock", timeout=0):
            yield
    except filelock.Timeout as exc:
        raise DatasetError(f"another build is at work in {out}") from exc
