"""What a codec is tried with: one small function from bytes, and the refusals it may raise.

Rule: a target raises nothing but what its codec documents (`Target.refuses`), takes no longer
than `SECONDS` of processor time for one input, and asserts what a caller relies on. Anything
else is a find: who measures, or serves, would have met it as a crash.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

SECONDS = 2.0  # of the processor's time, for one input
MEMORY = 1500  # megabytes, for the whole process
MOST = 8192  # bytes of an input, where its target does not say otherwise

Run = Callable[[bytes], object]
Seeds = Callable[[], Iterable[bytes]]


class TooSlow(Exception):
    """One input took longer than `SECONDS`: the text says how long."""


@dataclass(frozen=True)
class Target:
    """*run* is given any bytes of at most *most*; it may raise *refuses*.

    *seeds* are inputs that are read, to begin with. *follows* are the modules, by the beginning of
    their names, whose branches a run follows. *json* says that inputs are lines of JSON, which
    are changed as trees too; *words* are what a stranger would write into them.
    """

    name: str
    run: Run
    seeds: Seeds
    follows: tuple[str, ...]
    refuses: tuple[type[Exception], ...] = ()
    most: int = MOST
    json: bool = False
    words: Sequence[bytes] = ()

    def __call__(self, data: bytes) -> bool:
        """Whether *data* was read (else it was refused). Raises what is a find."""
        began = time.thread_time()
        try:
            self.run(data[: self.most])
            read = True
        except self.refuses:
            read = False
        took = time.thread_time() - began
        if took > SECONDS:
            raise TooSlow(f"{took:.1f} s for {len(data)} bytes")
        return read


TARGETS: dict[str, Target] = {}


def target(
    name: str,
    *follows: str,
    seeds: Seeds,
    refuses: tuple[type[Exception], ...] = (),
    most: int = MOST,
    json: bool = False,
    words: Sequence[bytes] = (),
) -> Callable[[Run], Run]:
    """Register the function below as the target *name*; the rest as in `Target`."""

    def register(run: Run) -> Run:
        if name in TARGETS:
            raise ValueError(f"two targets {name}")
        TARGETS[name] = Target(name, run, seeds, follows, refuses, most, json, words)
        return run

    return register
