"""What is documented of a regime: actors, instruments, grounds, looks, events, dates.

Structs only; a country's folder fills them (`analysis.regime.load`). What a source does not
say stays empty here: `not_stated` and `unknown` are answers.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from analysis.regime.model import (
    Confidence,
    Date,
    Id,
    Ids,
    NetworkKind,
    Networks,
    Span,
    Text,
    span,
)  # fmt: skip


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where facts are from. *read*: how much of it was read by who wrote the row: `whole`,
    `excerpt` (the rest is unknown, not absent), or `notes` (known through the notes of this
    project's research alone)."""

    id: Id
    title: Text
    url: str = ""
    locator: Text = ""
    read: Literal["whole", "excerpt", "notes"]


class Power(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an actor may do, since when, under which instrument (empty: none is known)."""

    what: Text
    since: Date = ""
    until: Date = ""
    instrument: str = ""
    sources: Annotated[Ids, Meta(min_length=1)]


class Actor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody with power over what can be reached, or who must carry it out.

    *may*: powers as `Power` tables. *asns*: its own networks.
    """

    id: Id
    name: Text
    kind: Literal[
        "ministry",
        "regulator",
        "inspection",
        "prosecutor",
        "security",
        "court",
        "gateway",
        "operator",
        "registry",
        "foreign",
        "platform",
        "public",
    ]
    about: Text = ""
    asns: tuple[int, ...] = ()
    may: tuple[Power, ...] = ()
    confidence: Confidence
    sources: Annotated[Ids, Meta(min_length=1)]


Means = Literal["block", "annul_name", "geofence", "shutdown", "throttle", "subscriber", "none"]
Reach = Literal["everyone", "bound_bodies", "names", "hosting", "subscribers", "nobody"]
Appeal = Literal["none", "court", "not_stated", "unknown"]


class Instrument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A law, decree, resolution or order: what it permits, who decides, whom it reaches.

    *means*: what may be done. *grounds*: ids of what it may be done for, ``any`` where the
    ground is open. *reach*: whose access: everyone's, that of *bound* kinds of network alone,
    or none but names and hosting. *decides*, *enforces*: ids of actors. *appeal*: whether a
    decision can be appealed in court, and *recourse* the same in words. *poll_hours*,
    *within_hours*: how often the list is read and how soon it must hold, where that is set.
    """

    id: Id
    title: Text
    kind: Literal["law", "decree", "resolution", "order"]
    adopted: Date = ""
    in_force: Date
    until: Date = ""
    means: Annotated[tuple[Means, ...], Meta(min_length=1)]
    grounds: Ids = ()
    reach: Reach
    bound: tuple[NetworkKind, ...] = ()
    decides: Ids = ()
    enforces: Ids = ()
    appeal: Appeal
    recourse: Text = ""
    poll_hours: float = -1.0
    within_hours: float = -1.0
    hours: Annotated[str, Meta(pattern=r"^(\d\d:\d\d-\d\d:\d\d)?$")] = ""
    about: Text
    predicts: Text = ""
    confidence: Confidence
    sources: Annotated[Ids, Meta(min_length=1)]


class Ground(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reason for which information may be restricted. *of*: `mirrors`, where it is one for
    targets that are known as mirrors of others, whatever they carry."""

    id: Id
    what: Text
    of: Literal["", "mirrors"] = ""
    political: bool = False
    sources: Annotated[Ids, Meta(min_length=1)]


class Category(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A category of targets (Citizen Lab's code): the grounds on which the documents know it
    to be restricted, and the kinds of protected information that it usually carries."""

    code: Id
    name: Text
    grounds: Ids = ()
    protected: Ids = ()
    political: bool = False
    note: Text = ""
    sources: Annotated[Ids, Meta(min_length=1)]


class Protected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of information that the law says may not be restricted."""

    id: Id
    law: Id
    article: str
    place: int
    what: Text
    unless: Text = ""
    source: Id


class Article(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an article of a law says, and how it bears on restrictions."""

    id: Id
    law: Id
    article: str
    what: Text
    bears: Text = ""
    source: Id


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One indicator, or the sum of a section (*indicator* 0), of a rating of a law."""

    law: Id
    section: int
    section_name: Text
    indicator: int
    what: Text
    points: int
    max_points: int
    finding: str = ""
    article: str = ""
    comment: Text = ""
    source: Id


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """How a restriction looks on some networks: a fingerprint (*id* as in the fingerprints of
    the rules) or a way of doing it, between two dates where the documents say so.

    *mechanisms*: as the rules name them. *categories* of targets, where it is known for no
    others. *origin*: `own` (of who enforces here), `foreign`
    (another country's decision), `platform` (the site's own).
    """

    id: Id
    asns: tuple[int, ...] = ()
    mechanisms: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    fingerprint: bool
    scheme: str = ""
    origin: Literal["own", "foreign", "platform"] = "own"
    since: Date = ""
    until: Date = ""
    meaning: Text
    confidence: Confidence
    sources: Annotated[Ids, Meta(min_length=1)]


class Documented(msgspec.Struct, frozen=True, kw_only=True):
    """An event that others documented.

    *hosts*: targets that have a name; *target*: all of them in words. *kind*, *scope* and
    *mechanisms*: in the words of our own events, empty where the source does not tell.
    *place*: where, in words; *networks*: where it was seen; *not_networks*: where it is
    documented not to have been.
    *lawful*: `instrument` (one is cited), `none` (done without), `foreign`, `unknown`.
    """

    id: Id
    start: Date
    end: Date = ""
    target: Text
    hosts: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    kind: str
    scope: str = ""
    place: Text = ""
    networks: tuple[int, ...] = ()
    not_networks: tuple[int, ...] = ()
    mechanisms: tuple[str, ...] = ()
    how: Text = ""
    trigger: Text = ""
    actors: Ids = ()
    instruments: Ids = ()
    lawful: Literal["instrument", "none", "foreign", "unknown"]
    lifted: Text = ""
    confidence: Confidence
    sources: Annotated[Ids, Meta(min_length=1)]


class CalendarEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A date that matters politically. *crisis*: whether protocols and networks, and not just
    listed sites, were reported to suffer then."""

    id: Id
    start: Date
    end: Date
    kind: Literal["election", "protest", "economy", "war", "ceremony", "commemoration", "other"]
    what: Text
    crisis: bool = False
    sources: Annotated[Ids, Meta(min_length=1)]


class ListSize(msgspec.Struct, frozen=True, kw_only=True):
    """How much was said to be in the list of what is restricted."""

    as_of: Date
    entries: int
    political: float = -1.0
    what: Text
    confidence: Confidence
    sources: Annotated[Ids, Meta(min_length=1)]


class Country(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose regime it is. *zones*: top-level names that its registry decides on.
    *utc_offset_hours*: of dates that are local. *caution*: what the reader must know."""

    id: Id
    name: Text
    cc: Annotated[str, Meta(pattern="^[A-Z]{2}$")]
    utc_offset_hours: Annotated[float, Meta(ge=-12, le=14)]
    zones: tuple[str, ...] = ()
    hours_of_list: Text = ""
    caution: Text = ""


class Regime(msgspec.Struct, frozen=True, kw_only=True):
    """All that a country's folder says."""

    country: Country
    networks: Networks
    sources: tuple[Source, ...]
    actors: tuple[Actor, ...]
    instruments: tuple[Instrument, ...]
    grounds: tuple[Ground, ...]
    categories: tuple[Category, ...]
    articles: tuple[Article, ...]
    protected: tuple[Protected, ...]
    scores: tuple[Score, ...]
    facts: tuple[Fact, ...]
    events: tuple[Documented, ...]
    calendar: tuple[CalendarEntry, ...]
    list_sizes: tuple[ListSize, ...]

    def span(self, date: str) -> Span:
        """What *date* of this country's data can mean; empty: for ever."""
        if not date:
            return Span(float("-inf"), float("inf"))
        return span(date, self.country.utc_offset_hours)
