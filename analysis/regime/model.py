"""A documented regime, in structs: who may decide what, on whose networks, since when.

Every row says where it is from, since a model without sources would be an opinion. Dates
are as precise as their source: a `Span` holds the first and the last moment that a date can
mean, and nothing here is more exact than what was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

NetworkKind = Literal[
    "fixed", "mobile", "both", "hosting", "state", "academic", "business", "exchange"
]
Confidence = Literal["high", "medium-high", "medium", "low-medium", "low"]

Id = Annotated[str, Meta(pattern="^[A-Za-z0-9_.-]{1,64}$")]
Text = Annotated[str, Meta(max_length=4000)]
Ids = tuple[Id, ...]
Date = Annotated[str, Meta(max_length=32, extra={"date": True})]
"""A date as its source gives it, see `span`; empty: not known, or not yet."""


_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d)?([+-]\d\d:\d\d|Z)?)?)?)?", re.ASCII)


class Span(msgspec.Struct, frozen=True):
    """From the first to the last moment (POSIX seconds, the last not included) that a date
    can mean. *last* is infinite for what has no known end."""

    first: float
    last: float


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """One network (AS).

    *operator*: who runs it, one word for all its networks. *gateways*: AS numbers of the
    gateways through which it is documented to reach the world; several, where several are.
    *region*: where it serves, empty for the country. *group*: as the source sorts it.
    """

    asn: int
    name: str
    operator: str
    role: str = ""
    kind: NetworkKind
    gateways: tuple[int, ...] = ()
    gateway_source: str = ""
    region: str = ""
    group: str = ""
    source: str

    @property
    def gateway(self) -> str:
        """The one gateway behind which it is, as ``AS6697``; empty: unknown, or several."""
        return f"AS{self.gateways[0]}" if len(self.gateways) == 1 else ""


class Networks(Mapping[int, Network]):
    """The networks of a country by AS number; one that is not listed is no error."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._by_asn = {network.asn: network for network in networks}

    def __getitem__(self, asn: int) -> Network:
        return self._by_asn[asn]

    def __iter__(self) -> Iterator[int]:
        return iter(self._by_asn)

    def __len__(self) -> int:
        return len(self._by_asn)

    def operator(self, asn: int) -> str:
        """Who runs *asn*; where that is not known, the network is its own operator."""
        network = self.get(asn)
        return network.operator if network else f"AS{asn}"

    def behind(self, gateway: int) -> frozenset[int]:
        """All that are documented to use *gateway*, itself among them."""
        return frozenset(n.asn for n in self.values() if gateway in n.gateways)

    def only_behind(self, gateway: int) -> frozenset[int]:
        """Those for which no other gateway is documented."""
        return frozenset(n.asn for n in self.values() if n.gateways == (gateway,))

    def gateways(self) -> tuple[int, ...]:
        """All gateways that some network uses, by number."""
        return tuple(sorted({g for n in self.values() for g in n.gateways}))


@lru_cache(maxsize=65_536)
def span(text: str, offset_hours: float = 0.0) -> Span:
    """What a date of the data can mean: ``2014``, ``2014-08``, ``2014-08-14``,
    ``2014-08-14T01:20`` or ``2014-08-14T01:20+03:00``.

    Without an offset of its own it is local time, *offset_hours* east of Greenwich. Raises
    `ValueError` for anything else.
    """
    if not _DATE.fullmatch(text):
        raise ValueError(f"{text!r} is no date")
    zone = timezone(timedelta(hours=offset_hours))
    if len(text) == 4:
        return Span(_at(f"{text}-01-01", zone), _at(f"{int(text) + 1:04}-01-01", zone))
    if len(text) == 7:
        year, month = int(text[:4]), int(text[5:])
        after = f"{year + month // 12:04}-{month % 12 + 1:02}-01"
        return Span(_at(f"{text}-01", zone), _at(after, zone))
    first = _at(text, zone)
    return Span(first, first + (86400.0 if len(text) == 10 else 60.0))


def _at(text: str, zone: timezone) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(UTC).timestamp()
