"""What the user sees while a run goes on: a progress bar on a terminal, few lines elsewhere.

Talk goes to standard error and data to standard output, so that a program can read
the one while a person reads the other.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click
import msgspec

from probe.evidence import Measurement, Run

if TYPE_CHECKING:
    from rich.progress import Progress

CLOSER_STEPS = 4
STEPS = 10  # lines about progress, where there is no terminal


class Screen:
    """Tells how a run goes. *json* also prints a line of JSON for every target that is stored."""

    def __init__(self, *, json: bool, terminal: bool) -> None:
        self.differs = 0
        self.compared = 0
        self._json = json
        self._terminal = terminal
        self._done = self._remaining = 0
        self._closer = self._looked = 0
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def note(self, text: str) -> None:
        if self._progress is not None:
            self._progress.console.print(text, markup=False, highlight=False)
        else:
            click.echo(text, err=True)

    def began(self, run: Run, planned: int, remaining: int) -> None:
        self._remaining = remaining
        again = "" if planned == remaining else f" (of {planned}; the rest is done)"
        self.note(f"run {run.id[:8]}: {remaining} to measure{again}")
        if self._terminal:
            self._progress = _progress_bar(remaining)

    def looking_closer(self, differing: int, seconds: float) -> None:
        """The second pass begins, over *differing* things."""
        self._closer, self._looked = differing, 0
        most = f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"
        self.note(f"looking closer at what differs: {differing}, for {most} at most")
        if self._progress is not None:
            self._progress.add_task("looked closer at", total=differing, differs="")

    def _looked_closer(self) -> None:
        self._looked += 1
        if self._progress is not None:
            self._progress.update(self._progress.tasks[1].id, completed=self._looked)
        elif self._looked * CLOSER_STEPS // self._closer > (
            (self._looked - 1) * CLOSER_STEPS // self._closer
        ):
            self.note(f"looked closer at {self._looked} of {self._closer}")

    def stored(self, measurement: Measurement) -> None:
        if measurement.about:
            self._looked_closer()  # the target itself has had its line
            return
        self._done += 1
        differs = measurement.comparison.get("differs")
        self.compared += differs is not None
        self.differs += bool(differs)
        if self._json:
            self._print(measurement)
        if self._progress is not None:
            task = self._progress.tasks[0].id
            # A target measured again after a loss of the line comes on top.
            total = max(self._remaining, self._done)
            said = f"{self.differs} differ from the controls"
            self._progress.update(task, completed=self._done, total=total, differs=said)
        elif self._done * STEPS // max(1, self._remaining) > (
            (self._done - 1) * STEPS // max(1, self._remaining)
        ):
            total = max(self._remaining, self._done)
            self.note(f"{self._done} of {total}, {self.differs} differ from the controls")

    def _print(self, measurement: Measurement) -> None:
        line = {
            "id": measurement.id,
            "run_id": measurement.run_id,
            "nettest": measurement.nettest,
            "url": measurement.url,
            "category": measurement.category,
            "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(measurement.started_at)),
            "runtime": measurement.runtime,
            "comparison": measurement.comparison,
        }
        try:
            click.echo(msgspec.json.encode(line))
        except BrokenPipeError:
            # The reader has gone; the measuring goes on. Python would complain of
            # the closed pipe once more when it flushes at the end.
            self._json = False
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _progress_bar(total: int) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    progress = Progress(
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[differs]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        refresh_per_second=4,
    )
    progress.add_task("measured", total=total, differs="")
    progress.start()
    return progress


@contextmanager
def reading(total: int, *, terminal: bool) -> Iterator[Callable[[int], None]]:
    """A bar of bytes read, of *total*, on a terminal; called with how many there were more."""
    if not terminal:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    bar = Progress(
        "{task.description}", DownloadColumn(), BarColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), refresh_per_second=4, transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task("read", total=total or None)
        yield lambda more: bar.advance(task, more)
