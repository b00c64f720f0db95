"""Services that are in doubt, judged by what others met at that time, within a dataset.

`analysis.service_witnesses` decides; here its decisions are written into the files of the
verdicts. Who speaks for a row may lie in any file, of another country or of a run that crossed
midnight: so all rows are asked together whenever any has changed, and only the files in which a
decision changes are written again.

Rule: what a collector marked neither speaks for others nor is decided by them, so that leaving
marked rows out of a question leaves no verdict that rests on them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from functools import reduce
from operator import or_
from pathlib import Path

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.dataset as pads  # type: ignore[import-untyped]

from analysis.dataset import catalogue
from analysis.dataset.manifest import Manifest, paths, save
from analysis.engines import Engine
from analysis.service_witnesses import WITNESS_RULES, applied, decisions, undecided

WITNESSING = "2026-11-22"  # changes with the meaning of `WITNESS_RULES`

Decision = tuple[str, str, str, float]  # rule, outcome, manner, how sure
Key = tuple[str, str]  # measurement, URL


def signature(out: Path, manifest: Manifest) -> str:
    """Changes with whatever the decisions of the dataset in *out* depend on."""
    judged = sorted((name, files.signature) for name, files in manifest.verdicts.items())
    marked = catalogue.marked(out)["measurement_id"].to_pylist()
    return hashlib.sha256(msgspec.json.encode((WITNESSING, judged, marked))).hexdigest()[:32]


def witness_all(out: Path, manifest: Manifest, engine: Engine) -> int:
    """Decide anew what is in doubt in the dataset in *out*; how many of its partitions changed."""
    wanted = signature(out, manifest)
    files = paths(out, manifest.verdicts)
    found = _decided(out, files, engine) if files else {}
    changed = {p for p, stale in _differing(files, found).items() if stale}
    partitions = 0
    for partition, of in manifest.verdicts.items():
        if not changed & {out / name for name in of.files}:
            continue
        names: list[str] = []
        for name in of.files:
            stale = out / name in changed
            names += _rewritten(out, name, found, engine, wanted) if stale else [name]
        manifest.verdicts[partition] = msgspec.structs.replace(of, files=tuple(names))
        partitions += 1
    manifest.witnessed = wanted
    save(out, manifest)
    return partitions


def _decided(out: Path, files: list[Path], engine: Engine) -> dict[Key, Decision]:
    rows = undecided(engine.read(files))
    marked = catalogue.marked(out)
    if marked.num_rows:
        rows = rows.anti_join(engine.load(marked), "measurement_id")
    return {
        (row["measurement_id"], row["url"]): (
            row["decided"], row["decision"], row["manner"], row["sure"]
        )
        for row in engine.arrow(decisions(rows)).to_pylist()
    }  # fmt: skip


def _differing(files: list[Path], found: dict[Key, Decision]) -> dict[Path, bool]:
    """Of each file with decisions, there or to be, whether they are others than those *found*."""
    if not files:
        return {}
    ids = pa.array(sorted({id for id, _url in found}), pa.string())
    prefixes = (pc.starts_with(pc.field("rules"), f"{rule.id},") for rule in WITNESS_RULES)
    rows = pads.dataset([str(file) for file in files]).to_table(
        columns=["measurement_id", "url", "outcome", "mechanism", "probability", "rules",
                 "__filename"],
        filter=reduce(or_, prefixes, pc.field("measurement_id").isin(ids)),
    )  # fmt: skip
    known = {rule.id for rule in WITNESS_RULES}
    stale: dict[Path, bool] = {}
    for row in rows.to_pylist():
        rule = row["rules"].partition(",")[0]
        there = None
        if rule in known:
            there = rule, row["outcome"], row["mechanism"], row["probability"]
        wanted = found.get((row["measurement_id"], row["url"]))
        if wanted is not None and wanted[1] != "blocked":
            wanted = wanted[0], wanted[1], "", wanted[3]  # only who accuses says how
        file = Path(row["__filename"])
        stale[file] = stale.get(file, False) or there != wanted
    return stale


def _rewritten(
    out: Path, name: str, found: dict[Key, Decision], engine: Engine, wanted: str
) -> list[str]:
    """Write the file *name* with the decisions *found*, beside the one that is there."""
    temporary = out / ".witnessing"
    shutil.rmtree(temporary, ignore_errors=True)
    table = applied(undecided(engine.read([out / name])), engine.load(_table(found)))
    engine.write(table, temporary)
    stem, names = Path(name).stem.partition(".")[0], []
    for number, written in enumerate(sorted(temporary.glob("*.parquet"))):
        names.append(str(Path(name).with_name(f"{stem}.{wanted[:12]}-{number}.parquet")))
        os.replace(written, out / names[-1])
    shutil.rmtree(temporary)
    return names


def _table(found: dict[Key, Decision]) -> pa.Table:
    rows = [(*key, *decision) for key, decision in found.items()]
    columns = list(zip(*rows, strict=True)) or [()] * 6
    names = ("measurement_id", "url", "decided", "decision", "manner")
    return pa.table(
        {name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=False)}
        | {"sure": pa.array(columns[5], pa.float64())}
    )
