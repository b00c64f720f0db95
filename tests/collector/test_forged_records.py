"""A payload that holds what looks like a record is never read as one."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
import pytest

from analysis.collector.notes import OONI
from analysis.collector.ooni_documents import submitted
from analysis.collector.reading import Received, ReceivedOoni, genuine, received
from analysis.collector.segments import Place, Record, Segments
from analysis.collector.spool import Spool
from tests.collector.service import line, some_batch, some_measurement

VICTIM = hashlib.sha256(b"somebody's batch").digest()


def forged(folder: Path) -> bytes:
    """A record's bytes, for the name of another's batch."""
    segments = Segments(folder)
    segments.append(VICTIM, b"nothing")
    segments.commit()
    segments.close()
    return segments.path(1).read_bytes()


@pytest.mark.parametrize("torn", [True, False])
def test_neither_a_torn_nor_a_damaged_record_lets_out_what_is_inside_of_it(
    tmp_path: Path, torn: bool
) -> None:
    name, packed, _ = some_batch(line(some_measurement()))
    payload = b"x" * 50 + forged(tmp_path / "forge") + b"x" * 50
    segments = Segments(tmp_path / "spool")
    place = segments.append(hashlib.sha256(payload).digest(), payload)
    if not torn:
        segments.append(bytes.fromhex(name), packed)
    segments.commit()
    segments.close()
    path = segments.path(1)
    if torn:
        os.truncate(path, path.stat().st_size - 10)
    else:
        data = bytearray(path.read_bytes())
        data[place.offset + 60] ^= 1
        path.write_bytes(bytes(data))
    found = [i.batch.sha256 for i in received(tmp_path) if isinstance(i, Received)]
    with Spool(tmp_path / "spool", genuine=genuine) as spool:
        assert spool.place(VICTIM) is None
        assert spool.count() == (0 if torn else 1)
    assert found == ([] if torn else [name])


def test_genuine_is_what_has_its_own_name() -> None:
    name, packed, _ = some_batch(line(some_measurement()))
    assert genuine(Record(Place(1, 0), bytes.fromhex(name), 0, packed))
    assert not genuine(Record(Place(1, 0), VICTIM, 0, packed))
    document = msgspec.json.encode({"test_name": "ndt", "report_id": "a", "n": 1.5})
    sent = submitted(document, "", "", 0.0)
    assert genuine(Record(Place(1, 0), sent.name, OONI, sent.payload))
    assert not genuine(Record(Place(1, 0), VICTIM, OONI, sent.payload))
    assert not genuine(Record(Place(1, 0), sent.name, OONI, b"rubbish"))


def test_documents_of_oonis_are_read_as_they_were_sent(tmp_path: Path) -> None:
    document = b' {"test_name":"ndt",  "report_id":"a"}\n'
    sent = submitted(document, "", "", 0.0)
    segments = Segments(tmp_path / "spool")
    segments.append(sent.name, sent.payload, OONI, msgspec.json.encode(sent.note))
    segments.commit()
    segments.close()
    (item,) = received(tmp_path)
    assert isinstance(item, ReceivedOoni)
    assert item.document == document
    assert item.note == sent.note
