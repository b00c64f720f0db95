"""The bridges that the user was given: sealed in a file of their own, known by a keyed hash.

Rule: nowhere else is there anything of a bridge that tells which it is. Records, logs and
the database have its name, which is a hash under a secret of this installation: who has
the database and a list of all bridges cannot tell which of them it is. The file is sealed
with a key from the same secret, so that a copy of it, or of the database, gives no bridge
away. Who has the whole data directory has both, and an encrypted disk is what helps against
that. The secret is not that by which uploads are signed: to forget that one loses no bridge.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from probe.consent.agreement import keep
from probe.tor.bridges import MAX_BRIDGES, BadBridges, Bridge, parse
from probe.upload.identity import Identity, IdentityError

# How a bridge was given out: what the hypotheses about channels ask for.
Channel = Literal["", "default", "email", "moat", "web", "telegram", "private"]
CHANNELS: tuple[str, ...] = get_args(Channel)
PREFIX = "bridge-"  # of a name; a target is tor://NAME
NAME_BYTES = 16
_NONCE = 12
_MAX_FILE = 1_000_000  # bytes
_BOUND_TO = b"zond bridges 1"  # authenticated with the content: what kind of file it is


class KeepingError(Exception):
    """The bridges cannot be read or written. The message is one line and names no bridge."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """*name* is all that may be told of *bridge*, beside its transport and its *channel*."""

    name: str
    bridge: Bridge
    channel: str = ""

    @property
    def url(self) -> str:
        return f"tor://{self.name}"


class _Line(msgspec.Struct, frozen=True):
    line: str
    channel: str = ""


_lines = msgspec.json.Decoder(list[_Line])


class Keeping:
    """The bridges in the file *path*, with the secret beside it."""

    def __init__(self, path: Path) -> None:
        self._path, self._identity = path, Identity(path.with_name(f"{path.name}.key"))

    def all(self) -> tuple[Kept, ...]:
        """In the order in which they were added. Raises `KeepingError`."""
        try:
            with self._path.open("rb") as file:
                sealed = file.read(_MAX_FILE + 1)
        except FileNotFoundError:
            return ()  # and no secret is made for nothing
        except OSError as exc:
            raise KeepingError(f"{self._path}: {exc.strerror or exc}") from exc
        try:
            content = self._cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], _BOUND_TO)
            lines = _lines.decode(content)
            return tuple(self._kept(parse(said.line), said.channel) for said in lines)
        except (InvalidTag, ValueError, BadBridges, RecursionError, msgspec.MsgspecError) as exc:
            raise KeepingError(
                f"{self._path} cannot be opened: it is damaged, or was sealed with a secret that"
                " is gone. Remove it, and add your bridges again"
            ) from exc

    def add(self, line: str, channel: Channel = "") -> Kept:
        """Keep the bridge of *line*. Raises `BadBridges`, `KeepingError`."""
        new = self._kept(parse(line), channel)
        others = [kept for kept in self.all() if kept.name != new.name]
        if len(others) >= MAX_BRIDGES:
            raise BadBridges(f"over {MAX_BRIDGES} bridges")
        self._write([*others, new])
        return new

    def remove(self, name: str) -> bool:
        """Whether there was one of that *name*. Raises `KeepingError`."""
        kept = self.all()
        left = [each for each in kept if each.name != name]
        if len(left) < len(kept):
            self._write(left)
        return len(left) < len(kept)

    def _kept(self, bridge: Bridge, channel: str) -> Kept:
        key = self._secret("names of bridges")
        digest = hmac.new(key, bridge.line.encode(), hashlib.sha256).digest()[:NAME_BYTES]
        return Kept(name=PREFIX + digest.hex(), bridge=bridge, channel=channel)

    def _write(self, kept: list[Kept]) -> None:
        content = msgspec.json.encode([_Line(each.bridge.line, each.channel) for each in kept])
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._cipher().encrypt(nonce, content, _BOUND_TO)
        try:
            keep(self._path, sealed)
        except OSError as exc:
            raise KeepingError(f"{self._path}: {exc.strerror or exc}") from exc

    def _cipher(self) -> ChaCha20Poly1305:
        return ChaCha20Poly1305(self._secret("bridges"))

    def _secret(self, purpose: str) -> bytes:
        try:
            return self._identity.secret_for(purpose)
        except IdentityError as exc:
            raise KeepingError(str(exc)) from exc
