"""The chain from a relay's long-term keys to one TLS connection: each link of it must hold."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.tor.certificates import Unproved, prove
from tests.tor.relays import DAY, Keys, ed25519_certificate, raw

KEYS, OTHER = Keys(), Keys()
Spoil = Callable[[dict[int, bytes]], None]


def test_a_relay_proves_to_be_itself() -> None:
    found = prove(KEYS.certificates(), KEYS.tls_der)
    assert (KEYS.fingerprint, KEYS.ed25519) == (found.fingerprint, found.ed25519)
    assert found.is_expected(KEYS.fingerprint, KEYS.ed25519)
    assert found.is_expected(KEYS.fingerprint.lower(), KEYS.ed25519 + "=")
    assert found.is_expected("", "")
    assert not found.is_expected(OTHER.fingerprint, "")
    assert not found.is_expected("", OTHER.ed25519)


def test_the_certificates_of_one_connection_prove_nothing_about_another() -> None:
    with pytest.raises(Unproved, match="another TLS connection"):
        prove(KEYS.certificates(), OTHER.tls_der)


def changed(kind: int, certificate: Callable[[], bytes]) -> Spoil:
    def spoil(certificates: dict[int, bytes]) -> None:
        certificates[kind] = certificate()

    return spoil


def without(kind: int) -> Spoil:
    def spoil(certificates: dict[int, bytes]) -> None:
        del certificates[kind]

    return spoil


def flipped(kind: int, at: int) -> Spoil:
    def spoil(certificates: dict[int, bytes]) -> None:
        body = bytearray(certificates[kind])
        body[at] ^= 1
        certificates[kind] = bytes(body)

    return spoil


def versioned(certificate: bytes) -> dict[int, bytes]:
    """*certificate* with another X.509 version, and with another serial number."""
    at = certificate.index(b"\xa0\x03\x02\x01\x02\x02")
    one, two = bytearray(certificate), bytearray(certificate)
    one[at + 4] = 0x7F
    two[at + 7] |= 0x80
    return {1: bytes(one), 2: bytes(two)}


VERSIONED = versioned(KEYS.certificates()[2])
SPOILT: dict[str, Spoil] = {
    "no cross-certificate": without(7),
    "no RSA identity": without(2),
    "another's RSA identity": changed(2, lambda: OTHER.certificates()[2]),
    "another's cross-certificate": changed(7, lambda: OTHER.certificates()[7]),
    "our RSA key signs for another identity": changed(7, lambda: KEYS.cross(raw(OTHER.master))),
    "another's signing key": changed(4, lambda: OTHER.certificates()[4]),
    "a signing key that the identity did not sign": changed(
        4, lambda: ed25519_certificate(4, 1, raw(KEYS.signing), OTHER.master, expires=KEYS.expires)
    ),
    "a link that the signing key did not sign": changed(
        5, lambda: ed25519_certificate(5, 3, bytes(32), OTHER.signing, expires=KEYS.expires)
    ),
    "a certificate of another kind in its place": changed(5, lambda: KEYS.certificates()[4]),
    "an extension that must be understood": changed(
        4, lambda: ed25519_certificate(
            4, 1, raw(KEYS.signing), KEYS.master, expires=KEYS.expires,
            extension=struct.pack("!HBB", 1, 99, 1) + b"x",
        )
    ),
    "an extension that is longer than the rest": changed(
        4, lambda: ed25519_certificate(
            4, 1, raw(KEYS.signing), KEYS.master, expires=KEYS.expires,
            extension=struct.pack("!HBB", 500, 99, 0),
        )
    ),
    "rubbish for an RSA identity": changed(2, lambda: b"\x30\x03\x02\x01\x05"),
    "the TLS certificate for an RSA identity": changed(2, lambda: KEYS.tls_der),
    "an RSA identity of a version that is none": changed(2, lambda: VERSIONED[1]),
    "an RSA identity whose number is below zero": changed(2, lambda: VERSIONED[2]),
    "nothing in it": changed(5, lambda: b""),
    "half of it": changed(7, lambda: KEYS.certificates()[7][:40]),
}  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_where_one_link_of_the_chain_does_not_hold_nothing_is_proved(spoil: Spoil) -> None:
    certificates = KEYS.certificates()
    spoil(certificates)
    with pytest.raises(Unproved):
        prove(certificates, KEYS.tls_der)


@pytest.mark.parametrize("kind", [2, 4, 5, 7])
def test_every_byte_counts(kind: int) -> None:
    whole = KEYS.certificates()
    for at in range(len(whole[kind])):
        # How many bits of the last byte of X.509's signature are not of it: nobody signs that,
        # and where the last one is 0 it may be left out or not.
        if kind == 2 and at == len(whole[kind]) - KEYS.rsa.key_size // 8 - 1:
            continue
        certificates = dict(whole)
        flipped(kind, at)(certificates)
        with pytest.raises(Unproved):
            prove(certificates, KEYS.tls_der)


def test_what_has_expired_still_proves_who_it_is_and_says_when() -> None:
    old = Keys(lives=-DAY)
    found = prove(old.certificates(), old.tls_der)
    assert found.is_expected(old.fingerprint, old.ed25519)
    assert found.expires <= old.expires


@given(st.dictionaries(st.sampled_from([2, 4, 5, 7]), st.binary(max_size=300)))
def test_nothing_that_arrives_breaks_more_than_the_proof(certificates: dict[int, bytes]) -> None:
    with pytest.raises(Unproved):
        prove(KEYS.certificates() | certificates | {5: b"?"}, KEYS.tls_der)
