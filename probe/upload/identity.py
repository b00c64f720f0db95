"""Who signs: a secret of this installation, and one key for each network and month from it.

Rule: a key that signs twice links what it signed. So none is used beyond one access
network and one month: a dataset can count that two probes agree, and nobody can follow
one of them from home to work, or from March to April, without the secret, which never
leaves (HKDF, RFC 5869: keys derived from one secret tell nothing of each other). A month,
since blocks last weeks and a probe that could not be counted twice within one would make
each of its days look like another witness.

The file is made when it is first needed, for its owner only. `forget` ends all of it: what
comes after cannot be linked with what was before, not even by us.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_BYTES = 32


class IdentityError(Exception):
    """The secret cannot be read or written. The message is one line for the user."""


def month_of(at: float) -> str:
    """The month of POSIX second *at*, UTC, as ``2026-11``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m")


class Identity:
    """The secret in the file *path*."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def key(self, asn: int, month: str) -> Ed25519PrivateKey:
        """The key for access network *asn* in *month* (`month_of`). Raises `IdentityError`."""
        derived = HKDF(
            algorithm=SHA256(), length=32, salt=None, info=f"zond signs AS{asn} {month}".encode()
        ).derive(self._secret())
        return Ed25519PrivateKey.from_private_bytes(derived)

    def secret_for(self, purpose: str) -> bytes:
        """32 bytes that only this installation has, for *purpose*. Raises `IdentityError`.

        Like a signing key, they tell nothing of others; nothing is signed with them.
        """
        return HKDF(
            algorithm=SHA256(), length=32, salt=None, info=f"zond keeps {purpose}".encode()
        ).derive(self._secret())

    def forget(self) -> bool:
        """Remove the secret; whether there was one. Raises `IdentityError`.

        Its bytes are written over first. On flash memory that may not reach the old
        cells: only an encrypted disk makes sure.
        """
        try:
            if not self.path.exists():
                return False
            with open(self.path, "r+b") as file:
                file.write(os.urandom(SECRET_BYTES))
                file.flush()
                os.fsync(file.fileno())
            self.path.unlink()
        except OSError as exc:
            raise IdentityError(f"{self.path}: {exc.strerror or exc}") from exc
        return True

    def _secret(self) -> bytes:
        try:
            if not self.path.exists():
                self._make()
            secret = self.path.read_bytes()
        except OSError as exc:
            raise IdentityError(f"{self.path}: {exc.strerror or exc}") from exc
        if len(secret) != SECRET_BYTES:
            raise IdentityError(
                f"{self.path} is damaged: remove it, and a new secret is made"
            )
        return secret

    def _make(self) -> None:
        """Whole or not there, for two processes that start together as well."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        unfinished.unlink(missing_ok=True)  # of a process that was killed, or a stranger's trap
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(file, "wb") as stream:
                stream.write(os.urandom(SECRET_BYTES))
                stream.flush()
                os.fsync(stream.fileno())
            try:
                os.link(unfinished, self.path)
            except FileExistsError:
                pass  # the other process was first, and its secret is as good
        finally:
            unfinished.unlink(missing_ok=True)
