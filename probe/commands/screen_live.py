"""The part of a terminal that changes while a run goes on: bars, and what differed last.

rich draws it; it is imported with this module, where there is a terminal.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live as Drawn
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

A_SECOND = 4  # times that it is drawn


class Live:
    """One bar at a time counts; finished ones stay above it."""

    def __init__(self, what: str, total: int) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"), MofNCompleteColumn(), BarColumn(),
            TextColumn("{task.fields[said]}"),
        )  # fmt: skip
        console = Console(stderr=True)
        self._drawn = Drawn(self._bars, console=console, refresh_per_second=A_SECOND)
        self._task: TaskID
        self.begin(what, total)
        self._drawn.start()

    def begin(self, what: str, total: int) -> None:
        """A new bar, which counts from now on."""
        self._task = self._bars.add_task(what, total=total, said="")

    def update(self, done: int, total: int, said: str) -> None:
        self._bars.update(self._task, completed=done, total=total, said=said)

    def show(self, rows: Sequence[Sequence[str]]) -> None:
        """*rows* below the bars; what does not fit into a line is cut."""
        table = Table.grid(padding=(0, 2))
        columns = max(map(len, rows), default=0)
        for number in range(1, columns + 1):
            # Only the last, which is the longest, gives way.
            table.add_column(no_wrap=number < columns, overflow="ellipsis")
        for row in rows:
            table.add_row(*map(Text, row))  # text: what a list says is no markup
        self._drawn.update(Group(self._bars, table))

    def note(self, text: str) -> None:
        """A line that stays, above what changes."""
        self._drawn.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def stop(self) -> None:
        self._drawn.stop()
