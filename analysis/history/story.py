"""An event told to people, and encoded for programs.

Rule: since when and until when, where, how, and how sure, in that order; what is an interval
is said as one, and what is not known is said to be unknown. Nothing here decides anything.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from analysis.history.event import Event, Interval

MOST_NAMES = 6  # of targets or networks in one sentence; the rest are counted

WHAT = {
    "blocking": "blocked",
    "throttling": "throttled",
    "shutdown": "a shutdown: what is foreign is gone, what is domestic answers",
    "outage": "an outage: nothing answers",
    "geofence": "refused by the site itself",
    "ddos": "down for everybody, for a while",
    "site_death": "down for everybody, for good",
    "registry": "gone from the parent zone, for everybody",
}
WHERE = {
    "network": "on one network",
    "operator": "on the networks of one operator",
    "gateway": "on the customers of one gateway",
    "national": "in the whole country",
    "mobile": "on mobile access only",
    "regional": "in some regions",
    "group": "on several operators, and not on others",
    "global": "everywhere",
    "resolver": "for those who ask one network's resolvers",
    "unknown": "on how many networks is not known",
}


def story(event: Event) -> str:
    """*event* in some lines of English, the first of them a summary."""
    lines = [
        f"{event.id}  {_names(event.targets) or 'all targets'}: {WHAT[event.kind]}"
        f" {WHERE[event.scope]}.",
        f"  When: {_when(event)}",
    ]
    if event.networks:
        lines.append(f"  Where: {_where(event)}")
    if event.mechanisms:
        lines.append(f"  How: {_how(event)}")
    lines.append(f"  How sure: {_sure(event)}")
    lines += [f"  Why so called: {reason}" for reason in event.reasons]
    return "\n".join(lines)


def encode(event: Event) -> bytes:
    """*event* as one line of JSON, without the newline."""
    return msgspec.json.encode(event)


def decode(line: bytes | str) -> Event:
    """The event that `encode` made *line* of. Raises `msgspec.DecodeError` for another."""
    return msgspec.json.decode(line, type=Event)


def _when(event: Event) -> str:
    onset = event.onset
    if onset.by is None:
        since = "since an unknown time"
    elif onset.after is None:
        since = f"since before {_time(onset.by)}, when it was first looked at"
    else:
        since = f"since between {_between(onset)}"
    if event.lift is None:
        until = "and still so at the last look"
    elif event.lift.by is None:
        until = f"last seen {_time(event.lift.after)}"
    else:
        until = f"until between {_between(event.lift)}"
    hours = ""
    if event.hours:
        hours = f"; only at these hours of the day, UTC: {_hours(event.hours)}"
    return f"{since}, {until}{hours}."


def _where(event: Event) -> str:
    text = _names(tuple(f"AS{a}" for a in event.networks))
    if event.scope == "resolver" and event.resolvers:
        text += f", by the resolvers of {_names(tuple(f'AS{a}' for a in event.resolvers))}"
    if event.spread is not None and len(event.order) > 1:
        text += f", first on AS{event.order[0]}, within {_lasting(event.spread)}"
    if event.clean_networks:
        text += f"; clean on {_names(tuple(f'AS{a}' for a in event.clean_networks))}"
    return f"{text}."


def _how(event: Event) -> str:
    text = ", then ".join(event.mechanisms) if len(event.networks) < 2 else _names(event.mechanisms)
    if event.trigger:
        text += f", by {event.trigger}"
    if event.fingerprints:
        text += f"; known marks {_names(event.fingerprints)}"
    if event.share < 0.9:
        text += f"; in {event.share:.0%} of the looks"
    return f"{text}."


def _sure(event: Event) -> str:
    seen = f"{event.blocked} of {event.measured} looks" if event.measured else "by their silence"
    probes = "1 probe" if event.probes == 1 else f"{event.probes} probes"
    return f"{_percent(event.probability)}; {seen}, {probes}."


def _percent(probability: float) -> str:
    """Never rounded up to certainty."""
    return "more than 99 %" if probability > 0.99 else f"{100 * probability:.0f} %"


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def _hours(hours: tuple[int, ...]) -> str:
    """Hours of the day as stretches, over midnight where they go over it."""
    held = set(hours)
    starts = [h for h in sorted(held) if (h - 1) % 24 not in held]
    stretches = []
    for start in starts:
        end = start
        while end % 24 in held and end - start < 24:
            end += 1
        stretches.append(f"{start:02}:00-{end % 24:02}:00")
    return ", ".join(stretches)


def _between(interval: Interval) -> str:
    return f"{_time(interval.after)} and {_time(interval.by)}"


def _time(at: float | None) -> str:
    if at is None:
        return "an unknown time"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _lasting(seconds: float) -> str:
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    if seconds < 2 * 86400:
        return f"{seconds / 3600:.0f} hours"
    return f"{seconds / 86400:.0f} days"
