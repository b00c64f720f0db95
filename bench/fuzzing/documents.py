"""Measurement documents: OONI's as they are imported, ours as they are kept and leave."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
from collections.abc import Iterator

import msgspec
from backports import zstd

from analysis.collector.documents import Unfit, read_one
from analysis.explain import _seen
from analysis.observe.derive import observe
from analysis.observe.services import is_service, service_rows
from bench.fuzzing.target import target
from probe.documents import DocumentError, packed, unpacked
from probe.evidence import Measurement, Run
from probe.export_table import rows_of
from probe.exporting import Item
from probe.formats.ooni import Imported, read
from probe.formats.ooni.files import documents
from probe.formats.ooni_export.document import NotOONI, document
from probe.retention import _stripped
from probe.scrubbing import web
from probe.scrubbing.eraser import Eraser
from probe.scrubbing.known import Known
from probe.scrubbing.scrub import Choices, Scrubber
from tests.collector.test_fuzz_documents import GOOD
from tests.formats.test_fuzz import SEEDS

MINE = "198.51.100.77"
NAME = "Vasilisa-Laptop"
KNOWN = Known(
    addresses=(MINE, "2001:db8:5:6::7", "192.168.1.23"), macs=("02:11:22:33:44:55",), names=(NAME,)
)


@target(
    "ooni_document", "probe.formats.ooni", "analysis.observe", json=True, most=65536,
    seeds=lambda: [json.dumps(seed).encode() for seed in SEEDS],
)  # fmt: skip
def ooni_document(data: bytes) -> None:
    """A document of OONI's to its reader, and to what is derived of it."""
    found = read(data)
    if isinstance(found, Imported):
        for measurement in found.measurements:
            if is_service(measurement):
                service_rows(measurement, found.run, found.canaries)
            else:
                observe(measurement, found.run, found.canaries)


def files() -> Iterator[bytes]:
    lines = b"\n".join(json.dumps(seed).encode() for seed in SEEDS[:3])
    yield lines
    yield b"\xef\xbb\xbf[" + lines.replace(b"\n", b",") + b"]"
    yield json.dumps(SEEDS[0], indent=1).encode()
    yield gzip.compress(lines)
    yield zstd.compress(lines)
    yield zstd.compress(bytes(3_000_000))


@target("ooni_file", "probe.formats.ooni.files", seeds=files, most=65536)
def ooni_file(data: bytes) -> None:
    """A file to be imported: JSON, lines, compressed, or none of these."""
    for found in documents(io.BytesIO(data)):
        assert not found.problem or found.problem.isprintable()


@target(
    "kept_document", "probe.documents", refuses=(DocumentError,),
    seeds=lambda: (packed(b"{}")["data"], packed(bytes(99_999))["data"]),
)  # fmt: skip
def kept_document(data: bytes) -> None:
    """An imported document as the database holds it."""
    assert len(unpacked(hashlib.sha256(b"{}").hexdigest(), 2, data)) == 2


@target(
    "evidence", "probe.evidence", "probe.formats.ooni_export", "analysis.observe",
    "analysis.explain",
    "probe.export_table", "probe.scrubbing", json=True, most=65536,
    refuses=(msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Unfit),
    seeds=lambda: [json.dumps(GOOD[1]).encode()],
)  # fmt: skip
def evidence(data: bytes) -> None:
    """A measurement that a collector takes, to everything that reads those of a database."""
    measurement = read_one(data)
    if not isinstance(measurement, Measurement):
        raise Unfit("a run, or a look at the line")
    run = msgspec.structs.replace(_RUN, id=measurement.run_id)
    for one in measurement.evidence:
        _stripped(msgspec.json.encode(one).decode(), {})
    if is_service(measurement):
        service_rows(measurement, run, ())
    else:
        observe(measurement, run, ())
    _seen(measurement)
    list(rows_of(Item(run=run, measurement=measurement)))
    try:
        document(run, measurement, (), ())
    except NotOONI:
        pass
    scrubber = Scrubber(KNOWN, Choices(personal=True, bodies="all"))
    scrubber.run(run)
    scrubber.measurement(measurement)


_RUN = msgspec.convert({k: v for k, v in GOOD[0].items() if k != "kind"}, Run)

_TOLD = re.compile(rf"(?<![\w.-])(?:{re.escape(MINE)}|{NAME})(?![\w.-])")
TELLING = (
    b"198.51.100.77", b"198-51-100-77", b"0xc633644d", b"2001:db8:5:6::7", b"02:11:22:33:44:55",
    b"Vasilisa-Laptop", b"https://site.by/?a=https://x/", b"name=token value=", b"%31%39", b"&#49;",
)  # fmt: skip


@target(
    "scrubbed", "probe.scrubbing", most=16384, words=TELLING,
    seeds=lambda: (
        b"<p>You are 198.51.100.77 (Vasilisa-Laptop)<input name=csrf value=abc12345>",
        b"https://user@site.by/a/b?x=https%3A%2F%2Fy.by%2F%3Ftoken%3D1#frag", bytes(40),
        b"MTk4LjUxLjEwMC43Nw==", b'{"ip":"198.51.100.77","mac":"02:11:22:33:44:55"}',
    ),
)  # fmt: skip
def scrubbed(data: bytes) -> None:
    """Text, pages and bytes without the user: never there afterwards, never a longer blob."""
    eraser = Eraser(KNOWN)
    text = data.decode("latin-1")
    for clean in (eraser.text(text), eraser.body(data).decode("latin-1")):
        assert not _TOLD.search(clean), clean
    assert len(eraser.binary(data)) == len(data)
    assert not _TOLD.search(eraser.binary(data).decode("latin-1"))
    clean = web.url(text)
    assert web.url(clean) == clean
    web.page(text, ())
    web.host(text)
    web.tokens(text)
