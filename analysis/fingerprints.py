"""What block pages, forged answers and platforms' own refusals are known by.

Data, not code: ``data/fingerprints.csv``. A fingerprint says what a thing looks like
and whether that alone confirms a block; the rules say when it counts. A mere symptom
never confirms; what needs packets is a symptom, and read where they could be captured.
"""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, cast, get_args

from analysis.packet_pattern import PatternError, occurs, pattern
from probe.evidence import HTTPExchange, PacketFacts

Field = Literal[
    "location", "body", "title", "header", "certificate_subject", "certificate_issuer",
    "dns_answer", "tls_reset", "packet",
]
Match = Literal["equals", "prefix", "contains", "text", "regex", "packets"]
Kind = Literal[
    "block_page", "foreign_block_page", "platform_false_alarm", "platform_notice", "symptom"
]

MAX_BODY = 256 * 1024  # bytes of a page that are searched
SHORT = 128  # characters of a value that is likely to come again
_TAG = re.compile(r"<[^<>]{0,4096}>")  # reads a hostile body in linear time
_QUOTES = re.compile("[«»“”„‟‘’‚'\"]")
_CN = re.compile(r"(?:^|,)CN=((?:[^,\\]|\\.)*)", re.IGNORECASE)


class FingerprintError(ValueError):
    """The list of fingerprints cannot be read; the text says which line and why."""


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """One row; the meaning of the fields is in ``data/README.md``."""

    id: str
    scope: str
    field: Field
    match: Match
    value: str
    kind: Kind
    confirms: bool
    needs: str
    country: str
    meaning: str
    source: str

    def matches(self, text: str) -> bool:
        """Whether *text* (for `text` and `regex` on a body: its `visible` text) fits."""
        match self.match:
            case "equals":
                return text == self.value
            case "prefix":
                return text.startswith(self.value)
            case "contains":
                return self.value in text
            case "text":
                return visible(self.value) in text
        return re.search(self.value, text, re.S) is not None


def load(text: str) -> tuple[Fingerprint, ...]:
    """Read *text* (CSV). Raises `FingerprintError`."""
    found = []
    rows = csv.DictReader(text.splitlines(), strict=True)
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise FingerprintError(f"fingerprints, line {number}: wrong number of columns")
        for column, known in (("field", Field), ("match", Match), ("kind", Kind)):
            if row[column] not in get_args(known):
                raise FingerprintError(f"fingerprints, line {number}: no {column} {row[column]!r}")
        if row["match"] == "regex":
            try:
                re.compile(row["value"])
            except re.error as exc:
                raise FingerprintError(f"fingerprints, line {number}: {exc}") from exc
        if (row["match"] == "packets") != (row["field"] == "packet"):
            raise FingerprintError(f"fingerprints, line {number}: packets match packets only")
        if row["match"] == "packets":
            try:
                pattern(row["value"])
            except PatternError as exc:
                raise FingerprintError(f"fingerprints, line {number}: {exc}") from exc
        confirms = row["confirms"] == "yes"
        if confirms and row["kind"] not in ("block_page", "foreign_block_page"):
            raise FingerprintError(f"fingerprints, line {number}: a {row['kind']} confirms nothing")
        found.append(
            Fingerprint(
                id=row["id"], scope=row["scope"], field=cast(Field, row["field"]),
                match=cast(Match, row["match"]), value=row["value"],
                kind=cast(Kind, row["kind"]), confirms=confirms, needs=row["needs"],
                country=row["country"], meaning=row["meaning"], source=row["source"],
            )
        )
    return tuple(found)


def source_text() -> str:
    return (files("analysis") / "data" / "fingerprints.csv").read_text(encoding="utf-8")


@cache
def known() -> tuple[Fingerprint, ...]:
    """The project's fingerprints."""
    return load(source_text())


@cache
def of_field(field: Field) -> tuple[Fingerprint, ...]:
    """Those on *field* that can be evaluated without packets."""
    return tuple(f for f in known() if f.field == field and not f.needs)


def in_value(field: Field, value: str) -> list[Fingerprint]:
    """Fingerprints on *field* that match *value*."""
    if len(value) > SHORT:
        return [f for f in of_field(field) if f.matches(value)]
    return list(_in_short(field, value))


@lru_cache(maxsize=16384)  # sites share their headers, names and addresses
def _in_short(field: Field, value: str) -> tuple[Fingerprint, ...]:
    return tuple(f for f in of_field(field) if f.matches(value))


def in_packets(packets: Sequence[PacketFacts], asn: int) -> list[Fingerprint]:
    """Fingerprints of the packets of one connection, in the networks that they are known of."""
    return [
        f
        for f in known()
        if f.field == "packet" and f"AS{asn}" in f.scope.split()
        and occurs(pattern(f.value), packets)
    ]


def in_certificate(subject: str, issuer: str) -> list[Fingerprint]:
    """Fingerprints of a certificate, by the common names of *subject* and *issuer* (RFC 4514)."""
    return [
        *(f for name in _CN.findall(subject) for f in in_value("certificate_subject", name)),
        *(f for name in _CN.findall(issuer) for f in in_value("certificate_issuer", name)),
    ]


def in_page(page: HTTPExchange) -> list[Fingerprint]:
    """Fingerprints of title, headers and body of *page*; its Location is asked for apart."""
    found = in_value("title", page.title) if page.title else []
    for name, value in page.headers:
        found += in_value("header", f"{name.lower()}: {value.lower()}")
    if page.body:
        found += _in_body(page.body[:MAX_BODY])
    return list(dict.fromkeys(found))


def _in_body(body: bytes) -> list[Fingerprint]:
    # Pages do not always say their encoding, and Belarusian ones use both of these.
    readings = {body.decode("utf-8", "replace"), body.decode("cp1251", "replace")}
    shown = {visible(text) for text in readings}
    return [
        f
        for f in of_field("body")
        if any(f.matches(t) for t in (shown if f.match in ("text", "regex") else readings))
    ]


def visible(text: str) -> str:
    """*text* as read: no tags, quotation marks alike, white space folded, lower case."""
    plain = html.unescape(_TAG.sub(" ", text))
    return " ".join(_QUOTES.sub('"', plain).casefold().split())
