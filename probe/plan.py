"""What a run is to measure: on disk before its first packet, and again what was spoiled."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Iterable

import msgspec

from probe import __version__
from probe.evidence import Run
from probe.request import Request
from probe.store import Planned, Refused, Store
from probe.surroundings import environment
from probe.surroundings.canary import Line
from testlists import shuffle


def unfinished(store: Store) -> Run | None:
    """The last run, to go on with, where it did not come to its end."""
    run = store.unfinished_run()
    return None if run is None else msgspec.structs.replace(run, ended="", ended_at=None)


def begin(
    store: Store, request: Request, *, concurrency: int, controls: tuple[str, ...],
    asn_source: str, trust_store: str,
) -> Run:  # fmt: skip
    """A new run in *store*, with everything that it plans. Raises `StoreError`."""
    run = Run(
        id=secrets.token_hex(16),
        started_at=time.time(),
        software_version=__version__,
        seed=request.seed,
        concurrency=concurrency,
        platform=environment.describe_system(),
        asn_source=asn_source,
        trust_store=trust_store,
        controls=controls,
        lists=request.lists,
    )
    targets = {target.url: target for target in reversed(request.targets)}.values()
    shuffled = shuffle(targets, run.seed)
    pairs = [(test, t) for t in shuffled for test in request.nettests if test.takes(t)]
    planned = [
        Planned(run_id=run.id, position=position, nettest=test.name, target=target)
        for position, (test, target) in enumerate(pairs)
    ]
    refused = [
        Refused(run_id=run.id, list_name=name, line=line, reason=reason)
        for name, line, reason in request.refused
    ]
    store.begin_run(run, planned, refused)
    return run


class Queue:
    """What is left to measure, in its order; and once more, what a loss of the line spoiled."""

    def __init__(self, left: Iterable[Planned]) -> None:
        self._left = deque(left)
        self._finished: list[tuple[float, float, Planned]] = []  # the line's fate not known yet
        self._again: set[tuple[str, str]] = set()  # nettest and URL measured a second time

    def __len__(self) -> int:
        return len(self._left)

    def take(self) -> Planned:
        """The next. Raises IndexError where nothing is left."""
        return self._left.popleft()

    def measured(self, planned: Planned, began: float, ended: float) -> None:
        """It was measured between these moments of trio's clock."""
        self._finished.append((began, ended, planned))

    def settle(self, line: Line) -> int:
        """Queue once more what was measured while *line* was lost; says how many."""
        queued, open_still = len(self._left), []
        for began, ended, planned in self._finished:
            held = line.held(began, ended)
            key = (planned.nettest, planned.url)
            if held is None:
                open_still.append((began, ended, planned))
            elif not held and key not in self._again:
                self._again.add(key)
                self._left.append(planned)
        self._finished = open_still
        return len(self._left) - queued
