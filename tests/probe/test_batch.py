"""A batch arrives as it left, or not at all, and says why."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from probe.formats import batch
from probe.formats.batch import Batch, BatchError, CollectorKey, CollectorSecret, Header

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SECRET = CollectorSecret()
DOCUMENTS = (b'{"kind":"measurement","url":"https://example.org/"}', '{"т":"ё"}'.encode())


def header(documents: int = len(DOCUMENTS), key: Ed25519PrivateKey = KEY) -> Header:
    return Header(
        software="zond 0.1", pseudonym=batch.pseudonym(key.public_key()), probe_cc="BY",
        probe_asn=6697, month=datetime(2026, 11, 1, tzinfo=UTC).strftime("%Y-%m"),
        nonce=bytes(range(32)).hex(), documents=documents,
    )  # fmt: skip


TEXT = batch.plain(header(), DOCUMENTS)
PACKED = batch.pack(TEXT, KEY)
SEALED = CollectorKey(SECRET.public).seal(PACKED)


def refused(packed: bytes) -> str:
    with pytest.raises(BatchError) as told:
        batch.unpack(packed)
    return str(told.value)


def repacked(text: bytes, **changes: object) -> bytes:
    """*text* packed by KEY, with *changes* to the line outside."""
    line, _, compressed = batch.pack(text, KEY).partition(b"\n")
    return msgspec.json.encode(msgspec.json.decode(line) | changes) + b"\n" + compressed


def test_what_was_packed_and_sealed_comes_out() -> None:
    assert batch.unpack(SECRET.open(SEALED)) == Batch(
        sha256=batch.name(TEXT), key=KEY.public_key().public_bytes_raw().hex(),
        header=header(), documents=DOCUMENTS,
    )  # fmt: skip


def test_a_secret_kept_as_bytes_opens_what_was_sealed_before() -> None:
    assert CollectorSecret(SECRET.raw).open(SEALED) == PACKED


def test_nothing_of_a_sealed_batch_can_be_read_and_its_length_is_rounded() -> None:
    inside = SEALED[len(batch.SEALED) :]
    assert batch.pseudonym(KEY.public_key()).encode() not in inside
    assert batch.name(TEXT).encode() not in inside
    other = CollectorKey(SECRET.public).seal(batch.pack(batch.plain(header(), (b"{}", b"{}")), KEY))
    assert len(other) == len(SEALED)


def test_sealed_for_another_collector_it_stays_shut() -> None:
    with pytest.raises(BatchError, match="not sealed for us"):
        CollectorSecret().open(SEALED)


@given(at=st.integers(0, len(SEALED) - 1), bit=st.integers(0, 7))
def test_a_bit_changed_on_the_way_is_noticed_when_sealed(at: int, bit: int) -> None:
    changed = bytearray(SEALED)
    changed[at] ^= 1 << bit
    with pytest.raises(BatchError):
        SECRET.open(bytes(changed))


@given(at=st.integers(0, len(PACKED) - 1), bit=st.integers(0, 7))
def test_a_bit_changed_on_the_way_changes_no_document(at: int, bit: int) -> None:
    changed = bytearray(PACKED)
    changed[at] ^= 1 << bit
    try:
        assert batch.unpack(bytes(changed)).documents == DOCUMENTS
    except BatchError:
        pass


@given(cut=st.integers(0, len(PACKED) - 1))
def test_cut_off_anywhere_it_is_refused(cut: int) -> None:
    refused(PACKED[:cut])


@given(st.binary(max_size=2000))
def test_rubbish_is_refused_with_a_reason(rubbish: bytes) -> None:
    assert refused(rubbish)
    with pytest.raises(BatchError):
        SECRET.open(batch.SEALED + rubbish)


def test_lines_that_nest_without_end_are_refused() -> None:
    deep = b'{"a":' + b"[" * 4000
    refused(deep + b"\n")
    refused(batch.pack(deep + b"\n{}\n", KEY))


def test_somebody_elses_name_signature_or_pseudonym_is_refused() -> None:
    other = Ed25519PrivateKey.generate()
    raw = other.public_key().public_bytes_raw().hex()
    assert "signature" in refused(repacked(TEXT, key=raw))
    assert "name" in refused(repacked(TEXT, sha256="00" * 32))
    stolen = batch.plain(header(key=other), DOCUMENTS)
    assert "pseudonym" in refused(batch.pack(stolen, KEY))


def test_text_that_grows_beyond_what_it_says_is_not_unpacked() -> None:
    bomb = batch.plain(header(1), (b'"' + bytes(20 * 2**20).replace(b"\0", b"a") + b'"',))
    assert len(batch.pack(bomb, KEY)) < 10_000
    assert "size" in refused(repacked(bomb, size=1000))
    assert "line" in refused(batch.pack(bomb, KEY))
    assert "bytes of text" in refused(repacked(bomb, size=batch.MAX_PLAIN + 1))


def test_the_count_of_documents_is_part_of_what_is_signed() -> None:
    assert "documents" in refused(batch.pack(batch.plain(header(3), DOCUMENTS), KEY))


def test_a_receipt_takes_the_nonce_and_the_name() -> None:
    known = batch.receipt(header(), batch.name(TEXT))
    strange = msgspec.structs.replace(header(), nonce=os.urandom(32).hex())
    assert known != batch.receipt(strange, batch.name(TEXT))
    assert known != batch.receipt(header(), "00" * 32)


@pytest.mark.parametrize("text", ["", "AAAA", "no key", "ё"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BatchError):
        CollectorKey(text)
    with pytest.raises(BatchError):
        CollectorSecret(text.encode())
