"""A batch of measurements, as it leaves: named, signed, compressed, sealed.

Rule: pure. The plain text is lines of JSON, UTF-8, a ``\\n`` after each: a `Header`, then
documents that ``probe.scrubbing.scrub`` let through. Its SHA-256 is the batch's name, so that
sending it twice is harmless and nobody can change it on the way unseen.

Around it:

- the *signed* batch (`pack`): one line of JSON (`Signed`) with key and Ed25519 signature
  (RFC 8032) over the name, then the plain text compressed with zstd (RFC 8878);
- the *sealed* batch (`seal`), where the collector's key is known: HPKE, RFC 9180, base mode,
  X25519 with ML-KEM-768, since what is recorded today may be read by tomorrow's
  machines. Padded, so that its length tells little.

What arrives is hostile: sizes are checked before anything is made of them, and every way of
being wrong is a `BatchError` with a reason that may be told to the sender.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import sys
from collections.abc import Iterable

import msgspec
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FORMAT = 1
MAX_PLAIN = 32 * 2**20  # bytes of a batch's lines
MAX_PACKED = 8 * 2**20  # bytes of a batch on the way
MAX_LINE = 4 * 2**20  # bytes of one document
MAX_LINES = 20_000
MAX_OUTSIDE = 4096  # bytes of the line around a batch
MAX_WINDOW = 23  # log2 of the memory that decompression may take: 8 MB
LEVEL = 9  # of zstd: a batch is packed once and may be sent over a metered line
PADDING = 4096  # bytes to a multiple of which a sealed batch is filled
SEALED = b"zond sealed batch 1\n"
CONTEXT = b"zond batch 1"

_MLKEM_PUBLIC, _MLKEM_PRIVATE = 1184, 64
_SUITE = hpke.Suite(
    hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305
)


class BatchError(ValueError):
    """This is no batch of ours, or not whole. The message is a reason for its sender."""


class Header(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="batch"):
    """The first line. *month* is ``2026-11``; *pseudonym* counts as one probe in it.

    *nonce* (hex, 32 bytes) is known to who packed the batch and who could open it; the
    `receipt` is made of it.
    """

    format: int = FORMAT
    software: str
    pseudonym: str
    probe_cc: str
    probe_asn: int
    month: str
    nonce: str
    documents: int


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """The line before the compressed text. *size* is that of the plain text, in bytes."""

    zond: str = "batch"
    format: int = FORMAT
    sha256: str
    size: int
    key: str
    signature: str


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What was in a batch: its name, who signed it (hex), its header, its documents."""

    sha256: str
    key: str
    header: Header
    documents: tuple[bytes, ...]


def pseudonym(key: Ed25519PublicKey | bytes) -> str:
    """Under what a key's batches are counted: a hash of it, hex."""
    raw = key if isinstance(key, bytes) else key.public_bytes_raw()
    return hashlib.sha256(b"zond pseudonym\0" + raw).hexdigest()[:32]


def plain(header: Header, documents: Iterable[bytes]) -> bytes:
    """The plain text of a batch. A document is JSON without a line break."""
    lines = [msgspec.json.encode(header), *documents]
    return b"".join(line + b"\n" for line in lines)


def name(text: bytes) -> str:
    """The name of a batch: SHA-256 of its plain text, hex."""
    return hashlib.sha256(text).hexdigest()


def pack(text: bytes, key: Ed25519PrivateKey) -> bytes:
    """*text*, signed with *key* and compressed."""
    sha256 = name(text)
    outside = Signed(
        sha256=sha256,
        size=len(text),
        key=key.public_key().public_bytes_raw().hex(),
        signature=key.sign(CONTEXT + bytes.fromhex(sha256)).hex(),
    )
    return msgspec.json.encode(outside) + b"\n" + zstd.compress(text, level=LEVEL)


def unpack(packed: bytes) -> Batch:
    """What `pack` packed. Raises `BatchError`."""
    if len(packed) > MAX_PACKED:
        raise BatchError(f"larger than {MAX_PACKED} bytes")
    line, found, compressed = packed.partition(b"\n")
    if not found or len(line) > MAX_OUTSIDE:
        raise BatchError("no line with key and signature")
    try:
        outside = msgspec.json.decode(line, type=Signed)
        key = bytes.fromhex(outside.key)
        signature = bytes.fromhex(outside.signature)
    except (msgspec.MsgspecError, RecursionError, ValueError) as exc:
        raise BatchError(f"the line with key and signature: {exc}") from None
    if outside.format != FORMAT or outside.zond != "batch":
        raise BatchError(f"format {outside.format} is not known here")
    text = _decompressed(compressed, outside.size)
    if name(text) != outside.sha256:
        raise BatchError("the content is not that of its name")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(
            signature, CONTEXT + bytes.fromhex(outside.sha256)
        )
    except (InvalidSignature, ValueError):
        raise BatchError("the signature is not that of the key") from None
    header, documents = _lines(text)
    if header.pseudonym != pseudonym(key):
        raise BatchError("the pseudonym is not that of the key")
    return Batch(sha256=outside.sha256, key=outside.key, header=header, documents=documents)


def receipt(header: Header, sha256: str) -> str:
    """What only who could open the batch can answer with, hex."""
    return hmac.new(bytes.fromhex(header.nonce), sha256.encode(), "sha256").hexdigest()


class CollectorKey:
    """A collector's public key: what batches are sealed with. Text: base64."""

    def __init__(self, text: str) -> None:
        """Raises `BatchError` where *text* is no such key."""
        try:
            raw = base64.b64decode("".join(text.split()), validate=True)
            self._key = hpke.MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM_PUBLIC]),
                X25519PublicKey.from_public_bytes(raw[_MLKEM_PUBLIC:]),
            )
        except (binascii.Error, ValueError):
            raise BatchError("this is no collector's key") from None

    def seal(self, packed: bytes) -> bytes:
        """*packed*, to be opened by the collector alone."""
        filled = len(packed).to_bytes(8, "big") + packed
        filled += bytes(-len(filled) % PADDING)
        return SEALED + _SUITE.encrypt(filled, self._key, info=CONTEXT)


class CollectorSecret:
    """A collector's private key. *raw* is what `raw` gives; without it a new one is made."""

    def __init__(self, raw: bytes | None = None) -> None:
        """Raises `BatchError` where *raw* is no such key."""
        try:
            self._mlkem = (
                MLKEM768PrivateKey.generate() if raw is None
                else MLKEM768PrivateKey.from_seed_bytes(raw[:_MLKEM_PRIVATE])
            )  # fmt: skip
            self._x25519 = (
                X25519PrivateKey.generate() if raw is None
                else X25519PrivateKey.from_private_bytes(raw[_MLKEM_PRIVATE:])
            )  # fmt: skip
        except ValueError:
            raise BatchError("this is no collector's private key") from None
        self._key = hpke.MLKEM768X25519PrivateKey(self._mlkem, self._x25519)

    @property
    def raw(self) -> bytes:
        return self._mlkem.private_bytes_raw() + self._x25519.private_bytes_raw()

    @property
    def public(self) -> str:
        """The text of `CollectorKey`."""
        mlkem = self._mlkem.public_key().public_bytes_raw()
        x25519 = self._x25519.public_key().public_bytes_raw()
        return base64.b64encode(mlkem + x25519).decode()

    def open(self, sealed: bytes) -> bytes:
        """What `CollectorKey.seal` sealed. Raises `BatchError`."""
        if not sealed.startswith(SEALED):
            raise BatchError("this is not sealed")
        if len(sealed) > MAX_PACKED + 2 * PADDING:
            raise BatchError(f"larger than {MAX_PACKED} bytes")
        try:
            filled: bytes = _SUITE.decrypt(sealed[len(SEALED) :], self._key, info=CONTEXT)
        except (InvalidTag, ValueError):
            raise BatchError("this was not sealed for us, or was changed on the way") from None
        length = int.from_bytes(filled[:8], "big")
        if not 0 < length <= len(filled) - 8:
            raise BatchError("the padding is wrong")
        return filled[8 : 8 + length]


def is_sealed(body: bytes) -> bool:
    """Whether *body* says that it is; only opening it tells whether it is whole."""
    return body.startswith(SEALED)


def _decompressed(compressed: bytes, size: int) -> bytes:
    if not 0 < size <= MAX_PLAIN:
        raise BatchError(f"{size} bytes of text; 1 to {MAX_PLAIN} are taken")
    decompressor = zstd.ZstdDecompressor(
        options={zstd.DecompressionParameter.window_log_max: MAX_WINDOW}
    )
    try:
        # One byte more than it says shows that it says too little.
        text = decompressor.decompress(compressed, max_length=size + 1)
    except zstd.ZstdError as exc:
        raise BatchError(f"not compressed as it should be: {exc}") from None
    if len(text) != size or not decompressor.eof or decompressor.unused_data:
        raise BatchError("the text has another size than it says")
    return text


def _lines(text: bytes) -> tuple[Header, tuple[bytes, ...]]:
    if not text.endswith(b"\n"):
        raise BatchError("the last line has no end")
    lines = text[:-1].split(b"\n")
    if len(lines) > MAX_LINES:
        raise BatchError(f"more than {MAX_LINES} lines")
    if max(map(len, lines)) > MAX_LINE:
        raise BatchError(f"a line of more than {MAX_LINE} bytes")
    try:
        header = msgspec.json.decode(lines[0], type=Header)
        nonce = bytes.fromhex(header.nonce)
    except (msgspec.MsgspecError, RecursionError, ValueError) as exc:
        raise BatchError(f"the first line: {exc}") from None
    if len(nonce) != 32:
        raise BatchError("the first line: the nonce is not of 32 bytes")
    if header.documents != len(lines) - 1:
        raise BatchError(f"{len(lines) - 1} documents; its first line says {header.documents}")
    return header, tuple(lines[1:])
