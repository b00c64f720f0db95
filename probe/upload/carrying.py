"""A file of batches to carry to a machine with a way out, and the receipts to carry back.

Rule: who carries it need not be able to read it, and need not be trusted. The file holds
sealed batches under their names and nothing of where they were made; a receipt can only come
from the collector, and is checked at home.

The file: a line `MAGIC`, then for each batch a line ``<sha256> <bytes>`` and so many bytes and
a line break. Cut off anywhere, the whole batches before are good. The receipts: a line
``{"sha256": ..., "receipt": ...}`` each, added as they come, so that an upload that is
interrupted goes on where it was.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from probe.formats.batch import MAX_PACKED, PADDING, is_sealed
from probe.upload.outbox import Outbox, Waiting
from probe.upload.sending import Collector, UploadError

MAGIC = b"zond carried batches 1\n"
MAX_BATCH = MAX_PACKED + 4 * PADDING  # bytes of one, sealed
MAX_BATCHES = 100_000
_HEAD = re.compile(rb"([0-9a-f]{64}) ([1-9][0-9]{0,8})\n")
_MAX_RECEIPT = 1000  # bytes of a line


class CarriedError(ValueError):
    """This is no such file, or not whole. The message is one line for the user."""


class CarriedReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the file that is brought home: the batch's SHA-256 (hex), and its receipt."""

    sha256: str
    receipt: str


def write(path: Path, batches: Iterable[tuple[str, bytes]]) -> list[str]:
    """Write *batches* to a new file *path*; the names that are in it.

    It is there whole or not at all. Raises OSError, FileExistsError where it is there already.
    """
    if path.exists():
        raise FileExistsError(17, "it is there already, and is not written over", str(path))
    names: list[str] = []
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(MAGIC)
            for name, body in batches:
                file.write(f"{name} {len(body)}\n".encode() + body + b"\n")
                names.append(name)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return names


def read(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """The batches in *path* with the places of their bytes, one in memory at a time.

    Raises OSError, and `CarriedError` where the file is none or ends early: after
    the last batch that is whole.
    """
    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise CarriedError(f"{path} is no file that zond export --to-upload made")
        for number in range(MAX_BATCHES):
            line = file.readline(80)
            if not line:
                return
            head = _HEAD.fullmatch(line)
            size = int(head[2]) if head else 0
            if head is None or size > MAX_BATCH:
                raise CarriedError(f"{path} is damaged after {number} batches")
            offset = file.tell()
            body = file.read(size + 1)
            if len(body) <= size or not body.endswith(b"\n"):
                raise CarriedError(f"{path} ends early, after {number} batches")
            yield head[1].decode(), offset, body[:-1]
        raise CarriedError(f"{path} holds more than {MAX_BATCHES} batches")


def body_at(path: Path, offset: int, size: int) -> bytes:
    """The batch of *size* bytes that `read` found at *offset*. Raises OSError."""
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(size)


def add_receipt(path: Path, name: str, receipt: str) -> None:
    """Add a receipt to the file *path*, safe when this returns. Raises OSError."""
    line = msgspec.json.encode(CarriedReceipt(sha256=name, receipt=receipt)) + b"\n"
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line  # what was being written when it was killed
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def receipts(path: Path) -> Iterator[CarriedReceipt]:
    """The receipts in *path*; lines that are none are passed over. Raises OSError."""
    with open(path, "rb") as file:
        for _ in range(MAX_BATCHES):
            line = file.readline(_MAX_RECEIPT)
            if not line:
                return
            try:
                yield msgspec.json.decode(line, type=CarriedReceipt)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue  # a line half written; its batch is sent once more


def carry(outbox: Outbox, collector: Collector, path: Path, *, unsealed: bool = False) -> int:
    """Write what is waiting to the new file *path*; how many batches. They stay in the outbox.

    Raises `UploadError` where there is no key to seal them with, unless *unsealed*; OSError.
    """
    if collector.key is None and not unsealed:
        raise UploadError(
            "without the collector's key ([upload] key, --key FILE) whoever gets the file can"
            " read it; --unsealed writes it all the same"
        )
    waiting = [w.sha256 for w in outbox.waiting() if not w.given_up]
    if not waiting:
        return 0
    found = ((name, outbox.packed(name)) for name in waiting)
    names = write(path, ((n, collector.closed(p)) for n, p in found if p is not None))
    for name in names:
        outbox.carried(name, path.name)
    return len(names)


def take_home(outbox: Outbox, path: Path) -> tuple[int, int]:
    """Receipts in *path*: how many are right, and how many are not ours or wrong."""
    right = wrong = 0
    for found in receipts(path):
        if outbox.deliver(found.sha256, found.receipt, "file"):
            right += 1
        else:
            wrong += 1
    return right, wrong


class CarriedFile:
    """A carried file as a `probe.upload.sending.Source`; receipts go to *home*.

    May raise OSError."""

    def __init__(self, path: Path, home: Path) -> None:
        """Raises `CarriedError` where *path* holds no whole batch."""
        self._path = path
        self._home = home
        done = {r.sha256 for r in receipts(home)} if home.exists() else set()
        self.damage = ""
        self.sealed = True
        self._places: dict[str, tuple[int, int]] = {}
        self.waiting: list[Waiting] = []
        found = 0
        try:
            for name, offset, body in read(path):
                found += 1
                self.sealed &= is_sealed(body)
                self._places[name] = offset, len(body)
                if name not in done:
                    self.waiting.append(
                        Waiting(
                            sha256=name, asn=0, month="", documents=0, packed=len(body),
                            refusals=0, given_up=False,
                        )
                    )  # fmt: skip
        except CarriedError as exc:
            if not found:
                raise
            self.damage = str(exc)

    def packed(self, sha256: str) -> bytes | None:
        return body_at(self._path, *self._places[sha256])

    def attempt(self, sha256: str, way: str, size: int) -> None:
        """Nothing is kept here of what was tried."""

    def failed(self, sha256: str, way: str, why: str, unsent: int = 0) -> None:
        """Nothing is kept here of what failed."""

    def refused(self, sha256: str, way: str, why: str) -> bool:
        return False

    def deliver(self, sha256: str, receipt: str, way: str) -> bool:
        """Whether it looks like a receipt: only who made the batch can tell."""
        if len(receipt) != 64 or set(receipt) - set("0123456789abcdef"):
            return False
        add_receipt(self._home, sha256, receipt)
        return True
