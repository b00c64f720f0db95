"""Since when relays are known: from documents that the user has of Onionoo or CollecTor.

Onionoo's details say it of each relay. Of CollecTor the archived consensuses serve, one or
many: who is in one was there by then. Nothing here is signed by anybody whose key we know; a
date is a claim, and decides no more than which relays are drawn and how old they are called.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from probe.tor.consensus import MAX_CONSENSUS, BadConsensus, unverified

MAX_DOCUMENT = 200 * 2**20  # bytes; Onionoo's details of all relays have some 60 MB


class BadDocument(ValueError):
    """It cannot be read. The message is one line."""


class _Relay(msgspec.Struct):
    fingerprint: str = ""
    first_seen: str = ""


class _Details(msgspec.Struct):
    relays: list[_Relay] = []


_details = msgspec.json.Decoder(_Details)


def read(paths: Iterable[Path]) -> dict[str, float]:
    """POSIX seconds by fingerprint (upper hex), the earliest of all documents in *paths*.

    Raises `BadDocument`.
    """
    born: dict[str, float] = {}
    for path in paths:
        try:
            with path.open("rb") as file:
                data = file.read(MAX_DOCUMENT + 1)
            for fingerprint, at in _dates(data):
                born[fingerprint] = min(at, born.get(fingerprint, at))
        except OSError as exc:
            raise BadDocument(f"{path}: {exc.strerror or exc}") from exc
        except (BadConsensus, msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise BadDocument(
                f"{path}: neither Onionoo's details nor a consensus of CollecTor's"
            ) from exc
    return born


def _dates(data: bytes) -> Iterable[tuple[str, float]]:
    if len(data) > MAX_DOCUMENT:
        raise BadConsensus("too large")
    if data[:100].lstrip().startswith(b"{"):
        return [
            (relay.fingerprint.upper(), at)
            for relay in _details.decode(data).relays
            if (at := day(relay.first_seen[:10])) is not None
        ]
    if len(data) > MAX_CONSENSUS:
        raise BadConsensus("too large")
    valid_after, relays = unverified(data)
    return [(relay.fingerprint, valid_after) for relay in relays]


def day(text: str) -> float | None:
    """The POSIX second at which the day *text* (``2016-12-20``) begins, UTC; None for no day."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
