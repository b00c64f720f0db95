"""What was asked for: how often, by whom, within which limits, with what for ``zond run``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import msgspec

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,40}$"  # of a unit: it becomes a file's
EVERY = (1, 2, 3, 4, 6, 8, 12, 24)  # hours; they divide a day, so that both timers agree

_Text = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]*$")]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule.

    *program* is what comes before ``schedule now`` on the command line, *arguments* what
    comes after ``run``. *every* counts hours, and *start* is the minute of them at which a turn
    may begin first; *seconds* is how long a run may take, *memory* the bytes it may have.
    *user* is the account of a unit of the system (empty: one that systemd makes up for it),
    *folder* where its consent and its diary are, *database* its database.
    *agreed* is the file in which root has agreed for a user that is made up.
    *min_battery* is in percent; *metered*: it runs on lines that cost by the byte as well.
    """

    name: Annotated[str, msgspec.Meta(pattern=NAME)] = "zond"
    program: tuple[_Text, ...]
    arguments: tuple[_Text, ...] = ()
    every: int = 24
    start: Annotated[int, msgspec.Meta(ge=0, lt=24 * 60)] = 0
    seconds: Annotated[int, msgspec.Meta(ge=60)] = 3 * 3600
    memory: Annotated[int, msgspec.Meta(ge=64 * 2**20)] = 256 * 2**20
    user: _Text = ""
    folder: _Text = ""
    database: _Text = ""
    agreed: _Text = ""
    min_battery: Annotated[int, msgspec.Meta(ge=0, le=100)] = 30
    metered: bool = False

    @property
    def now(self) -> tuple[str, ...]:
        """The command of one turn."""
        options = ["--min-battery", str(self.min_battery)]
        if self.metered:
            options.append("--metered")
        return (*self.program, "schedule", "now", *options)

    @property
    def data(self) -> Path:
        return Path(self.folder)


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule that was found: *by* is ``systemd``, ``systemd-user`` or ``cron``, *next_at*
    POSIX seconds of the next turn (None: the system does not tell), *running* whether one
    goes on, *trouble* what is wrong with it."""

    by: str
    plan: Plan
    files: tuple[str, ...] = ()
    next_at: float | None = None
    running: bool = False
    trouble: str = ""


def written(plan: Plan) -> str:
    """*plan* as one line of text that a unit file or a crontab can carry as a comment."""
    return msgspec.json.encode(plan).decode()


def read(line: str) -> Plan:
    """The plan of such a line. Raises `msgspec.DecodeError`."""
    try:
        return msgspec.json.decode(line.encode(), type=Plan)
    except (UnicodeError, RecursionError) as exc:
        raise msgspec.DecodeError(str(exc)) from exc


def is_name(name: str) -> bool:
    """Whether a unit may be called that."""
    return re.fullmatch(NAME, name) is not None
