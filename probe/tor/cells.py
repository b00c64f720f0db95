"""The first cells of a link between a client and a Tor relay: bytes in, facts out.

No input or output here (tor-spec, "Cell Packet Format" and "Negotiating and initializing
channels"). What arrives is a stranger's: a cell that is too long, too many cells before the
relay has introduced itself, or one that has no place there ends it with `BadLink`, and
`NotTor` if not even the first cell is Tor's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address
from typing import NamedTuple

OFFERED = (3, 4, 5)  # link protocol versions, as tor offers them
CELL_BODY = 509  # bytes of a cell of fixed length
MAX_CELL = 32 * 1024  # bytes of a variable one; a relay's CERTS has some 1,600
MAX_CELLS = 30  # before NETINFO; there are four, and padding between them
MAX_CERTIFICATES = 20
MAX_VERSIONS = 50


class Command(IntEnum):
    PADDING = 0
    VERSIONS = 7
    NETINFO = 8
    VPADDING = 128
    CERTS = 129
    AUTH_CHALLENGE = 130


class BadLink(ValueError):
    """What came is not what a relay says. The text quotes nothing of it."""


class NotTor(BadLink):
    """What came does not even begin like Tor's link protocol."""


class Cell(NamedTuple):
    """One cell of a link (tor-spec, "Cell packet format"); *body* as it came, with its padding."""

    circuit: int
    command: int
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Introduction:
    """What a relay said of itself: link *versions* it speaks, its *certificates* by type
    (tor-spec, "CERTS cells"), and the POSIX second that it takes it to be (0: it did not say).

    NETINFO also says from which address we came. That is left where it is.
    """

    versions: tuple[int, ...]
    certificates: dict[int, bytes]
    time: int


class Link:
    """The client's side, up to the relay's NETINFO.

    Send what `hello` gives, feed what arrives to `receive` until it returns an `Introduction`,
    then send `netinfo`.
    """

    def __init__(self) -> None:
        self._unread = b""
        self._version = 0
        self._seen = 0
        self._versions: tuple[int, ...] = ()
        self._certificates: dict[int, bytes] | None = None

    @property
    def version(self) -> int:
        """The version agreed on, 0 before that."""
        return self._version

    @property
    def versions(self) -> tuple[int, ...]:
        """Those that the relay speaks, as far as it has said."""
        return self._versions

    def hello(self) -> bytes:
        body = b"".join(version.to_bytes(2) for version in OFFERED)
        return struct.pack("!HBH", 0, Command.VERSIONS, len(body)) + body

    def receive(self, data: bytes) -> Introduction | None:
        """None while more must come. Raises `BadLink`."""
        self.feed(data)
        while (cell := self.next_cell()) is not None:
            self._seen += 1
            if self._seen > MAX_CELLS:
                raise BadLink("too many cells before NETINFO")
            introduced = self._take(cell)
            if introduced is not None:
                return introduced
        return None

    def feed(self, data: bytes) -> None:
        """Take what arrived, to be read by `next_cell`."""
        self._unread += data

    def next_cell(self) -> Cell | None:
        """The next whole cell among what has arrived. Raises `BadLink`."""
        data = self._unread
        if not self._version:
            return self._first(data)
        wide = 4 if self._version >= 4 else 2
        if len(data) < wide + 1:
            return None
        circuit, command = int.from_bytes(data[:wide]), data[wide]
        start, size = wide + 1, CELL_BODY
        if command >= Command.VPADDING or command == Command.VERSIONS:
            if len(data) < start + 2:
                return None
            start, size = start + 2, int.from_bytes(data[start : start + 2])
            if size > MAX_CELL:
                raise BadLink(f"a cell of {size} bytes")
        if len(data) < start + size:
            return None
        self._unread = data[start + size :]
        return Cell(circuit, command, data[start : start + size])

    def _first(self, data: bytes) -> Cell | None:
        """VERSIONS, whose circuit is two bytes since no version is agreed on yet."""
        if data[:3] != b"\0\0\x07"[: len(data)]:
            raise NotTor("what came is not Tor's link protocol")
        if len(data) < 5:
            return None
        size = int.from_bytes(data[3:5])
        if size % 2 or not 0 < size <= 2 * MAX_VERSIONS:
            raise NotTor("what came is not Tor's link protocol: impossible VERSIONS")
        if len(data) < 5 + size:
            return None
        self._unread = data[5 + size :]
        return Cell(0, Command.VERSIONS, data[5 : 5 + size])

    def _take(self, cell: Cell) -> Introduction | None:
        match cell.command:
            case Command.PADDING | Command.VPADDING:
                return None
            case Command.VERSIONS if not self._version:
                self._versions = tuple(n for (n,) in struct.iter_unpack("!H", cell.body))
                common = set(self._versions) & set(OFFERED)
                if not common:
                    raise BadLink("no link version in common")
                self._version = max(common)
            case Command.CERTS if self._certificates is None:
                self._certificates = _certificates(cell.body)
            case Command.AUTH_CHALLENGE if self._certificates is not None:
                return None  # it is for relays, that prove themselves too
            case Command.NETINFO if self._certificates is not None:
                return Introduction(
                    versions=self._versions,
                    certificates=self._certificates,
                    time=int.from_bytes(cell.body[:4]),
                )
            case _:
                raise BadLink(f"cell {cell.command} where it has no place")
        return None


def cell(circuit: int, command: int, body: bytes) -> bytes:
    """A cell of fixed length for link versions 4 and above, to be sent."""
    return struct.pack("!IB", circuit, command) + body.ljust(CELL_BODY, b"\0")


def netinfo(version: int, ip: str) -> bytes:
    """The client's NETINFO: no time and no address of its own, and *ip*, the relay's."""
    raw = ip_address(ip).packed
    kind = 4 if len(raw) == 4 else 6
    whole = cell(0, Command.NETINFO, struct.pack("!IBB", 0, kind, len(raw)) + raw + b"\0")
    return whole if version >= 4 else whole[2:]


def _certificates(body: bytes) -> dict[int, bytes]:
    """By type. Raises `BadLink`: a type that is there twice is forbidden."""
    found: dict[int, bytes] = {}
    count, at = (body[0] if body else 0), 1
    if count > MAX_CERTIFICATES:
        raise BadLink(f"{count} certificates")
    for _ in range(count):
        if len(body) < at + 3:
            raise BadLink("CERTS is cut short")
        kind, size = struct.unpack_from("!BH", body, at)
        if len(body) < at + 3 + size:
            raise BadLink("CERTS is cut short")
        if kind in found:
            raise BadLink(f"two certificates of type {kind}")
        found[kind] = body[at + 3 : at + 3 + size]
        at += 3 + size
    return found
