"""The envelope of an OONI document: who measured what, when, where, with what.

The same for all nettests (df-000); what a nettest found lies in ``test_keys``, which only
its own reader decodes. Fields that probes of earlier years left out or set to null have
a default here. Fields that nobody here knows are passed over: the document itself is
kept, so nothing of it is lost.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from probe.evidence import AddressInfo, AnyEvidence, CanaryCheck, Measurement, Run

T = TypeVar("T")

MAX_DOCUMENT = 32 * 1024 * 1024  # bytes; the largest that probes are known to send is under 1 MB
MAX_RECORDS = 20_000  # pieces of evidence from one document
MAX_PARTS = 2_000  # measurements from one document
MAX_TEXT = 300  # characters kept of a text that only explains
EARLIEST = datetime(2012, 1, 1, tzinfo=UTC).timestamp()  # the first OONI reports are of 2012
LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


class Unreadable(ValueError):
    """A document is not what it says it is. The text says why, in a line."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was set aside: *reason* is a line for the user."""

    reason: str
    nettest: str = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What a document says of one target.

    *url* names the target as our lists would (a URL; ``host:port`` for a relay).
    *facts* go into `Measurement.comparison`: what the probe said that is no evidence of a
    network operation, as ``{"tor_progress": 10}``; scalars only.
    """

    url: str
    evidence: tuple[AnyEvidence, ...] = ()
    facts: dict[str, str | bool | int | float | None] = {}
    addresses: dict[str, AddressInfo] = {}


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """A document as read: its run (the report that it belongs to) and its measurements.

    *canaries* are in documents of ours only.
    """

    run: Run
    measurements: tuple[Measurement, ...]
    canaries: tuple[CanaryCheck, ...] = ()


class Envelope(msgspec.Struct, kw_only=True):
    """df-000, as far as it is used."""

    test_name: str
    test_version: str | None = ""
    test_keys: msgspec.Raw = msgspec.Raw(b"null")
    input: str | list[str] | None = None
    measurement_start_time: str | None = None
    test_start_time: str | None = None
    test_runtime: float | None = 0.0
    probe_asn: str | None = None
    probe_cc: str | None = None
    probe_network_name: str | None = None
    resolver_asn: str | None = None
    resolver_network_name: str | None = None
    software_name: str | None = ""
    software_version: str | None = ""
    report_id: str | None = ""
    measurement_uid: str | None = ""
    probe_id: str | None = ""
    annotations: dict[str, Any] | None = None
    test_helpers: dict[str, Any] | None = None


class Document:
    """An envelope that has been checked, for the readers of nettests."""

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self.nettest = envelope.test_name
        self.version = envelope.test_version or ""
        self.started_at = started_at(envelope)

    @property
    def input(self) -> str:
        """What was asked for; empty where the nettest has no input."""
        return self.envelope.input if isinstance(self.envelope.input, str) else ""

    def annotation(self, name: str) -> str:
        """An annotation of the probe's, as ``network_type``; empty without it."""
        value = (self.envelope.annotations or {}).get(name)
        return value[:MAX_TEXT] if isinstance(value, str) else ""

    def keys(self, decoder: msgspec.json.Decoder[T]) -> T:
        """``test_keys`` by *decoder*, which is made once: `Decoder(SomeStruct | None)`."""
        return decoder.decode(self.envelope.test_keys)


def started_at(envelope: Envelope) -> float:
    """POSIX seconds. Raises `Unreadable`: what is not dated is no measurement."""
    text = envelope.measurement_start_time or envelope.test_start_time or ""
    try:
        when = datetime.fromisoformat(text)
        at = (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Unreadable("no readable measurement_start_time") from None
    if not EARLIEST <= at <= LATEST:
        raise Unreadable("an impossible measurement_start_time")
    return at


def asn(text: str | None) -> int:
    """``AS6697`` -> 6697; 0 for what is no AS number."""
    digits = (text or "").removeprefix("AS")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 10 else 0


def country(text: str | None) -> str:
    """ISO 3166 alpha-2 in capitals; ``ZZ`` for what is none."""
    code = (text or "").upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else "ZZ"


def seconds(value: float | None) -> float:
    """A time since the measurement began, or a duration, within reason."""
    if value is None or not math.isfinite(value) or abs(value) > 1e6:
        return 0.0
    return value
