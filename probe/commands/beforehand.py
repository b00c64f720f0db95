"""Before a run: is there room for it, and anything left of what a day may use?

A run for which there is not begins not at all: its plan alone would fill a small card, and
what it then found could not be kept.
"""

from __future__ import annotations

import time

import click

from probe.budget import Spending, total
from probe.commands.opening import locked, opened
from probe.commands.upload import upload_after_run
from probe.config import Config
from probe.consent import agreement
from probe.ending import IN_PART, Problem
from probe.net import Traffic
from probe.places import data_directory
from probe.retention import Retention, Room
from probe.store import StoreError

_GONE = {
    "plans": "plans of runs that measured nothing",
    "bodies": "bodies of pages that were delivered",
    "packets": "captures of packets that were delivered",
    "measurements": "measurements, the oldest",
}


def see_to_room(config: Config, measurements: int, *, deliver: bool) -> None:
    """Make room for so many *measurements*, and say what went. Raises `Problem`.

    What is in the way for want of a receipt is uploaded first, where *deliver* and the user
    agree.
    """
    if not config.database.is_file():
        return
    sharing = agreement.upload_recorded(data_directory())
    room = _room(config, measurements, sharing=sharing)
    if not room.enough and deliver:
        upload_after_run(config)
        room = _room(config, measurements, sharing=sharing)
    if not room.enough:
        raise Problem(_full(room, sharing=sharing), IN_PART)


def _room(config: Config, measurements: int, *, sharing: bool) -> Room:
    try:
        with locked(config.database):
            with opened(config.database) as store:
                before = total(store.uses(), time.time())
            with Retention(config.database, config.budget, sharing=sharing) as retention:
                room = retention.make_room(measurements)
    except StoreError as exc:
        raise Problem(str(exc)) from exc
    if why := Spending(config.budget, before, Traffic()).at_its_end():
        raise Problem(f"{why}: nothing was measured; see [budget] in zond.toml", IN_PART)
    for what, count in room.gone.items():
        click.echo(f"to make room went: {count} {_GONE[what]}", err=True)
    return room


def _full(room: Room, *, sharing: bool) -> str:
    left = max(0, room.after) / 1e6
    step = "zond upload" if sharing else "share it (zond consent), or [budget] forget_unshared"
    return (
        f"room for {left:.1f} MB is left and nothing more may go: what is stored was not"
        f" delivered yet. Nothing was measured. {step}, or more room: [budget] database_bytes"
    )
