"""A release of the lists: one signed file, read in memory and never unpacked.

Rule: nothing of a release is looked at before its signature is verified. Whoever can change
a list chooses what volunteers ask for, from their homes, under their names.

The file is a ZIP archive of the CSV files and of ``VERSION``, beside it its signature by
minisign (https://jedisct1.github.io/minisign/: Ed25519 over BLAKE2b-512), so that anybody can
check it without zond. A version is the day of the release, with a number where there were
two (``2026-11-22``, ``2026-11-22.1``); the signature also covers the version in its trusted
comment, and a release is made to the same bytes from the same lists.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

VERSION_FILE = "VERSION"
MAX_RELEASE = 32 * 2**20  # bytes, of the archive and of what is in it
MAX_LISTS = 200
MAX_SIGNATURE = 10_000  # bytes; minisign's own limit of a comment is 8192
_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}", re.ASCII)
_VERSION = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.([1-9]\d{0,2}))?", re.ASCII)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest that ZIP knows: a release has no other time


class BadRelease(ValueError):
    """What was given is no release, or not one of ours. The message is one line."""


@dataclass(frozen=True, order=True, slots=True)
class Version:
    """The *day* of a release, and its *number* on that day, from 0."""

    day: date
    number: int = 0

    def __str__(self) -> str:
        return f"{self.day}.{self.number}" if self.number else str(self.day)

    @classmethod
    def parse(cls, text: str) -> Version:
        """Raises `BadRelease`."""
        match = _VERSION.fullmatch(text.strip())
        try:
            if match is None:
                raise ValueError
            return cls(date.fromisoformat(match[1]), int(match[2] or 0))
        except ValueError as exc:
            raise BadRelease(f"no version: {text.strip()[:40]!r}; as in 2026-11-22") from exc


@dataclass(frozen=True, slots=True)
class Release:
    """*lists* are the contents of the CSV files by the name of the list."""

    version: Version
    lists: Mapping[str, bytes]


def is_list_name(name: str) -> bool:
    """Whether a list may be called *name*: what is also a file's name everywhere."""
    return _NAME.fullmatch(name) is not None


def make(lists: Mapping[str, bytes], version: Version) -> bytes:
    """The archive, without a signature."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        files = {f"{name}.csv": content for name, content in lists.items()}
        files[VERSION_FILE] = f"{version}\n".encode()
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # the same bytes on every system
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def comment(version: Version) -> str:
    """The trusted comment of a release's signature."""
    return f"zond lists {version}"


def opened(archive: bytes, signature: bytes, key: str) -> Release:
    """The release in *archive*, if who holds *key* signed it. Raises `BadRelease`.

    *key* is a public key as minisign writes it: one line of base64, with or without the
    comment above.
    """
    import minisign  # with cryptography, which a list that came with the package does not need

    if len(archive) > MAX_RELEASE or len(signature) > MAX_SIGNATURE:
        raise BadRelease(f"larger than {MAX_RELEASE // 2**20} MB")
    try:
        public = minisign.PublicKey.from_base64(key.strip().rpartition("\n")[2].strip())
    except minisign.Error as exc:
        raise BadRelease(f"not a public key of minisign: {exc}") from exc
    try:
        signed = minisign.Signature.from_bytes(signature)
        public.verify(archive, signed)
    except minisign.Error as exc:
        raise BadRelease(f"the signature is not good: {exc}") from exc
    release = _read(archive)
    if signed.trusted_comment != comment(release.version):
        raise BadRelease(f"signed as {signed.trusted_comment[:60]!r}, and says {release.version}")
    return release


def _read(archive: bytes) -> Release:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened_archive:
            infos = opened_archive.infolist()
            if len(infos) > MAX_LISTS or sum(i.file_size for i in infos) > MAX_RELEASE:
                raise BadRelease("more lists than a release has")
            if {i.compress_type for i in infos} - {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise BadRelease("packed in a way that releases are not")
            files = {info.filename: opened_archive.read(info) for info in infos}
    except BadRelease:
        raise
    except (
        zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError
    ) as exc:  # fmt: skip
        raise BadRelease(f"not an archive: {exc}") from exc
    version = Version.parse(files.pop(VERSION_FILE, b"").decode(errors="replace"))
    lists = {file.removesuffix(".csv"): content for file, content in files.items()}
    strange = [f for f in files if not f.endswith(".csv") or not is_list_name(f[:-4])]
    if strange or not lists:
        raise BadRelease(f"not a list: {strange[0][:40]!r}" if strange else "no list in it")
    return Release(version, lists)
