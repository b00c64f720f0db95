"""The hour of an onset beside the hours at which the list is read.

Where an instrument in force sets when operators read the list and how soon an entry must
hold, an onset that lies wholly outside of those hours is not of the list as documented. One
that lies within says little: most hours are within.
"""

from __future__ import annotations

import re

from analysis.history.event import Event
from analysis.regime.documents import Instrument, Regime
from analysis.regime.law import in_force
from analysis.regime.signs import Finding

HOUR, DAY = 3600.0, 86400.0
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


def clock(event: Event, regime: Regime) -> Finding:
    """Whether the onset fits the hours of the list."""
    set_ = [i for i in regime.instruments if i.hours and in_force(i, event.onset, regime)[0]]
    after, by = event.onset.after, event.onset.by
    if event.kind != "blocking" or not set_:
        return Finding(aspect="clock", state="cannot_tell", says="No hours are documented for it.")
    if after is None or by is None:
        return Finding(
            aspect="clock", state="cannot_tell", says="Between which looks it began is not known.",
            missing=("a look before it",),
        )  # fmt: skip
    instrument = set_[-1]
    first, length = _window(instrument)
    # Local seconds of the day, counted from the first reading of the list.
    began = (after + regime.country.utc_offset_hours * HOUR - first) % DAY
    ended = began + (by - after)
    refs = (instrument.id,)
    if ended <= length:
        says = f"The onset lies within the hours of the list ({instrument.hours})."
        return Finding(aspect="clock", state="consistent", says=says, refs=refs)
    if began >= length and ended < DAY:
        says = (
            f"The onset lies outside of the hours at which the list is read ({instrument.hours})"
            f" and must hold ({instrument.within_hours:g} hours after)."
        )
        return Finding(aspect="clock", state="contradicts", says=says, refs=refs)
    return Finding(
        aspect="clock", state="cannot_tell", says="The looks are too far apart to tell the hour.",
        missing=("looks every hour",),
    )  # fmt: skip


def _window(instrument: Instrument) -> tuple[float, float]:
    """The first second of the day at which the list is read, and for how long entries of that
    day can begin to hold."""
    found = _HOURS.fullmatch(instrument.hours)
    assert found is not None, instrument.id  # checked where the data are read
    begin, end = (int(h) * HOUR + int(m) * 60 for h, m in (found.groups()[:2], found.groups()[2:]))
    return begin, (end - begin) % DAY + max(0.0, instrument.within_hours) * HOUR
