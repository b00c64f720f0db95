"""What is kept of a page: bounded text, title, and a sketch to compare it by."""

from __future__ import annotations

import html
import re
import zlib
from heapq import nsmallest

import brotli

SKETCH_SIZE = 64
MAX_TOKENS = 4000
MAX_SKETCHED = 64 * 1024  # bytes
SHINGLE = 3

_TITLE = re.compile(rb"<title(?:\s[^>]{0,200})?>([^<]{0,2000})", re.IGNORECASE)
_META_CHARSET = re.compile(rb"charset=[\"']?([a-zA-Z0-9_-]{1,40})", re.IGNORECASE)
_BETWEEN_WORDS = b"<>\"'=/;,(){}"
_BLANKS = bytes.maketrans(_BETWEEN_WORDS, b" " * len(_BETWEEN_WORDS))


class UnreadableBody(Exception):
    """The body is not in the content encoding that its header claims."""


class Decoder:
    """Decompresses a body piece by piece, never yielding more than *limit* bytes in all.

    *encoding* is the value of Content-Encoding; an unknown one passes unchanged.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self.left = limit
        self.truncated = False
        self._encoding = encoding.strip().lower()
        self._zlib = None
        self._brotli = None
        if self._encoding in ("gzip", "x-gzip", "deflate"):
            # 32: take either the gzip or the zlib header (zlib.h, inflateInit2)
            self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 32)
        elif self._encoding == "br":
            self._brotli = brotli.Decompressor()

    def feed(self, data: bytes) -> bytes:
        """The next bytes of the body. Sets *truncated* at the limit. Raises `UnreadableBody`."""
        if self.truncated:
            return b""
        try:
            if self._zlib is not None:
                out = self._zlib.decompress(data, self.left + 1)
            elif self._brotli is not None:
                out = self._brotli.process(data, output_buffer_limit=self.left + 1)
            else:
                out = data
        except (zlib.error, brotli.error) as exc:
            raise UnreadableBody(f"not {self._encoding}: {exc}") from exc
        if len(out) > self.left:
            self.truncated = True
            out = out[: self.left]
        self.left -= len(out)
        return out


def title(body: bytes, content_type: str = "") -> str | None:
    """The first ``<title>``, whitespace folded, at most 300 characters; None without one."""
    found = _TITLE.search(body)
    if not found:
        return None
    text = html.unescape(_decode(found[1], body, content_type))
    # Some codecs give lone surrogates, which no document of ours could hold.
    text = text.encode("utf-8", "replace").decode()
    return " ".join(text.split())[:300]


def _decode(text: bytes, body: bytes, content_type: str) -> str:
    declared = _META_CHARSET.search(content_type.encode("latin-1", "replace"))
    declared = declared or _META_CHARSET.search(body[:2048])
    charset = declared[1].decode("ascii") if declared else "utf-8"
    try:
        return text.decode(charset, "replace")
    except (LookupError, ValueError):  # unknown, or a codec such as "idna" that is none for pages
        return text.decode("utf-8", "replace")


def sketch(body: bytes) -> str:
    """The 64 smallest hashes of the body's word triples, as hex; empty for an empty body.

    A bottom-k sketch (Broder, "On the resemblance and containment of documents",
    1997): two of them estimate how many triples two pages share. Of a long page the
    first 4,000 words count, as far as they lie in its first 64 KB.
    """
    tokens = body[:MAX_SKETCHED].translate(_BLANKS).split(None, MAX_TOKENS)[:MAX_TOKENS]
    if not tokens:
        return ""
    shingles = zip(*(tokens[i:] for i in range(min(SHINGLE, len(tokens)))), strict=False)
    # All in C: this is the dearest thing that is done to a page.
    hashes = set(map(zlib.crc32, map(b" ".join, shingles)))
    return b"".join(h.to_bytes(4) for h in nsmallest(SKETCH_SIZE, hashes)).hex()


def similarity(a: str, b: str) -> float:
    """Estimated share of word triples that two pages have in common, 0 to 1, from their sketches.

    0 where either is empty or no sketch: nothing compared is not the same.
    """
    left, right = _hashes(a), _hashes(b)
    if not left or not right:
        return 0.0
    union = sorted(left | right)[:SKETCH_SIZE]
    return sum(1 for h in union if h in left and h in right) / len(union)


def _hashes(text: str) -> set[bytes]:
    try:
        raw = bytes.fromhex(text)
    except ValueError:  # a control may send anything
        return set()
    return {raw[i : i + 4] for i in range(0, len(raw), 4)}
