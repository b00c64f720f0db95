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
import re
from collections.abc import Callable, Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import msgspec

from probe.addresses import is_public
from probe.scrubbing import patterns
from probe.scrubbing.known import Known, is_telling
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
_LOWER = (1 << 64) - 1  # of an IPv6 address: whose it is within a network
_ENCODINGS = ("utf-8", "cp1251", "koi8-r", "cp866", "utf-16-le")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{7,}={0,2}|[A-Za-z0-9+/_-]{6}==")
_REMEMBERED, _REMEMBERED_TEXT = 4096, 512  # texts, and characters of one: names repeat
_REMEMBERED_BLOBS, _REMEMBERED_BLOB = 256, 4096  # bytes, and the size of one: certificates do
_VARIANTS = 16  # of one eraser
_STANDARD, _FOR_URLS = str.maketrans("-_", "+/"), str.maketrans("+/", "-_")
_MAX_DEPTH = 2  # of base64 in base64
_TEXTUAL = re.compile(rb"[^\x09\x0a\x0d\x1b\x20-\x7e\x80-\xff]")


class Eraser:
    """Finds what *known* says, in every notation, and addresses that servers *told* are ours.

    What a server tells may be a lie, so that it takes nothing along that is next to it.
    """

    def __init__(self, known: Known, told: frozenset[str] = frozenset()) -> None:
        self._known, self._told = known, told
        self._v4: set[IPv4Address] = set()
        self._v6: set[IPv6Network] = set()
        self._identifiers: set[int] = set()
        found: list[str] = []
        binary: list[str] = []
        for text in (*known.addresses, *sorted(told)):
            if (ip := _address(text)) is None:
                continue
            if isinstance(ip, IPv4Address):
                self._v4.add(ip)
                public = is_public(str(ip))
                found += patterns.ipv4(ip, public=public, neighbours=public and text not in told)
            else:
                self._v6.add(_line(ip))
                self._identifiers.add(int(ip) & _LOWER)
                found += patterns.ipv6(ip)
            binary += patterns.packed(ip)
        for text in known.macs:
            octets = patterns.octets(text)
            self._identifiers.add(int.from_bytes(patterns.eui64(octets), "big"))
            found += patterns.mac(octets)
            binary.append(patterns.bytes_of(octets))
        self._binary = patterns.InBytes(binary)
        self._notations = patterns.InText(found)
        self._names = patterns.Words(_names(known))
        self._variants: dict[tuple[Known, frozenset[str]], Eraser] = {}
        self._texts: dict[str, str] = {}
        self._fields: dict[str, str] = {}  # whole ones, which may be an address
        self._blobs: dict[bytes, bytes] = {}

    def sparing(self, text: str) -> Eraser:
        """One that leaves alone the names that *text*, which is public, has in it."""
        spared = {name for name in self._known.names if name.lower() in text.lower()}
        if not spared:
            return self
        names = tuple(name for name in self._known.names if name not in spared)
        return self._variant(msgspec.structs.replace(self._known, names=names), self._told)

    def naming(self, names: Collection[str]) -> Eraser:
        """One that finds *names* as well, which may be addresses."""
        told = frozenset(name for name in names if is_telling(name))
        more = tuple(n for n in names if n not in told and not _is_address(n))
        known = msgspec.structs.replace(self._known, names=(*self._known.names, *more))
        return self._variant(known, self._told | told) if names else self

    def also(self, told: Collection[str]) -> Eraser:
        """One that finds the addresses *told* as well."""
        more = frozenset(told) - set(self._known.addresses)
        return self._variant(self._known, self._told | more) if more else self

    def _variant(self, known: Known, told: frozenset[str]) -> Eraser:
        if (known, told) not in self._variants:
            if len(self._variants) >= _VARIANTS:
                self._variants.clear()
            self._variants[known, told] = Eraser(known, told)
        return self._variants[known, told]

    def address(self, text: str) -> str:
        """*text*, or what stands for it where it is the user's address."""
        clean = self._fields.get(text)
        if clean is None:
            clean = self._field(text)
            if len(text) <= _REMEMBERED_TEXT:
                if len(self._fields) >= _REMEMBERED:
                    self._fields.clear()
                self._fields[text] = clean
        return clean

    def _field(self, text: str) -> str:
        try:
            ip = ip_address(text.partition("%")[0].strip("[]"))
        except ValueError:
            return self.text(text)
        if self._owns(ip):
            return stand_in(ip)
        return str(ip) if "%" in text else text

    def text(self, text: str) -> str:
        """*text* without the user."""
        clean = self._texts.get(text)
        if clean is None:
            clean = self._erased(text, _readable, 0)
            if len(text) <= _REMEMBERED_TEXT:
                if len(self._texts) >= _REMEMBERED:
                    self._texts.clear()
                self._texts[text] = clean
        return clean

    def body(self, data: bytes) -> bytes:
        """A page without the user; its length may change."""
        if _TEXTUAL.search(data[:4096]):
            return self.binary(data)
        return self._erased(data.decode("latin-1"), _readable, 0).encode("latin-1")

    def binary(self, data: bytes) -> bytes:
        """*data* without the user, of the same length."""
        clean = self._blobs.get(data)
        if clean is None:
            clean = self._erased(data.decode("latin-1"), _zeros, 0).encode("latin-1")
            if len(data) <= _REMEMBERED_BLOB:
                if len(self._blobs) >= _REMEMBERED_BLOBS:
                    self._blobs.clear()
                self._blobs[data] = clean
        return clean

    def _owns(self, ip: IPv4Address | IPv6Address) -> bool:
        if isinstance(ip, IPv4Address):
            return ip in self._v4
        if int(ip) & _LOWER in self._identifiers and int(ip) & _LOWER >> 32 << 32:
            return True
        if any(ip in network for network in self._v6):
            return True
        inside = (ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ()), IPv4Address(ip.packed[12:]))
        return any(four in self._v4 for four in inside if four is not None)

    def _erased(self, text: str, instead: Callable[[str], str], depth: int) -> str:
        spans: list[tuple[int, int, str]] = []
        for view in views(text):
            seen = view.text
            for start, end in self._binary.find(seen):
                a, b = view.origin(start), view.origin(end)
                spans.append((a, b, "\0" * (b - a)))
            for start, end in (*self._notations.find(seen), *self._names.find(seen)):
                a, b = view.origin(start), view.origin(end)
                # Where it was encoded, what it was is shown by what stands for it.
                found = text[a:b] if b - a == end - start else seen[start:end]
                spans.append((a, b, instead(found)))
            if depth < _MAX_DEPTH:
                for start, end, clean in self._in_base64(seen, depth):
                    spans.append((view.origin(start), view.origin(end), clean))
        return _replaced(text, spans, keep_length=instead is _zeros) if spans else text

    def _in_base64(self, text: str, depth: int) -> Iterable[tuple[int, int, str]]:
        for token in _BASE64.finditer(text):
            plain = _plain(token[0]).decode("latin-1")
            clean = self._erased(plain, _zeros, depth + 1)
            if clean is not plain:
                yield (*token.span(), _encoded(clean.encode("latin-1"), token[0]))


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


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address *text*; None for one that every machine has."""
    ip = ip_address(text.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return None if ip.is_loopback or ip.is_unspecified else ip


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _line(ip: IPv6Address) -> IPv6Network:
    return IPv6Network((ip, 128 if ip.is_link_local else patterns.LINE_BITS), strict=False)


def _names(known: Known) -> list[str]:
    """What is searched for as words; also as it looks in a page whose bytes are read one by one."""
    names = {n for n in known.names if len(n) >= MIN_NAME and n.lower() not in COMMON_NAMES}
    if "/" in known.zone and not known.zone.startswith("Etc/"):
        names.add(known.zone)
    if "." in known.locale and not known.locale.startswith(("C.", "POSIX")):
        names.add(known.locale)
    foreign = [name for name in names if not name.isascii()]
    for encoding in _ENCODINGS:
        names |= {name.encode(encoding, "ignore").decode("latin-1") for name in foreign}
    return sorted(names - {""}, key=len, reverse=True)


def _plain(token: str) -> bytes:
    standard = token.rstrip("=").translate(_STANDARD)
    whole = standard[: len(standard) - (len(standard) % 4 == 1)]
    return base64.b64decode(whole + "=" * (-len(whole) % 4))


def _encoded(data: bytes, like: str) -> str:
    text = base64.b64encode(data).decode()
    if "-" in like or "_" in like:
        text = text.translate(_FOR_URLS)
    return text.rstrip("=") + "=" * (len(like) - len(like.rstrip("=")))
