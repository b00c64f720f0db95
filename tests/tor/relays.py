"""A relay in Python: its keys, its certificates, and how it introduces itself.

It stands beside the real ``tor``, which the lab asks: with keys at hand, each certificate can
be wrong in one chosen way.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import ssl
import struct
import tempfile
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from probe.tor.cells import CELL_BODY, Command
from probe.tor.certificates import fingerprint_of
from tests.fakenet import Serve, ServerEnd, tls

DAY = 86_400.0


def raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def ed25519_certificate(
    kind: int, about: int, certified: bytes, signer: Ed25519PrivateKey, *, expires: float,
    named: bool = False, extension: bytes = b"",
) -> bytes:  # fmt: skip
    """cert-spec. *named*: the signer's key is in it; *extension* is one more."""
    extensions = [struct.pack("!HBB", 32, 4, 0) + raw(signer)] if named else []
    extensions += [extension] if extension else []
    body = struct.pack("!BBIB", 1, kind, int(expires // 3600), about) + certified
    body += bytes([len(extensions)]) + b"".join(extensions)
    return body + signer.sign(body)


@dataclass
class Keys:
    """The long-term keys of a relay, its TLS certificate, and what it proves itself by."""

    lives: float = 2 * DAY
    rsa: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(65537, 1024)
    )
    master: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    tls: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.rsa.public_key())

    @property
    def ed25519(self) -> str:
        return base64.b64encode(raw(self.master)).decode().rstrip("=")

    @property
    def expires(self) -> float:
        return time.time() + self.lives

    @cached_property
    def tls_certificate(self) -> x509.Certificate:
        return _self_signed(self.tls, "www.madeup.net")

    @property
    def tls_der(self) -> bytes:
        return self.tls_certificate.public_bytes(Encoding.DER)

    def certificates(self, tls_der: bytes | None = None) -> dict[int, bytes]:
        digest = hashlib.sha256(self.tls_der if tls_der is None else tls_der).digest()
        return {
            2: _self_signed(self.rsa, "www.madeup.com").public_bytes(Encoding.DER),
            4: ed25519_certificate(
                4, 1, raw(self.signing), self.master, expires=self.expires, named=True
            ),
            5: ed25519_certificate(5, 3, digest, self.signing, expires=self.expires),
            7: self.cross(raw(self.master)),
        }

    def cross(self, identity: bytes) -> bytes:
        signed = identity + int(self.expires // 3600).to_bytes(4)
        digest = hashlib.sha256(b"Tor TLS RSA/Ed25519 cross-certificate" + signed).digest()
        signature = self.rsa.sign(digest, PKCS1v15(), NoDigestInfo())
        return signed + bytes([len(signature)]) + signature

    @cached_property
    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            pem = Path(folder) / "pem"
            key = self.tls.private_bytes(
                Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
            )
            pem.write_bytes(key + self.tls_certificate.public_bytes(Encoding.PEM))
            context.load_cert_chain(pem)
        return context


Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def _self_signed(key: Key, name: str) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    names = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(names)
        .issuer_name(names)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=300))
        .sign(key, SHA256())
    )


def certs_body(certificates: dict[int, bytes]) -> bytes:
    parts = [struct.pack("!BH", kind, len(c)) + c for kind, c in certificates.items()]
    return bytes([len(parts)]) + b"".join(parts)


def variable(command: int, body: bytes, wide: int = 4) -> bytes:
    return bytes(wide) + struct.pack("!BH", command, len(body)) + body


def fixed(command: int, body: bytes) -> bytes:
    return bytes(4) + bytes([command]) + body.ljust(CELL_BODY, b"\0")


def versions(*offered: int) -> bytes:
    return variable(Command.VERSIONS, b"".join(n.to_bytes(2) for n in offered), wide=2)


def said(
    certificates: dict[int, bytes],
    *,
    clock: float | None = None,
    offered: tuple[int, ...] = (3, 4, 5),
) -> bytes:
    """All that a relay says until it has introduced itself."""
    now = int(time.time() if clock is None else clock)
    return (
        versions(*offered)
        + variable(Command.CERTS, certs_body(certificates))
        + variable(Command.AUTH_CHALLENGE, bytes(32) + b"\0\x01\0\x03")
        + fixed(Command.NETINFO, now.to_bytes(4) + b"\x04\x04\x01\x02\x03\x04\x00")
    )


def relay(keys: Keys, answer: bytes | None = None) -> Serve:
    """A relay with *keys*, or who says *answer* in the relay's TLS."""

    async def inside(stream: ServerEnd) -> None:
        await stream.receive_some(4096)
        await stream.send_all(said(keys.certificates()) if answer is None else answer)
        await stream.receive_some(4096)

    return tls(keys.context, inside)
