"""What is known from outside, by date: decisions, registers, zones, outages, relays.

Measurements alone cannot say when a decision was made, whether a name is still in its zone
or whether a whole country was offline. Such facts come in as dated tables, one kind to a
table, each row with its source: those of the documents lie in a country's folder
``outside/KIND.csv``, a user's come in by ``zond regime import KIND FILE``. A row that
cannot be read is told in one line and left out; the others count.

A field that is a date becomes three columns of a view: its text, and the first and the last
moment that it can mean (`analysis.regime.tables`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources.abc import Traversable
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from analysis.regime import read
from analysis.regime.model import Confidence, Date, Text

Host = Annotated[str, Meta(min_length=1, max_length=253, pattern=r"^[^\s/@?#]+$")]
"""A host name or an address, in lower case (rows are brought to it); never a URL."""
T = TypeVar("T", bound=msgspec.Struct)
_HOSTS = ("host", "name", "server", "original", "mirror")
Source = Annotated[str, Meta(min_length=1, max_length=4000)]


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody with power decided about a target, and when it was said or listed.

    *host*: the target, ``*`` for all. *what*: `restrict`, `restore`, `annul` (its name),
    `warn`, `geofence`, `shutdown`, `throttle`. *decided*, *announced*, *listed*: dates of
    the decision, of its publication, of the entry in the list. *effective*, *until*: when it
    holds, where that was ordered. *body*: id of the actor. *ground*: id of the ground.
    """

    host: Host
    what: Literal["restrict", "restore", "annul", "warn", "geofence", "shutdown", "throttle"]
    body: str = ""
    decided: Date = ""
    announced: Date = ""
    listed: Date = ""
    effective: Date = ""
    until: Date = ""
    ground: str = ""
    instrument: str = ""
    region: str = ""
    note: Text = ""
    confidence: Confidence = "medium"
    source: Source


class RegisterEntry(msgspec.Struct, frozen=True, kw_only=True):
    """That an entry is in a register of what is to be blocked. *register*: whose, as the
    country's code. *entry_kind*: what the entry is."""

    register: Annotated[str, Meta(min_length=1, max_length=64)]
    host: Host
    entry: Text = ""
    entry_kind: Literal["host", "address", "url"] = "host"
    listed: Date
    removed: Date = ""
    ground: str = ""
    source: Source


class ZoneState(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent zone says of a name at a time, asked from *vantage* (a country)."""

    name: Host
    zone: str = ""
    at: Date
    state: Literal["delegated", "nxdomain", "no_delegation", "unknown"]
    vantage: str = "ZZ"
    source: Source


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What the register of names (RDAP, WHOIS) says of a name at a time."""

    name: Host
    at: Date
    state: Literal["active", "hold", "expired", "redemption", "deleted", "not_found", "unknown"]
    expires: Date = ""
    registrar: str = ""
    holder_changed: Date = ""
    source: Source


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A loss of connectivity as a feed saw it. *asn*: 0 for the country. *depth*: the part
    that is gone, from 0 to 1; -1 unknown."""

    feed: Annotated[str, Meta(min_length=1, max_length=64)]
    asn: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    region: str = ""
    start: Date
    end: Date = ""
    signal: str = ""
    depth: Annotated[float, Meta(ge=-1, le=1)] = -1.0
    source: Source


class Connectivity(msgspec.Struct, frozen=True, kw_only=True):
    """That a feed saw a network (0: the country) up, at which level of the usual: without
    it, no outage in a feed could mean that nobody looked."""

    feed: Annotated[str, Meta(min_length=1, max_length=64)]
    asn: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    region: str = ""
    at: Date
    level: Annotated[float, Meta(ge=0, le=10)]
    signal: str = ""
    source: Source


class Relay(msgspec.Struct, frozen=True, kw_only=True):
    """A relay of an anonymity network, by *relay*: a fingerprint, hashed for bridges.

    *channel*: how a bridge is handed out; ``ip`` stays empty for one that is not public,
    since a list of those is what a censor looks for.
    """

    relay: Annotated[str, Meta(min_length=1, max_length=64)]
    role: Literal["relay", "dirauth", "fallback", "bridge"]
    ip: str = ""
    or_port: Annotated[int, Meta(ge=0, lt=65536)] = 0
    dir_port: Annotated[int, Meta(ge=0, lt=65536)] = 0
    channel: str = ""
    transport: str = ""
    first_seen: Date
    last_seen: Date = ""
    source: Source


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator told its customers."""

    operator: Annotated[str, Meta(min_length=1, max_length=64)]
    asn: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    region: str = ""
    about: Literal["throttle", "shutdown", "block", "works", "other"]
    at: Date
    end: Date = ""
    says: Text = ""
    source: Source


class Hosting(msgspec.Struct, frozen=True, kw_only=True):
    """Where a host is: its address, whose network, in which country."""

    host: Host
    ip: str = ""
    asn: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    country: str = "ZZ"
    hoster: str = ""
    at: Date
    source: Source


class NameServer(msgspec.Struct, frozen=True, kw_only=True):
    """Which name server answers for a name, and who runs it."""

    name: Host
    server: Host
    ip: str = ""
    provider: str = ""
    at: Date
    source: Source


class Mirror(msgspec.Struct, frozen=True, kw_only=True):
    """A mirror of a site, and when it was published."""

    original: Host
    mirror: Host
    first_seen: Date
    source: Source


KINDS: Mapping[str, type[msgspec.Struct]] = {
    "announcements": Announcement,
    "registers": RegisterEntry,
    "zones": ZoneState,
    "registrations": Registration,
    "outages": Outage,
    "connectivity": Connectivity,
    "relays": Relay,
    "notices": Notice,
    "hosting": Hosting,
    "name_servers": NameServer,
    "mirrors": Mirror,
}
Outside = Mapping[str, tuple[msgspec.Struct, ...]]
"""Rows by their kind; a kind that is missing has none."""


class Known:
    """Outside evidence by target, so that a register of a million names is asked, not read.

    Those kinds that are about a target: announcements, registers, mirrors.
    """

    def __init__(self, outside: Outside | None = None) -> None:
        self._kinds = {KINDS[kind]: rows for kind, rows in (outside or {}).items()}
        self._rows: dict[tuple[type[msgspec.Struct], str], list[msgspec.Struct]] = {}
        for rows in (outside or {}).values():
            for row in rows:
                if isinstance(row, Announcement | RegisterEntry):
                    self._rows.setdefault((type(row), row.host), []).append(row)
                elif isinstance(row, Mirror):
                    self._rows.setdefault((Mirror, row.mirror), []).append(row)

    def about(self, kind: type[T], targets: Iterable[str]) -> list[T]:
        """The rows of *kind* about one of *targets*, or about a name above it, or all (``*``)."""
        names = dict.fromkeys(name for target in targets for name in _above(target))
        return [
            row
            for name in (*names, "*")
            for row in self._rows.get((kind, name), ())
            if isinstance(row, kind)
        ]

    def all(self, kind: type[T]) -> list[T]:
        """All rows of *kind*: for those that are few."""
        return [row for row in self._kinds.get(kind, ()) if isinstance(row, kind)]


def _above(host: str) -> list[str]:
    labels = host.lower().rstrip(".").split(".")
    return [".".join(labels[i:]) for i in range(len(labels))]


def parse(kind: str, text: str, name: str) -> tuple[list[msgspec.Struct], list[str]]:
    """The rows of CSV *text* of *kind*, and one line for each that cannot be read.

    Raises `DataError` for an unknown kind, or columns that are not its own.
    """
    if kind not in KINDS:
        raise read.DataError(f"no kind {kind!r}; there are {', '.join(KINDS)}")
    good, bad = read.sift(text, KINDS[kind], name)
    return [_lowered(row) for row in good], bad


def _lowered(row: msgspec.Struct) -> msgspec.Struct:
    values = {n: getattr(row, n) for n in _HOSTS if hasattr(row, n)}
    lowered = {n: value.lower().rstrip(".") or value for n, value in values.items()}
    return row if lowered == values else msgspec.structs.replace(row, **lowered)


def of_folder(place: Traversable) -> Outside:
    """All ``KIND.csv`` in *place*; one that cannot be read whole raises `DataError`."""
    found: dict[str, tuple[msgspec.Struct, ...]] = {}
    if not place.is_dir():
        return found
    for file in sorted(place.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".csv"):
            kind = file.name.removesuffix(".csv")
            good, bad = parse(kind, read.text_of(file), f"outside/{file.name}")
            if bad:
                raise read.DataError(bad[0])
            found[kind] = tuple(good)
    return found


def together(some: Iterable[Outside]) -> Outside:
    """All rows of *some*, each once, in order."""
    found: dict[str, dict[msgspec.Struct, None]] = {}
    for outside in some:
        for kind, rows in outside.items():
            found.setdefault(kind, {}).update(dict.fromkeys(rows))
    return {kind: tuple(rows) for kind, rows in found.items()}
