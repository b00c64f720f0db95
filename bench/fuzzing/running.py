"""One run of one target, in a process of its own: libFuzzer ends the process that it runs in.

Processor time is bounded by the target itself, for one input; `HANG` ends what never comes back,
and `target.MEMORY` what grows. `grown` runs a corpus again and again without the fuzzer, whose own
tables grow: what is bigger afterwards is ours.
"""

from __future__ import annotations

import gc
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from bench.fuzzing.changing import changed, hostile
from bench.fuzzing.target import MEMORY, Target

HANG = 60  # seconds; of the clock, and others use this machine too
AGAIN = 2000  # inputs after which `grown` looks, and as many until it looks again
MOST_LINES = 40  # of what is said of a find
AT_MOST = 2.5  # seconds of the processor for each of these

_EXECUTED = re.compile(r"^(?:stat::number_of_executed_units:|#)\s*(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Ran:
    """*inputs* tried in *seconds* of processor time; *found* is empty, or what was raised."""

    inputs: int
    seconds: float
    found: str


def followed(prefixes: Sequence[str]) -> list[FunctionType]:
    """The functions whose branches are followed: those of few modules, as all take minutes."""
    found = []
    for name, module in list(sys.modules.items()):
        if name.startswith(tuple(prefixes)):
            for one in list(vars(module).values()):
                inside = vars(one).values() if isinstance(one, type) else (one,)
                found += [f for f in inside if isinstance(f, FunctionType) and f.__module__ == name]
    return found


def fuzz(target: Target, seconds: int, corpus: Path, finds: Path) -> None:
    """Run *target*; does not return. Inputs with new branches go to *corpus*, a find to *finds*."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    for function in followed(target.follows):
        atheris.instrument_func(function)

    def mutate(data: bytes, most: int, seed: int) -> Any:
        found = b""
        if target.json and seed % 2:
            found = changed(data, seed)
        elif seed % 8 == 0:
            found = hostile(data, seed, target.words)
        return found if 0 < len(found) <= most else atheris.Mutate(data, most)

    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    known = Path(__file__).parents[2] / "tests" / "corpus" / target.name
    atheris.Setup(
        [sys.argv[0], str(corpus), *([str(known)] if known.is_dir() else []),
         f"-max_total_time={seconds}", f"-max_len={target.most}", f"-timeout={HANG}",
         f"-rss_limit_mb={MEMORY}", f"-artifact_prefix={finds}/", "-print_final_stats=1"],
        target, custom_mutator=mutate,
    )  # fmt: skip
    atheris.Fuzz()


def run(command: Sequence[str]) -> Ran:
    """Run a process that calls `fuzz`, and read what it tells."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        said = process.stdout.read().decode(errors="replace")
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    counts = [int(n) for n in _EXECUTED.findall(said)]
    found = "" if process.returncode == 0 else _raised(said)
    return Ran(max(counts, default=0), used.ru_utime + used.ru_stime, found)


def _raised(said: str) -> str:
    """The lines that say what went wrong: a traceback, else the end of all."""
    _, mark, told = said.rpartition("=== Uncaught Python exception: ===")
    lines = told.strip().splitlines()
    return "\n".join(lines[:MOST_LINES] if mark else lines[-MOST_LINES:])


def grown(target: Target, inputs: Iterable[bytes]) -> int:
    """Bytes by which the process is larger after `AGAIN` inputs more, caches being warm."""
    known = list(inputs)
    _through(target, known)
    grew = []
    for _ in range(2):  # what grows does so each time
        before = _resident()
        _through(target, known)
        grew.append(_resident() - before)
    return max(0, min(grew))


def _through(target: Target, known: Sequence[bytes]) -> None:
    """Each of *known*, and changes of it that are never twice the same."""
    began = time.process_time()
    for number in range(AGAIN):
        data = known[number % len(known)]
        target(hostile(data, time.monotonic_ns(), target.words) if number % 2 else data)
        if time.process_time() - began > AT_MOST:
            break
    gc.collect()


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
