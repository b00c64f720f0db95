"""Directory authorities in Python: their keys, and what they sign."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from probe.tor.certificates import fingerprint_of

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC).timestamp()


def signed(key: RSAPrivateKey, digest: bytes, kind: str = "SIGNATURE") -> str:
    text = base64.b64encode(key.sign(digest, PKCS1v15(), NoDigestInfo())).decode()
    lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n"


def _pem(key: RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()


def _key() -> RSAPrivateKey:
    return generate_private_key(65537, 1024)


@dataclass
class Authority:
    identity: RSAPrivateKey = field(default_factory=_key)
    signing: RSAPrivateKey = field(default_factory=_key)

    @property
    def v3ident(self) -> str:
        return fingerprint_of(self.identity.public_key())

    def certificate(self, *, certifier: RSAPrivateKey | None = None) -> str:
        """The key certificate. *certifier* signs it in place of the identity."""
        ident = bytes.fromhex(self.v3ident)
        text = (
            "dir-key-certificate-version 3\n"
            f"fingerprint {self.v3ident}\n"
            "dir-key-published 2026-10-01 00:00:00\n"
            "dir-key-expires 2027-10-01 00:00:00\n"
            f"dir-identity-key\n{_pem(self.identity)}"
            f"dir-signing-key\n{_pem(self.signing)}"
            f"dir-key-crosscert\n{signed(self.signing, ident, 'ID SIGNATURE')}"
            "dir-key-certification\n"
        )
        digest = hashlib.sha1(text.encode()).digest()
        return text + signed(certifier or self.identity, digest)

    def signature(self, body: str, algorithm: str = "sha1") -> str:
        digest = hashlib.new(algorithm, f"{body}directory-signature ".encode()).digest()
        named = f"{algorithm} " if algorithm != "sha1" else ""
        key = fingerprint_of(self.signing.public_key())
        return f"directory-signature {named}{self.v3ident} {key}\n{signed(self.signing, digest)}"


def entry(
    number: int, *, flags: str = "Fast Running Stable Valid", dir_port: int = 0,
    more: Sequence[str] = (), micro: bool = False, ip: str = "",
) -> str:  # fmt: skip
    """The entry of relay *number*, whose fingerprint is the SHA-1 of its number."""
    identity = base64.b64encode(hashlib.sha1(str(number).encode()).digest()).decode().rstrip("=")
    digest = "" if micro else " " + base64.b64encode(bytes(20)).decode().rstrip("=")
    where = ip or f"{20 + number // 60000}.{number // 250 % 250}.{number % 250}.7"
    lines = [f"r relay{number} {identity}{digest} 2038-01-01 00:00:00 {where} 9001 {dir_port}"]
    lines += [f"a {endpoint}" for endpoint in more] + [f"s {flags}", "v Tor 0.4.9.11"]
    return "\n".join(lines) + "\n"


def consensus(
    authorities: Sequence[Authority], entries: Sequence[str], *, micro: bool = False,
    day: str = "2026-11-22",
) -> str:  # fmt: skip
    """A consensus that *authorities* have signed, in force from noon of *day* (at `NOW`) to 15."""
    body = (
        f"network-status-version 3{' microdesc' if micro else ''}\nvote-status consensus\n"
        f"consensus-method 33\nvalid-after {day} 12:00:00\nfresh-until {day} 13:00:00\n"
        f"valid-until {day} 15:00:00\nknown-flags Exit Fast Guard Running\n"
        f"{''.join(entries)}directory-footer\nbandwidth-weights Wbd=0\n"
    )
    algorithm = "sha256" if micro else "sha1"
    return body + "".join(a.signature(body, algorithm) for a in authorities)
