"""One record on its way out, field by field, as the allow-list says.

A record is made anew of what is allowed; nothing is removed from it. What a field may say
depends on its measurement: what a control was told too is about nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Iterable
from ipaddress import ip_address
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from probe.addresses import is_public
from probe.compare import drop_bodies
from probe.config import OONI_HELPERS
from probe.evidence import (
    PROBE,
    AddressInfo,
    ControlQuery,
    Evidence,
    HTTPExchange,
    Measurement,
    PacketCapture,
    Transfer,
)
from probe.scrubbing import web
from probe.scrubbing.echo import TooMany, learned
from probe.scrubbing.eraser import Eraser, stand_in_for
from probe.scrubbing.fields import ALLOWED, How
from probe.scrubbing.packets import without_us
from probe.scrubbing.public import is_public_list
from probe.wire.page import sketch

R = TypeVar("R", bound=msgspec.Struct)

MAX_BODY = 64 * 1024  # bytes of a page that are sent: a block page is a few thousand
MAX_BODIES = 1024 * 1024  # bytes of all pages of one measurement
MINUTE = 60
OWN_CONTROL = "https://own-control.invalid/"  # RFC 2606

WITH_CONTROLS = ("control", "asked")  # what a `Transfer` is that went to a control

_NUMBERED = re.compile(r"(?:control|ooni-th)-[0-9]{1,2}")  # what controls without a name are called


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a measurement says about what in it is about nobody.

    *vouched*: URLs and parts of them, *told*: values of headers, *hashes*: pages, that
    controls were given without having been sent there by us. *spared*: the target, which is
    public. *echoed*: addresses that servers told us are ours. *suspected*: the pages that
    may be block pages, by transaction, URL and time. *controls*: URLs by name. *at*: when it began.
    *of_controls*: addresses at which nothing but controls was reached.
    *without_pages*: what may be whose it is cannot all be searched for.
    """

    vouched: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()
    spared: str = ""
    echoed: frozenset[str] = frozenset()
    suspected: frozenset[tuple[int, str, float]] = frozenset()
    controls: dict[str, str] = {}
    at: float = 0.0
    of_controls: frozenset[str] = frozenset()
    without_pages: bool = False


def about_this(measurement: Measurement | None, *, address_known: bool = True) -> About:
    """*address_known*: whether the controls told under which address the world sees us."""
    if measurement is None:
        return About()
    evidence = measurement.evidence
    sent = {e.url for e in evidence if isinstance(e, ControlQuery) and e.depth > 0}
    theirs = [e for e in evidence if isinstance(e, HTTPExchange) and e.vantage != PROBE]
    reached = [e for e in theirs if e.url not in sent]
    urls = {measurement.url, *(e.url for e in reached)} | {e.location or "" for e in reached}
    kept = drop_bodies(evidence)
    too_many = False
    try:
        echoed = learned(measurement, all_of_them=not address_known)
    except TooMany:
        too_many, echoed = True, frozenset()
    return About(
        vouched=frozenset(urls | {part for u in urls for part in _parts(u)} - {""}),
        told=frozenset(value for e in reached for _, value in e.headers),
        hashes=frozenset(e.body_sha256 for e in reached),
        spared=measurement.url,
        echoed=echoed,
        without_pages=too_many,
        suspected=frozenset(
            _mark(e) for e in kept if isinstance(e, HTTPExchange) and e.body is not None
        ),
        controls={e.control: e.control_url for e in evidence if isinstance(e, ControlQuery)},
        at=measurement.started_at,
        of_controls=_of_controls(evidence),
    )


class Treatment:
    """Treats the records of one run, or of one measurement of it.

    *early*: seconds that moments are moved back. *controls*: numbers of the run's, by URL or
    name, to which those that are not there yet are added; of these *named_controls* and
    OONI's public helpers may be named. *key* makes hashes of pages that only this user may have
    been given unlike anybody else's.
    """

    def __init__(
        self,
        eraser: Eraser,
        *,
        early: float,
        controls: dict[str, int],
        named_controls: Collection[str],
        bodies: Literal["none", "suspected", "all"],
        home_resolvers: bool,
        key: bytes,
        about: About,
    ) -> None:
        self._eraser = eraser.sparing(about.spared).also(about.echoed)
        self._early, self._home_resolvers = early, home_resolvers
        self._bodies = "none" if about.without_pages else bodies
        self._key, self._about = key, about
        self._open = {*named_controls, *OONI_HELPERS}
        self._names = {
            name: name if url in self._open
            else f"control-{controls.setdefault(url, len(controls) + 1)}"
            for name, url in about.controls.items()
        }
        self._numbers = controls
        self._left = MAX_BODIES
        self._packets = True
        self._by_how: dict[How, Callable[[Any], Any]] = {
            How.KEEP: self._text, How.TEXT: self._text, How.ADDRESS: self._address,
            How.RESOLVER: self._resolver, How.URL: self._url, How.BYTES: self._bytes,
            How.PACKETS: self._bytes, How.MOMENT: self._moment, How.SECONDS: _to_minute,
            How.CONTROL: self._control, How.CONTROL_URL: self._control_url,
            How.CONTROLS: self._control_urls, How.SOURCE: self._source, How.LIST: _public_list,
            How.LISTS: _public_lists, How.SYSTEM: self._system, How.FACTS: self._facts,
            How.OF_ADDRESSES: self._of_addresses, How.INSIDE: self._inside,
        }  # fmt: skip

    def record(self, record: R) -> R:
        """*record* as it may leave. Raises KeyError for a kind that may not."""
        kind = type(record)
        told: dict[str, Any] = {}
        for field, rule in ALLOWED[kind].items():
            value = getattr(record, field)
            if value is None or rule.how is How.OUT:
                continue
            treat = self._by_how.get(rule.how)
            told[field] = value if treat is None else treat(value)
        if isinstance(record, HTTPExchange):
            told |= self._page(record)
        if isinstance(record, Transfer) and self._is_with_own_control(record):
            told |= {"ip": "", "port": 0, "sni": None, "host": None}
        if isinstance(record, PacketCapture):
            told["packets"], raw = without_us(record, told["packets"], told["raw"])
            told["raw"] = raw if self._packets else ()
        return kind(**told)

    def leave_out_more(self) -> bool:
        """Where a document is too long: first without pages, then without packets' bytes."""
        if self._bodies != "none":
            self._bodies = "none"
            return True
        self._packets, before = False, self._packets
        return before

    def _text(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._eraser.text(value)
        if isinstance(value, tuple):
            return tuple(map(self._text, value))
        return value

    def _address(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(self._eraser.address, value))
        return self._eraser.address(value)

    def _resolver(self, value: str) -> str:
        address, colon, port = value.rpartition(":")
        bare = address.strip("[]")
        if not colon or not port.isdigit():
            return self._text(value)  # type: ignore[no-any-return]
        try:
            at_home = not is_public(bare)
        except ValueError:
            return self._text(value)  # type: ignore[no-any-return]
        if at_home and self._home_resolvers:
            return value
        shown = stand_in_for(bare) if at_home else self._eraser.address(bare)
        return f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"

    def _url(self, value: str) -> str:
        return self._eraser.text(web.url(value, self._about.vouched))

    def _bytes(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(self._eraser.binary, value))
        return self._eraser.binary(value)

    def _moment(self, value: float) -> float:
        return round(value - self._early, 3) if value else value

    def _control(self, value: str) -> str:
        if value == PROBE or _NUMBERED.fullmatch(value):
            return value
        if value not in self._names:
            number = self._numbers.setdefault(value, len(self._numbers) + 1)
            self._names[value] = f"control-{number}"
        return self._names[value]

    def _source(self, value: str) -> str:
        """Of a download: an address, or a control."""
        try:
            ip_address(value)
        except ValueError:
            return self._control(value) if value else value
        return self._eraser.address(value)

    def _is_with_own_control(self, transfer: Transfer) -> bool:
        """Whether the address of *transfer* is that of a control which is not to be named."""
        name = transfer.source
        return transfer.what in WITH_CONTROLS and self._about.controls.get(name) not in self._open

    def _control_url(self, value: str) -> str:
        return value if value in self._open else OWN_CONTROL

    def _control_urls(self, value: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(self._control_url, value))

    def _system(self, value: str) -> str:
        """System and machine. Versions narrow down whose it is."""
        words = self._eraser.text(value).split()
        kept = (w for w in words if not any(c.isdigit() for c in w.partition("_")[0]))
        return " ".join(kept)

    def _facts(self, value: dict[str, Any]) -> dict[str, Any]:
        told = {}
        for name, fact in value.items():
            control, dot, what = name.rpartition(".")
            named = self._names.get(control) if dot else None
            key = self._text(name) if named is None else f"{named}.{what}"
            if isinstance(fact, str):
                if name == "ip":
                    fact = self._address(fact)
                else:
                    fact = self._url(fact) if "://" in fact else self._text(fact)
            told[key] = fact
        return told

    def _of_addresses(self, value: dict[str, AddressInfo]) -> dict[str, AddressInfo]:
        return {
            ip: self.record(info)
            for ip, info in value.items()
            if ip not in self._about.of_controls and self._eraser.address(ip) == ip
        }

    def _inside(self, value: Iterable[msgspec.Struct]) -> tuple[msgspec.Struct, ...]:
        return tuple(self.record(record) for record in value if type(record) in ALLOWED)

    def _page(self, e: HTTPExchange) -> dict[str, Any]:
        about = self._about
        said: dict[str, Any] = {
            "headers": tuple(
                (self._eraser.text(name), self._eraser.text(web.header(
                    name, value, about.vouched, about.told,
                    web.Moment(about.at + e.t, self._early))))
                for name, value in e.headers
            ),
            "body": None,
        }  # fmt: skip
        if e.body is None:
            if e.body_sha256 and e.body_sha256 not in about.hashes:
                said["body_sha256"] = hmac.new(
                    self._key, e.body_sha256.encode(), "sha256"
                ).hexdigest()
            return said
        clean = self._eraser.body(
            web.page(e.body.decode("latin-1"), about.vouched).encode("latin-1")
        )
        if clean != e.body:
            # Hash and sketch of what is not sent would tell, to who tries, what was taken out.
            said |= {"body_sha256": hashlib.sha256(clean).hexdigest(), "sketch": sketch(clean)}
        wanted = self._bodies == "all" or (
            self._bodies == "suspected" and _mark(e) in about.suspected
        )
        part = clean[: min(MAX_BODY, self._left)]
        if wanted and part:
            self._left -= len(part)
            said["body"] = part
            if len(part) < len(clean):
                said["body_truncated"] = True
        return said


def _of_controls(evidence: Iterable[Evidence]) -> frozenset[str]:
    theirs = {e.ip for e in evidence if isinstance(e, Transfer) and e.what in WITH_CONTROLS}
    others = {
        getattr(e, "ip", "")
        for e in evidence
        if not (isinstance(e, Transfer) and e.what in WITH_CONTROLS)
    }
    return frozenset(theirs - others - {""})


def _mark(e: Evidence) -> tuple[int, str, float]:
    return e.transaction, e.url, e.t0


def _parts(text: str) -> Iterable[str]:
    """The values that a URL is made of."""
    try:
        at = urlsplit(text)
    except ValueError:
        return
    yield from (value for _, value in parse_qsl(at.query))
    yield from at.path.split("/")
    yield unquote(at.path)
    yield at.hostname or ""


def _to_minute(value: float) -> float:
    return float(round(value / MINUTE) * MINUTE)


def _public_list(value: str) -> str:
    return value if is_public_list(value) else ""


def _public_lists(value: dict[str, str]) -> dict[str, str]:
    return {name: version for name, version in value.items() if is_public_list(name)}
