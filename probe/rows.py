"""What a record is in the tables of `probe.store`: its columns, and its bytes apart.

Rule: a row holds the whole record as JSON, in the form of ``probe.evidence``; the columns
beside it only help to search. Certificates and bodies, which repeat, are moved out of the
record and kept once, packed, under their SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec

from probe.evidence import AnyEvidence, CanaryCheck, Measurement

Row = dict[str, Any]

REMEMBERED = 200  # packed blobs, to write a certificate again without packing it again
MAX_REMEMBERED = 4096  # bytes of one


def text(record: object) -> str:
    """*record* as JSON."""
    return msgspec.json.encode(record).decode()


def canary_row(c: CanaryCheck) -> Row:
    """The row of the table ``canaries``."""
    return {
        "run_id": c.run_id, "ring": c.ring, "at": c.at, "failure": c.failure, "record": text(c),
    }  # fmt: skip


def measurement_row(m: Measurement) -> Row:
    """The row of the table ``measurements``: *m* without its evidence."""
    return {
        "id": m.id,
        "run_id": m.run_id,
        "nettest": m.nettest,
        "nettest_version": m.nettest_version,
        "url": m.url,
        "list_name": m.list_name,
        "started_at": m.started_at,
        "software_version": m.software_version,
        "about": m.about,
        "record": text(msgspec.structs.replace(m, evidence=())),
    }


def evidence_rows(m: Measurement, packed: dict[str, Row]) -> tuple[list[Row], list[Row]]:
    """The rows of *m*'s evidence and of the bytes that were moved out of it.

    *packed* remembers such bytes, which the next measurements are likely to have again.
    """
    rows: list[Row] = []
    blobs: dict[str, Row] = {}
    for seq, evidence in enumerate(m.evidence):
        names: dict[str, str | list[str]] = {}
        for field in _fields_of_bytes(type(evidence)):
            value = getattr(evidence, field)
            if isinstance(value, bytes):
                names[field] = _add_blob(blobs, value, packed)
            elif isinstance(value, tuple) and value and isinstance(value[0], bytes):
                names[field] = [_add_blob(blobs, item, packed) for item in value]
        kept = _without(evidence, names)
        rows.append(
            {
                "seq": seq,
                "kind": type(evidence).__struct_config__.tag,
                "vantage": evidence.vantage,
                "url": evidence.url,
                "t0": evidence.t0,
                "t": evidence.t,
                "failure": evidence.failure,
                "record": text(kept),
                "blobs": json.dumps(names) if names else None,
            }
        )
    return rows, list(blobs.values())


@cache
def _fields_of_bytes(kind: type[AnyEvidence]) -> tuple[str, ...]:
    """The fields of *kind* that hold bytes, or a tuple of them."""
    return tuple(f.name for f in msgspec.structs.fields(kind) if "bytes" in str(f.type))


def _without(evidence: AnyEvidence, fields: Iterable[str]) -> AnyEvidence:
    empty = {f: b"" if isinstance(getattr(evidence, f), bytes) else () for f in fields}
    return msgspec.structs.replace(evidence, **empty) if empty else evidence


def _add_blob(blobs: dict[str, Row], data: bytes, packed: dict[str, Row]) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 not in blobs:
        row = packed.get(sha256) or _packed(sha256, data)
        if len(data) <= MAX_REMEMBERED:
            if len(packed) >= REMEMBERED:
                packed.clear()
            packed[sha256] = row
        blobs[sha256] = row
    return sha256


def _packed(sha256: str, data: bytes) -> Row:
    small = zlib.compress(data, 6)
    encoding = "zlib" if len(small) < len(data) else ""
    return {
        "sha256": sha256,
        "encoding": encoding,
        "size": len(data),
        "data": small if encoding else data,
    }


def unpacked_blob(sha256: str, encoding: str, size: int, data: bytes) -> bytes | None:
    """The bytes that a row of the table ``blobs`` holds; None if they are not those."""
    # The size is known: what a damaged file says never fills the memory.
    try:
        whole = zlib.decompressobj().decompress(data, size + 1) if encoding else bytes(data)
    except zlib.error:
        return None
    return whole if hashlib.sha256(whole).hexdigest() == sha256 else None
