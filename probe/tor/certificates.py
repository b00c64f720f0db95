"""Whether the relay at the other end is the one that its certificates name.

Rule: a proof is signatures from the relay's long-term keys down to the TLS connection that
it came over, and nothing else. Dates are no part of it: a wrong clock must never accuse,
and who holds the TLS key that was signed is not helped by an old date. What has expired is
told beside (`Identity.expires`).

tor-spec, "CERTS cells"; cert-spec for the Ed25519 certificates. The chain: RSA identity
(type 2, self-signed) signs the Ed25519 identity (type 7), which signs a signing key
(type 4), which signs the digest of the TLS certificate (type 5).
"""

from __future__ import annotations

import base64
import hashlib
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning

RSA_IDENTITY, IDENTITY_TO_SIGNING, SIGNING_TO_TLS, RSA_TO_ED25519 = 2, 4, 5, 7
_KEY, _TLS_DIGEST = 1, 3  # what an Ed25519 certificate is about (cert-spec, A.3)
_SIGNED_WITH = 4  # its extension that names the key which signed it
_MUST_KNOW = 1  # flag of an extension that makes the certificate worthless to who does not know it
_CROSS = b"Tor TLS RSA/Ed25519 cross-certificate"
_MAX_RSA = 4096  # bits; a relay's identity has 1024
# What cryptography raises for a certificate that it cannot read, or that does not hold.
_UNREADABLE = (
    ValueError, TypeError, OverflowError, x509.InvalidVersion, InvalidSignature,
    UnsupportedAlgorithm,
)  # fmt: skip


class Unproved(ValueError):
    """The certificates prove nothing. The text says why and quotes nothing of them."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who is proved to be there: *fingerprint* as consensuses have it (SHA-1 of the RSA key, upper
    hex), *ed25519* (base64 without padding), and when the first of the proofs expires (POSIX).
    """

    fingerprint: str
    ed25519: str
    expires: float

    def is_expected(self, fingerprint: str, ed25519: str) -> bool:
        """Whether it is the relay of a list; what the list leaves empty is not asked."""
        return fingerprint.upper() in ("", self.fingerprint) and (
            ed25519.rstrip("=") in ("", self.ed25519)
        )


def prove(certificates: Mapping[int, bytes], tls_certificate: bytes) -> Identity:
    """Who speaks over the TLS connection with *tls_certificate* (DER). Raises `Unproved`.

    *certificates* are those of a CERTS cell, by type.
    """
    needed = (RSA_IDENTITY, IDENTITY_TO_SIGNING, SIGNING_TO_TLS, RSA_TO_ED25519)
    if missing := [kind for kind in needed if kind not in certificates]:
        raise Unproved(f"no certificate of type {missing[0]}")
    rsa_key = _rsa_identity(certificates[RSA_IDENTITY])
    master, until_cross = _cross_certified(certificates[RSA_TO_ED25519], rsa_key)
    signing = _Certificate(certificates[IDENTITY_TO_SIGNING], IDENTITY_TO_SIGNING, _KEY)
    if signing.signed_with not in (b"", master):
        raise Unproved("the signing key is another identity's")
    signing.verify(master)
    link = _Certificate(certificates[SIGNING_TO_TLS], SIGNING_TO_TLS, _TLS_DIGEST)
    link.verify(signing.certified)
    if link.certified != hashlib.sha256(tls_certificate).digest():
        raise Unproved("the certificates are of another TLS connection")
    return Identity(
        fingerprint=fingerprint_of(rsa_key),
        ed25519=base64.b64encode(master).decode().rstrip("="),
        expires=min(until_cross, signing.expires, link.expires),
    )


def fingerprint_of(key: RSAPublicKey) -> str:
    """SHA-1 of the key in PKCS #1 form, upper hex (dir-spec, "fingerprint")."""
    der = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def recovered(key: RSAPublicKey, signature: bytes) -> bytes:
    """The digest in a *signature* of Tor's kind: PKCS #1 padding without the digest's name.

    Raises `Unproved`.
    """
    try:
        return key.recover_data_from_signature(signature, PKCS1v15(), None)
    except (InvalidSignature, ValueError) as exc:
        raise Unproved("a signature that is not the key's") from exc


def _rsa_identity(der: bytes) -> RSAPublicKey:
    """The key of the self-signed certificate in *der*. Raises `Unproved`."""
    try:
        with warnings.catch_warnings():
            # Of what a stranger's certificate has that the library deprecates.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            certificate = x509.load_der_x509_certificate(der)
            key = certificate.public_key()
        if not isinstance(key, RSAPublicKey) or key.key_size > _MAX_RSA:
            raise Unproved("the identity is no RSA key")
        certificate.verify_directly_issued_by(certificate)
    except Unproved:
        raise
    except _UNREADABLE as exc:
        raise Unproved("the RSA identity's certificate is broken") from exc
    return key


def _cross_certified(body: bytes, key: RSAPublicKey) -> tuple[bytes, float]:
    """The Ed25519 identity that *key* signs for, and until when (POSIX)."""
    if len(body) < 37 or len(body) != 37 + body[36]:
        raise Unproved("the cross-certificate is cut short")
    signed, signature = body[:36], body[37:]
    if recovered(key, signature)[:32] != hashlib.sha256(_CROSS + signed).digest():
        raise Unproved("the cross-certificate is not the RSA identity's")
    return body[:32], _hours(body[32:36])


class _Certificate:
    """An Ed25519 certificate (cert-spec, "Ed25519 certificates")."""

    def __init__(self, body: bytes, kind: int, about: int) -> None:
        if len(body) < 40 + 64 or body[0] != 1:
            raise Unproved(f"certificate {kind} is cut short, or of an unknown version")
        if body[1] != kind or body[6] != about:
            raise Unproved(f"certificate {kind} is of another kind")
        self.expires = _hours(body[2:6])
        self.certified = body[7:39]
        self.signed_with = b""
        self._signed, self._signature, self._kind = body[:-64], body[-64:], kind
        at, end = 40, len(body) - 64
        for _ in range(body[39]):
            if at + 4 > end:
                raise Unproved(f"certificate {kind} is cut short")
            size, extension, flags = struct.unpack_from("!HBB", body, at)
            if at + 4 + size > end:
                raise Unproved(f"certificate {kind} is cut short")
            if extension == _SIGNED_WITH and size == 32:
                self.signed_with = body[at + 4 : at + 36]
            elif flags & _MUST_KNOW:
                raise Unproved(f"certificate {kind} has an extension that nobody knows")
            at += 4 + size

    def verify(self, key: bytes) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(self._signature, self._signed)
        except (InvalidSignature, ValueError) as exc:
            raise Unproved(f"certificate {self._kind} has a signature that is not good") from exc


def _hours(raw: bytes) -> float:
    """Hours since the epoch, as POSIX seconds."""
    return int.from_bytes(raw) * 3600.0
