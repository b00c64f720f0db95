"""Which relays there are, by a consensus that enough directory authorities have signed.

Rule: nothing of a consensus is believed before more than half of the authorities that are
known have signed all of it, each with a signing key that its long-term identity certified.
So it does not matter from whom it comes. A date decides only whether it is in force, and
that is said apart: it may be the reader's clock that is wrong.

dir-spec, "Computing a consensus from a set of votes" and "Creating key certificates"; both
flavours, plain and ``microdesc``. Sizes and counts are bounded.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from probe.tor.certificates import Unproved, fingerprint_of, recovered

MAX_CONSENSUS = 16 * 2**20  # bytes; today's has 3 MB
MAX_CERTIFICATES = 2**20  # bytes for those of all authorities; one has 2 KB
MAX_RELAYS = 30_000  # there are 8,000
MAX_SIGNATURES = 50
MAX_KEY = 8192  # bits

_SIGNATURE = re.compile(
    rb"directory-signature (?:([a-z0-9-]{1,20}) )?([0-9A-Fa-f]{40}) ([0-9A-Fa-f]{40})\n"
    rb"-----BEGIN SIGNATURE-----\n([A-Za-z0-9+/=\n]{1,2000}?)-----END SIGNATURE-----\n"
)
_KEY = (
    rb"\n(-----BEGIN RSA PUBLIC KEY-----\n[A-Za-z0-9+/=\n]{1,4000}?-----END RSA PUBLIC KEY-----)\n"
)
_SIGNED = rb"\n-----BEGIN (?:ID )?SIGNATURE-----\n([A-Za-z0-9+/=\n]{1,2000}?)-----END "
_DIGESTS = {b"": "sha1", b"sha1": "sha1", b"sha256": "sha256"}


class BadConsensus(ValueError):
    """It cannot be believed, or read. The message is one line and quotes nothing of it."""


@dataclass(frozen=True, kw_only=True)
class AuthorityKey:
    """A signing *key*, certified by the authority *v3ident* (upper hex) until *expires* (POSIX)."""

    v3ident: str
    key: RSAPublicKey
    expires: float

    @property
    def digest(self) -> str:
        return fingerprint_of(self.key)


@dataclass(frozen=True, kw_only=True)
class Relay:
    """A relay of a consensus. *dir_port* 0 is none; *more* are further OR ports, IPv6 ones."""

    nickname: str
    fingerprint: str
    ip: str
    or_port: int
    dir_port: int
    flags: tuple[str, ...]
    more: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Consensus:
    """*signers* are the v3idents of those whose signature is good. Times are POSIX, UTC."""

    valid_after: float
    valid_until: float
    relays: tuple[Relay, ...]
    signers: frozenset[str]

    def in_force(self, now: float) -> bool:
        return self.valid_after <= now <= self.valid_until


def read_keys(data: bytes) -> list[AuthorityKey]:
    """The good key certificates in *data*, a document such as ``/tor/keys/all`` gives.

    One that is not good is left out. Raises `BadConsensus` where there is none, or too much.
    """
    if len(data) > MAX_CERTIFICATES:
        raise BadConsensus(f"over {MAX_CERTIFICATES} bytes of key certificates")
    found = []
    for part in data.split(b"dir-key-certificate-version 3\n")[1:]:
        try:
            found.append(_authority_key(b"dir-key-certificate-version 3\n" + part))
        except (Unproved, BadConsensus):
            continue  # another of the same authority may be good
    if not found:
        raise BadConsensus("no key certificate of a directory authority that is good")
    return found


def read_consensus(
    data: bytes, keys: Iterable[AuthorityKey], authorities: Collection[str]
) -> Consensus:
    """The consensus in *data*, signed by more than half of *authorities* (v3idents, upper hex).

    Raises `BadConsensus`.
    """
    signed = _whole(data)
    valid_after = _moment(signed[:1000], b"valid-after")
    then = [key for key in keys if key.expires >= valid_after]
    signers = _signers(signed, then, authorities)
    enough = len(authorities) // 2 + 1
    if len(signers) < enough:
        raise BadConsensus(
            f"signed by {len(signers)} of {len(authorities)} directory authorities that are"
            f" known; {enough} are needed"
        )
    return Consensus(
        valid_after=valid_after,
        valid_until=_moment(signed[:1000], b"valid-until"),
        relays=_relays(signed),
        signers=frozenset(signers),
    )


def unverified(data: bytes) -> tuple[float, tuple[Relay, ...]]:
    """What a consensus says whose signatures nobody looks at: since when it is in force, and
    its relays. Raises `BadConsensus`.
    """
    whole = _whole(data)
    return _moment(whole[:1000], b"valid-after"), _relays(whole)


def _whole(data: bytes) -> bytes:
    """*data* from where it is signed."""
    if len(data) > MAX_CONSENSUS:
        raise BadConsensus(f"a consensus of over {MAX_CONSENSUS // 2**20} MB")
    start = data.find(b"network-status-version 3")
    if start < 0 or b"\nvote-status consensus\n" not in data[start : start + 200]:
        raise BadConsensus("this is no consensus of Tor's directory")
    return data[start:]


def _signers(
    signed: bytes, keys: Iterable[AuthorityKey], authorities: Collection[str]
) -> set[str]:
    known: Mapping[tuple[str, str], AuthorityKey] = {(k.v3ident, k.digest): k for k in keys}
    end = signed.find(b"\ndirectory-signature ")
    if end < 0:
        raise BadConsensus("a consensus that nobody signed")
    body = signed[: end + len(b"\ndirectory-signature ")]
    found: set[str] = set()
    for number, match in enumerate(_SIGNATURE.finditer(signed, end + 1)):
        if number == MAX_SIGNATURES:
            break
        algorithm, identity, key_digest, signature = match.groups()
        v3ident = identity.decode().upper()
        key = known.get((v3ident, key_digest.decode().upper()))
        name = _DIGESTS.get(algorithm or b"")
        if key is None or name is None or v3ident not in authorities:
            continue
        try:
            told = recovered(key.key, _base64(signature))
        except (Unproved, BadConsensus):
            continue
        if told == hashlib.new(name, body, usedforsecurity=False).digest():
            found.add(v3ident)
    return found


def _authority_key(text: bytes) -> AuthorityKey:
    certified, ended, _ = text.partition(b"\ndir-key-certification\n")
    if not ended:
        raise BadConsensus("a key certificate that nobody signed")
    identity = _key(text, rb"\ndir-identity-key" + _KEY)
    signing = _key(text, rb"\ndir-signing-key" + _KEY)
    v3ident = fingerprint_of(identity)
    named = _one(rb"\nfingerprint ([0-9A-Fa-f]{40})\n", text).decode().upper()
    digest = hashlib.sha1(certified + ended, usedforsecurity=False).digest()
    signature = _base64(_one(rb"\ndir-key-certification" + _SIGNED, text))
    crosscert = _base64(_one(rb"\ndir-key-crosscert" + _SIGNED, text))
    if named != v3ident or recovered(identity, signature) != digest:
        raise BadConsensus("a key certificate that its identity did not sign")
    if recovered(signing, crosscert) != bytes.fromhex(v3ident):
        raise BadConsensus("a signing key that does not know of its identity")
    return AuthorityKey(v3ident=v3ident, key=signing, expires=_moment(text, b"dir-key-expires"))


def _key(text: bytes, pattern: bytes) -> RSAPublicKey:
    try:
        key = load_pem_public_key(_one(pattern, text))
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise BadConsensus("a key that is none") from exc
    if not isinstance(key, RSAPublicKey) or key.key_size > MAX_KEY:
        raise BadConsensus("a key that is no RSA key")
    return key


def _relays(signed: bytes) -> tuple[Relay, ...]:
    """Relays as their entries say; one that cannot be read is left out, not the others."""
    end = signed.find(b"\ndirectory-footer\n")
    head, *entries = re.split(rb"\n(?=r )", signed[:end])
    if len(entries) > MAX_RELAYS:
        raise BadConsensus(f"over {MAX_RELAYS} relays")
    plain = head.split(b"\n", 1)[0] == b"network-status-version 3"
    found = []
    for entry in entries:
        with suppress(ValueError, IndexError):
            found.append(_relay(entry, plain=plain))
    return tuple(found)


def _relay(entry: bytes, *, plain: bool) -> Relay:
    lines = entry.decode("ascii", "replace").split("\n")
    # "r" nickname identity [digest] date time address ORPort DirPort; a microdesc has no digest
    words = lines[0].split(" ")
    ip, or_port, dir_port = words[6 if plain else 5 :][:3]
    flags = next((line[2:].split() for line in lines if line.startswith("s ")), [])
    more = [_endpoint(line[2:]) for line in lines if line.startswith("a ")]
    return Relay(
        nickname=words[1][:19],
        fingerprint=base64.b64decode(words[2] + "=", validate=True).hex().upper(),
        ip=str(ip_address(ip)),
        or_port=_port(or_port),
        dir_port=_port(dir_port),
        flags=tuple(flags),
        more=tuple(more),
    )


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return str(ip_address(host.strip("[]"))), _port(port)


def _port(text: str) -> int:
    port = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else -1
    if not 0 <= port < 65536:
        raise ValueError("no port")
    return port


def _moment(text: bytes, name: bytes) -> float:
    said = _one(rb"(?:^|\n)" + name + rb" (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\n", text).decode()
    try:
        return datetime.strptime(said, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError as exc:
        raise BadConsensus(f"{name.decode()} is no time") from exc


def _one(pattern: bytes, text: bytes) -> bytes:
    found = re.search(pattern, text)
    if found is None:
        raise BadConsensus("a document of Tor's directory that lacks a part")
    return found[1]


def _base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error as exc:
        raise BadConsensus("a signature that is none") from exc
