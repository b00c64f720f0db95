"""Documents of other programs as they are kept: whole, compressed, once each by content.

The evidence of an imported measurement is read from its document whenever it is asked
for. So nothing that a document says is lost, and a better reader is a better reading of
what was imported long ago.
"""

from __future__ import annotations

import hashlib
import sys
from typing import Any

import msgspec

from probe.evidence import AnyEvidence, CanaryCheck, Measurement, Run
from probe.formats.ooni.document import MAX_DOCUMENT, Imported
from probe.formats.ooni.reading import read

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENCODING = "zstd"
LEVEL = 3


class DocumentError(Exception):
    """A kept document is not what was kept."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was read: *run* and *measurements* are what it says.

    *file* and *line* (0: the file is the document) say where it came from, *sha256* (hex) is
    that of *data*.
    """

    data: bytes
    sha256: str
    file: str
    line: int
    run: Run
    measurements: tuple[Measurement, ...]
    canaries: tuple[CanaryCheck, ...] = ()


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A document that could not be read, and why. *data* may be its beginning only."""

    data: bytes
    file: str
    line: int
    reason: str
    nettest: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def packed(data: bytes) -> dict[str, Any]:
    """The columns that hold *data*."""
    return {"encoding": ENCODING, "size": len(data), "data": zstd.compress(data, LEVEL)}


def unpacked(sha256: str, size: int, data: bytes) -> bytes:
    """The inverse of `packed`. Raises `DocumentError`: what is not as it was is no evidence."""
    if not 0 <= size <= MAX_DOCUMENT:
        raise DocumentError("its size cannot be")
    try:
        whole = zstd.ZstdDecompressor().decompress(data, size + 1)
    except zstd.ZstdError as exc:
        raise DocumentError(str(exc)) from exc
    if hashlib.sha256(whole).hexdigest() != sha256:
        raise DocumentError("its bytes have changed")
    return whole


def evidence_of(id: str, data: bytes, sha256: str) -> tuple[AnyEvidence, ...]:
    """What the document *data* says today of the measurement *id*; empty where nothing."""
    found = read(data, sha256=sha256)
    if not isinstance(found, Imported):
        return ()
    return next((m.evidence for m in found.measurements if m.id == id), ())
