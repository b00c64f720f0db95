"""Since when relays are known: from documents that the user has of Onionoo or CollecTor.

Onionoo's details say it of each relay and bridge. Of CollecTor the archived consensuses
serve, one or many: who is in one was there by then. Nothing here is signed by anybody whose
key we know; a date is a claim, and decides no more than which relays are drawn and how old
they are called. Of bridges neither tells an address, and nothing here does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from probe.tor.consensus import MAX_CONSENSUS, BadConsensus, unverified

MAX_DOCUMENT = 200 * 2**20  # bytes; Onionoo's details of all relays have some 60 MB
# Onionoo's words for how bridges are given out, in ours.
CHANNELS = {"https": "web", "email": "email", "moat": "moat", "telegram": "telegram",
            "settings": "moat", "lox": "lox", "reserved": "private", "none": "private"}  # fmt: skip


class BadDocument(ValueError):
    """It cannot be read. The message is one line."""


@dataclass(frozen=True, kw_only=True)
class Dated:
    """A relay by *fingerprint* (upper hex; of a bridge hashed) and the POSIX seconds between
    which it is known; *ip* is empty for a bridge. *role* is ``relay``, ``dirauth`` or ``bridge``.
    """

    fingerprint: str
    first: float
    last: float
    role: str = "relay"
    ip: str = ""
    or_port: int = 0
    dir_port: int = 0
    channel: str = ""
    transport: str = ""
    source: str = ""


class _Relay(msgspec.Struct):
    fingerprint: str = ""
    hashed_fingerprint: str = ""
    first_seen: str = ""
    last_seen: str = ""
    or_addresses: list[str] = []
    dir_address: str = ""
    flags: list[str] = []
    transports: list[str] = []
    bridgedb_distributor: str = ""


class _Details(msgspec.Struct):
    relays: list[_Relay] = []
    bridges: list[_Relay] = []


_details = msgspec.json.Decoder(_Details)


def read(paths: Iterable[Path]) -> dict[str, Dated]:
    """What the documents in *paths* say together, by fingerprint. Raises `BadDocument`."""
    known: dict[str, Dated] = {}
    for path in paths:
        try:
            with path.open("rb") as file:
                data = file.read(MAX_DOCUMENT + 1)
            for found in _dated(data):
                before = known.get(found.fingerprint, found)
                latest = found if found.last >= before.last else before
                known[found.fingerprint] = replace(
                    latest, first=min(found.first, before.first), last=latest.last
                )
        except OSError as exc:
            raise BadDocument(f"{path}: {exc.strerror or exc}") from exc
        except (BadConsensus, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
            raise BadDocument(
                f"{path}: neither Onionoo's details nor a consensus of CollecTor's"
            ) from exc
    return known


def _dated(data: bytes) -> Iterator[Dated]:
    if len(data) > MAX_DOCUMENT:
        raise BadConsensus("too large")
    if data[:100].lstrip().startswith(b"{"):
        document = _details.decode(data)
        for relay in document.relays:
            yield from _onionoo(relay)
        for bridge in document.bridges:
            yield from _bridge(bridge)
        return
    if len(data) > MAX_CONSENSUS:
        raise BadConsensus("too large")
    at, relays = unverified(data)
    source = f"consensus of {datetime.fromtimestamp(at, UTC):%Y-%m-%dT%HZ}, not verified"
    for each in relays:
        yield Dated(
            fingerprint=each.fingerprint, first=at, last=at, ip=each.ip, or_port=each.or_port,
            role="dirauth" if "Authority" in each.flags else "relay", dir_port=each.dir_port,
            source=source,
        )  # fmt: skip


def _onionoo(said: _Relay) -> Iterator[Dated]:
    first, last = day(said.first_seen[:10]), day(said.last_seen[:10])
    if first is None or len(said.fingerprint) != 40:
        return
    ip, or_port = _endpoint(said.or_addresses[0] if said.or_addresses else "")
    yield Dated(
        fingerprint=said.fingerprint.upper(), first=first, last=max(first, last or first), ip=ip,
        or_port=or_port, dir_port=_endpoint(said.dir_address)[1],
        role="dirauth" if "Authority" in said.flags else "relay", source="Onionoo, details",
    )  # fmt: skip


def _bridge(said: _Relay) -> Iterator[Dated]:
    first, last = day(said.first_seen[:10]), day(said.last_seen[:10])
    if first is None or len(said.hashed_fingerprint) != 40:
        return
    yield Dated(
        fingerprint=said.hashed_fingerprint.upper(), first=first, last=max(first, last or first),
        role="bridge", channel=CHANNELS.get(said.bridgedb_distributor.lower(), ""),
        transport=said.transports[0][:20] if said.transports else "", source="Onionoo, details",
    )  # fmt: skip


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    good = port.isascii() and port.isdecimal() and len(port) < 6
    return host.strip("[]")[:45], int(port) if good else 0


def day(text: str) -> float | None:
    """The POSIX second at which the day *text* (``2016-12-20``) begins, UTC; None for no day."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def text_of(at: float) -> str:
    """The inverse of `day`."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
