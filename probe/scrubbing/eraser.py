"""Takes whose it is out of text and bytes, and leaves everything else as it was.

Rule: only what is known to be the user's is taken out. What merely looks like an address
(``Chrome/119.0.0.0``, the operator's block page at 82.209.230.23) is evidence. In the
place of an address stands the first one of its kind of network (``192.0.2.0``,
``192.168.0.0``, ``2001:db8::``), which no machine has: what reads it as an address still can,
and an answer from a private network still is one.

Where lengths matter (packets, certificates), digits become zeros in place.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import msgspec

from probe.addresses import is_public
from probe.known import Known
from probe.scrubbing import patterns
from probe.scrubbing.views import views

SCRUBBED = "[scrubbed]"
PUBLIC_V4, PUBLIC_V6 = "192.0.2.0", "2001:db8::"
MIN_NAME = 3  # characters; shorter ones are in every text

# Names that say nothing of who has them, and stand in many pages.
COMMON_NAMES = frozenset(
    "localhost localdomain user root admin administrator guest home pi raspberrypi ubuntu debian"
    " fedora linux windows desktop laptop computer server router host zond probe test nobody"
    " default wifi wlan internet free www web mail news /root /home /".split()
)

_KINDS = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
                     "169.254.0.0/16", "fe80::/10", "fc00::/7"))
)  # fmt: skip
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{11,}={0,2}")
_MAX_DEPTH = 2  # of base64 in base64
_TEXTUAL = re.compile(rb"[^\x09\x0a\x0d\x1b\x20-\x7e\x80-\xff]")


class Eraser:
    """Finds what *known* says, in every notation."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._v4: set[IPv4Address] = set()
        self._v6: set[IPv6Network] = set()
        found: list[str] = []
        binary: list[bytes] = []
        for ip in _addresses(known.addresses):
            if isinstance(ip, IPv4Address):
                self._v4.add(ip)
                found += patterns.ipv4(ip, neighbours=is_public(str(ip)))
            else:
                self._v6.add(_line(ip))
                found += patterns.ipv6(ip)
            binary += _packed(ip)
        for text in known.macs:
            found += patterns.mac(text)
            binary.append(_binary(bytes.fromhex(text.replace(":", "").replace("-", ""))))
        self._addresses = patterns.joined(found) if found else None
        self._names = _names(known)
        self._binary = re.compile(b"|".join(binary), re.DOTALL) if binary else None

    def sparing(self, text: str) -> Eraser:
        """One that leaves alone the names that *text*, which is public, has in it."""
        spared = {name for name in self._known.names if name.lower() in text.lower()}
        if not spared:
            return self
        names = tuple(name for name in self._known.names if name not in spared)
        return Eraser(msgspec.structs.replace(self._known, names=names))

    def also(self, addresses: Collection[str]) -> Eraser:
        """One that finds *addresses* as well."""
        more = sorted(set(addresses) - set(self._known.addresses))
        if not more:
            return self
        together = (*self._known.addresses, *more)
        return Eraser(msgspec.structs.replace(self._known, addresses=together))

    def is_own(self, text: str) -> bool:
        """Whether *text* is an address of the user's line or household."""
        try:
            return self._owns(ip_address(text.partition("%")[0].strip("[]")))
        except ValueError:
            return False

    def address(self, text: str) -> str:
        """*text*, or what stands for it where it is the user's address."""
        try:
            ip = ip_address(text.partition("%")[0].strip("[]"))
        except ValueError:
            return self.text(text)
        if self._owns(ip):
            return stand_in(ip)
        return str(ip) if "%" in text else text

    def text(self, text: str) -> str:
        """*text* without the user."""
        return self._erased(text, _readable, 0)

    def body(self, data: bytes) -> bytes:
        """A page without the user; its length may change."""
        if _TEXTUAL.search(data[:4096]):
            return self.binary(data)
        return self._erased(data.decode("latin-1"), _readable, 0).encode("latin-1")

    def binary(self, data: bytes) -> bytes:
        """*data* without the user, of the same length."""
        if self._binary is not None:
            data = self._binary.sub(lambda m: bytes(len(m[0])), data)
        return self._erased(data.decode("latin-1"), _zeros, 0).encode("latin-1")

    def _owns(self, ip: IPv4Address | IPv6Address) -> bool:
        if isinstance(ip, IPv4Address):
            return ip in self._v4
        if any(ip in network for network in self._v6):
            return True
        inside = (ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ()), IPv4Address(ip.packed[12:]))
        return any(four in self._v4 for four in inside if four is not None)

    def _erased(self, text: str, instead: Callable[[str], str], depth: int) -> str:
        spans: list[tuple[int, int, str]] = []
        for view in views(text):
            for pattern in (self._addresses, self._names):
                if pattern is None:
                    continue
                for found in pattern.finditer(view.text):
                    start, end = found.span()
                    if start == end:
                        continue
                    a, b = view.origin(start), view.origin(end)
                    spans.append((a, b, instead(text[a:b] if b - a == end - start else found[0])))
        if depth < _MAX_DEPTH:
            spans += self._in_base64(text, instead, depth)
        return _replaced(text, spans, keep_length=instead is _zeros) if spans else text

    def _in_base64(
        self, text: str, instead: Callable[[str], str], depth: int
    ) -> Iterable[tuple[int, int, str]]:
        for token in _BASE64.finditer(text):
            plain = _plain(token[0])
            if plain is None:
                continue
            data = plain
            if self._binary is not None:
                data = self._binary.sub(lambda m: bytes(len(m[0])), data)
            clean = self._erased(data.decode("latin-1"), _zeros, depth + 1).encode("latin-1")
            if clean != plain:
                yield (*token.span(), _encoded(clean, token[0]))


def stand_in(ip: IPv4Address | IPv6Address) -> str:
    """The first address of the kind of network that *ip* is of; no machine has it."""
    for network in _KINDS:
        if ip in network:
            return str(network.network_address)
    return PUBLIC_V4 if ip.version == 4 else PUBLIC_V6


def stand_in_for(text: str) -> str:
    """`stand_in` of what is known to be an address."""
    return stand_in(ip_address(text.partition("%")[0]))


def _readable(found: str) -> str:
    """What stands in a text for *found*."""
    try:
        return stand_in(ip_address(found))
    except ValueError:
        pass
    if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", found):
        return PUBLIC_V4  # with leading zeros
    if re.fullmatch(r"[0-9a-fA-F:.]*:[0-9a-fA-F:.]*", found):
        return PUBLIC_V6 if not re.fullmatch(r"(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", found) else (
            "00:00:00:00:00:00"
        )
    if found.isdigit():
        return "0"
    return SCRUBBED


def _zeros(found: str) -> str:
    return re.sub(r"[0-9A-Za-z]", "0", found)


def _replaced(text: str, spans: list[tuple[int, int, str]], *, keep_length: bool) -> str:
    pieces: list[str] = []
    at = 0
    for start, end, instead in sorted(spans, key=lambda s: (s[0], -s[1])):
        if end <= at:
            continue  # inside of what was replaced
        start = max(start, at)
        pieces += (text[at:start], _fitted(instead, end - start) if keep_length else instead)
        at = end
    return "".join((*pieces, text[at:]))


def _fitted(instead: str, length: int) -> str:
    return instead if len(instead) == length else "0" * length


def _addresses(texts: Iterable[str]) -> Iterable[IPv4Address | IPv6Address]:
    for text in texts:
        ip = ip_address(text.partition("%")[0])
        if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        if not (ip.is_loopback or ip.is_unspecified):
            yield ip


def _line(ip: IPv6Address) -> IPv6Network:
    return IPv6Network((ip, 128 if ip.is_link_local else patterns.LINE_BITS), strict=False)


def _packed(ip: IPv4Address | IPv6Address) -> Iterable[bytes]:
    if isinstance(ip, IPv4Address):
        yield _binary(ip.packed)
    elif ip.is_link_local:
        yield re.escape(ip.packed)
    else:
        yield re.escape(ip.packed[: patterns.LINE_BITS // 8]) + b".{10}"
        # Cut off by the end of what was captured.
        yield re.escape(ip.packed[: patterns.LINE_BITS // 8]) + rb".{0,9}\Z"


def _binary(packed: bytes) -> bytes:
    """A pattern of *packed*; of one that reads as text, only beside what does not."""
    escaped = re.escape(packed)
    if all(0x20 <= byte < 0x7F for byte in packed):
        return rb"(?:(?<=[^\x20-\x7e])" + escaped + rb"|" + escaped + rb"(?=[^\x20-\x7e]))"
    return escaped


def _names(known: Known) -> re.Pattern[str] | None:
    names = {n for n in known.names if len(n) >= MIN_NAME and n.lower() not in COMMON_NAMES}
    if "/" in known.zone:
        names.add(known.zone)
    if "." in known.locale:
        names.add(known.locale)
    if not names:
        return None
    # As text, and as a page shows it whose bytes are read one by one.
    spelled = {s for n in names for s in (n, n.encode().decode("latin-1"))}
    ordered = sorted(spelled, key=len, reverse=True)
    return re.compile(
        r"(?<![^\W_])(?:" + "|".join(map(re.escape, ordered)) + r")(?![^\W_])", re.IGNORECASE
    )


def _plain(token: str) -> bytes | None:
    standard = token.rstrip("=").translate(str.maketrans("-_", "+/"))
    whole = standard[: len(standard) - (len(standard) % 4 == 1)]
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4))
    except (binascii.Error, ValueError):
        return None


def _encoded(data: bytes, like: str) -> str:
    text = base64.b64encode(data).decode()
    if "-" in like or "_" in like:
        text = text.translate(str.maketrans("+/", "-_"))
    return text.rstrip("=") + "=" * (len(like) - len(like.rstrip("=")))
