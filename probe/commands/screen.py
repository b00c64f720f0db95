"""What the user sees while a run goes on: progress on a terminal, few lines elsewhere.

Talk goes to standard error and data to standard output, so that a program can read
the one while a person reads the other. What is not a terminal may be a log that others
keep: there no site is named.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import click
import msgspec

from probe.commands.audience import tell
from probe.evidence import Measurement, Run
from probe.failure import Failure
from probe.i18n import _, plural

if TYPE_CHECKING:
    from probe.commands.screen_live import Live

CLOSER_STEPS = 4
STEPS = 10  # lines about progress, where there is no terminal
SHOWN = 6  # targets that differ, at once on a terminal
SURE = 10.0  # seconds after which it can be told how long it will take


class Screen:
    """Tells how a run goes. *json* also prints a line of JSON for every target that is stored."""

    def __init__(self, *, json: bool, terminal: bool) -> None:
        self.differs = 0
        self.compared = 0
        self._json = json
        self._terminal = terminal
        self._done = self._remaining = 0
        self._closer = self._looked = 0
        self._bytes = 0
        self._lacked = False
        self._began = 0.0
        self._latest: deque[tuple[str, str]] = deque(maxlen=SHOWN)
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            tell(self._live.stop)
            self._live = None

    def note(self, text: str) -> None:
        if self._live is not None:
            self._live.note(text)
        else:
            click.echo(text, err=True)

    def began(self, run: Run, planned: int, remaining: int) -> None:
        self._remaining, self._began = remaining, time.monotonic()
        self.note(
            _("run {id}: {count} to measure", id=run.id[:8], count=remaining)
            if planned == remaining
            else _(
                "run {id}: {count} to measure of {planned}; the rest is done",
                id=run.id[:8], count=remaining, planned=planned,
            )
        )
        if self._terminal:
            from probe.commands.screen_live import Live

            self._live = Live(_("measured"), remaining)

    def used(self, bytes: int) -> None:
        """So many bytes went over the line since the run began, either way."""
        self._bytes = bytes

    def looking_closer(self, differing: int, seconds: float) -> None:
        """The second pass begins, over *differing* things."""
        self._closer, self._looked, self._began = differing, 0, time.monotonic()
        self.note(
            _(
                "looking closer at what differs: {count}, for {minutes} min at most",
                count=differing, minutes=max(1, round(seconds / 60)),
            )
        )
        if self._live is not None:
            self._live.begin(_("looked closer at"), differing)

    def stored(self, measurement: Measurement) -> None:
        if measurement.about:
            self._looked += 1
            self._show(self._looked, self._closer, CLOSER_STEPS)
            return  # the target itself has had its line
        self._done += 1
        differs = measurement.comparison.get("differs")
        self.compared += differs is not None
        if measurement.comparison.get("failure") == Failure.NO_BUFFER_SPACE and not self._lacked:
            self._lacked = True
            self.note(
                _("this machine ran out of open files or memory: what it tried then is undecided")
            )
        if differs:
            self.differs += 1
            seen = measurement.comparison.get("failure") or _("another answer")
            self._latest.append((str(seen), measurement.url))
        if self._json:
            self._print(measurement)
        # A target measured again after a loss of the line comes on top.
        self._show(self._done, max(self._remaining, self._done), STEPS)

    def _show(self, done: int, total: int, steps: int) -> None:
        so_far = plural("{count} differs", "{count} differ", self.differs)
        used = f"{self._bytes / 1e6:,.1f} MB"
        if self._live is not None:
            self._live.update(done, total, f"{so_far}  {used}  {self._left(done, total)}")
            self._live.show([(_("differs"), *row) for row in self._latest])
        elif done * steps // max(1, total) > (done - 1) * steps // max(1, total):
            of_all = _("{done} of {total}", done=done, total=total)
            self.note(", ".join(filter(None, [of_all, so_far, used, self._left(done, total)])))

    def _left(self, done: int, total: int) -> str:
        """How long it will take at the pace so far; empty while that is not known."""
        gone = time.monotonic() - self._began
        if gone < SURE or not done or done >= total:
            return ""
        minutes = round(gone / done * (total - done) / 60)
        if not minutes:
            return _("less than a minute left")
        return _("about {minutes} min left", minutes=minutes)

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
