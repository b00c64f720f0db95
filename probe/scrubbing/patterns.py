"""Patterns that find one address, in all the notations that programs write it in.

IPv4: dotted, with octets in decimal, octal or hexadecimal and leading zeros (inet_aton(3)),
with other separators (``93-85-1-2.static.example``), the other way round (PTR, RFC 1035),
as one number, in hexadecimal, run together, and inside IPv6 addresses (mapped, NAT64, 6to4,
Teredo). IPv6: by network, since its lower half changes every day and the upper names the
line; in full, compressed, with other separators, in hexadecimal, by nibbles (RFC 3596).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

LINE_BITS = 48  # of an IPv6 address: what a household may get (RFC 6177)
NEIGHBOURS = 24  # bits of an IPv4 address that a carrier's NAT may leave the same

_DOT = r"(?:\.|-|_|,|\[\.\]|\(\.\)|。|．)"
_COLON = r"[:\-_]"
_NO_DIGIT_BEFORE, _NO_DIGIT_AFTER = r"(?<![0-9])", r"(?![0-9])"
_NO_HEX_BEFORE, _NO_HEX_AFTER = r"(?<![0-9A-Fa-f])", r"(?![0-9A-Fa-f])"
_LEAST_DIGITS = 8  # of an address as one number; shorter ones are anything
_ANY_OCTET = r"(?!0{1,3}(?![0-9]))[0-9]{1,3}"


def ipv4(address: IPv4Address, *, public: bool, neighbours: bool) -> list[str]:
    """Patterns of *address*; with *neighbours*, of the 256 that it is among, where dotted.

    One that is not *public* is in every second household, and tells little: only as it is
    usually written, since otherwise it may be anything.
    """
    octets = address.packed
    number = int(address)
    dotted = [_octet(o) for o in octets]
    # The other way round it may be another's address, or at home a version.
    follows = r"(?=[.\-][A-Za-z])" if public else r"(?=\.in-)"
    found = [
        _NO_DIGIT_BEFORE + _DOT.join(dotted) + _NO_DIGIT_AFTER,
        _NO_DIGIT_BEFORE + _DOT.join(reversed(dotted)) + follows,
        *_inside_ipv6(number),
    ]  # fmt: skip
    if not public:
        return found
    found += [octets.hex(), octets[::-1].hex(), str(address).encode().hex()]
    found += _inside_ipv6(number ^ 0xFFFFFFFF)  # Teredo, RFC 4380
    numbers = ["".join(f"{o:03d}" for o in octets), f"0{number:o}", str(number)]
    # As a program on another processor reads it, or with a sign.
    numbers += [str(int.from_bytes(octets, "little")), str((1 << 32) - number)]
    # Of parts (inet_aton); short ones are versions.
    if number & 0xFFFF > 0xFF:
        numbers.append(f"{octets[0]}{_DOT}{octets[1]}{_DOT}{number & 0xFFFF}")
    if number & 0xFFFFFF > 0xFFFF:
        numbers.append(f"{octets[0]}{_DOT}{number & 0xFFFFFF}")
    found += [_NO_DIGIT_BEFORE + n + _NO_DIGIT_AFTER for n in numbers if len(n) >= _LEAST_DIGITS]
    if neighbours:
        # Not after a product's name ("Chrome/119.0.0.17"), nor in a longer number.
        found.append(
            r"(?<![0-9A-Za-z./])" + _DOT.join([*map(str, octets[:3]), _ANY_OCTET])
            + r"(?![0-9]|\.[0-9])"
        )  # fmt: skip
    return found


def ipv6(address: IPv6Address) -> list[str]:
    """Patterns of every address of the line that *address* belongs to; of one that is local,
    of itself."""
    text = address.packed.hex()
    if address.is_link_local:
        return [_identifier(text[16:])]
    first, second, third = (text[i : i + 4] for i in range(0, 12, 4))
    groups = [_group(first), _group(second)]
    found = [_NO_HEX_BEFORE + _COLON.join([*groups, _group(third)]) + _REST]
    if int(third, 16) == 0:
        found.append(_NO_HEX_BEFORE + _COLON.join(groups) + "::" + _REST)
        if int(second, 16) == 0:
            found.append(_NO_HEX_BEFORE + _group(first) + "::" + _REST)
    found.append(f"{_NO_HEX_BEFORE}{text[:12]}[0-9a-f]{{20}}")
    nibbles = r"\.".join(reversed(text[:12]))
    found.append(rf"(?:[0-9a-f]\.){{0,20}}{nibbles}(?=\.ip6)")
    found.append(f"{_NO_DIGIT_BEFORE}{int(address)}{_NO_DIGIT_AFTER}")
    found.append(_identifier(text[16:]))
    return found


def mac(octets: bytes) -> list[str]:
    """Patterns of a hardware address, also as the lower half of an IPv6 one."""
    return [
        _NO_HEX_BEFORE + "[:.\\-_]?".join(f"{o:02x}" for o in octets) + _NO_HEX_AFTER,
        _identifier(eui64(octets).hex()),
    ]


def octets(mac: str) -> bytes:
    """The six of a hardware address as it is written."""
    return bytes.fromhex(mac.replace(":", "").replace("-", ""))


def eui64(octets: bytes) -> bytes:
    """The lower half of the IPv6 address made of a hardware address (RFC 4291, appendix A)."""
    return bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]


def packed(ip: IPv4Address | IPv6Address) -> list[str]:
    """Patterns of *ip* in bytes, each of which is read as one character (latin-1).

    A DNS client subnet (RFC 7871) holds but the beginning of it.
    """
    if isinstance(ip, IPv4Address):
        subnet = r"(?<=\x00\x01[\x10-\x20][\x00-\x20])" + _escaped(ip.packed[:3])
        return [bytes_of(ip.packed), subnet]
    if ip.is_link_local:
        return [_escaped(ip.packed)]
    line = _escaped(ip.packed[: LINE_BITS // 8])
    subnet = r"(?<=\x00\x02[\x20-\x80][\x00-\x80])" + _escaped(ip.packed[: LINE_BITS // 8])
    # The second: cut off by the end of what was captured.
    return [subnet + ".?", line + ".{10}", line + r".{0,9}\Z"]


def bytes_of(packed: bytes) -> str:
    """A pattern of *packed*; of bytes that read as text, only beside what does not."""
    escaped = _escaped(packed)
    if all(0x20 <= byte < 0x7F for byte in packed):
        return rf"(?:(?<=[^\x20-\x7e]){escaped}|{escaped}(?=[^\x20-\x7e]))"
    return escaped


def _escaped(data: bytes) -> str:
    return re.escape(data.decode("latin-1"))


_REST = r"(?:[:\-_]{0,2}[0-9A-Fa-f]{1,4}){0,5}(?:[:.]{0,2}(?:[0-9]{1,3}\.){3}[0-9]{1,3})?(?:::)?"


def _octet(value: int) -> str:
    return f"(?:0{{0,2}}{value}|0{{1,3}}{value:o}|0x0{{0,3}}{value:x})"


def _group(text: str) -> str:
    return f"0{{0,{4 - len(text.lstrip('0') or '0')}}}{text.lstrip('0') or '0'}"


def _identifier(text: str) -> str:
    """The lower 64 bits, 16 hexadecimal digits, of an IPv6 address."""
    groups = [text[i : i + 4] for i in range(0, 16, 4)]
    return (
        rf"(?:{_NO_HEX_BEFORE}{_COLON.join(map(_group, groups))}{_NO_HEX_AFTER}|{text})"
        if int(text, 16) >> 32
        else _NO_MATCH  # ::1 and its like are everywhere
    )


_NO_MATCH = r"(?!)"


def _inside_ipv6(number: int) -> list[str]:
    high, low = f"{number >> 16:04x}", f"{number & 0xFFFF:04x}"
    return [f"{_NO_HEX_BEFORE}{_group(high)}:{_group(low)}{_NO_HEX_AFTER}"]


class InText:
    """Finds *patterns* of addresses in text.

    They are many and slow, so that only what could be an address is looked at.
    """

    def __init__(self, patterns: list[str]) -> None:
        self._pattern = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        if self._pattern is None:
            return
        for candidate in _CANDIDATE.finditer(text):
            start, end = candidate.span()
            for found in self._pattern.finditer(text, start, min(len(text), end + _BEYOND)):
                yield found.span()


class InBytes:
    """Finds *patterns* of bytes in text of which each character is a byte."""

    def __init__(self, patterns: list[str]) -> None:
        self._pattern = re.compile("|".join(patterns), re.DOTALL) if patterns else None

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        # All of it is not printable somewhere, or beside what is not.
        if self._pattern is not None and _UNPRINTABLE.search(text):
            for found in self._pattern.finditer(text):
                yield found.span()


class Words:
    """Finds *words*, the longest first, whatever their case, where they are not part of one."""

    def __init__(self, words: list[str]) -> None:
        self._words = [word.lower() for word in words]
        self._pattern = re.compile(
            r"(?<![A-Za-z0-9])(?:" + "|".join(map(re.escape, words)) + r")(?![A-Za-z0-9])",
            re.IGNORECASE,
        )

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        lower = text.lower()
        if any(word in lower for word in self._words):
            for found in self._pattern.finditer(text):
                yield found.span()


# Six characters of what addresses are written with; the least is 1.2.3.4, or two groups.
_CANDIDATE = re.compile(r"[0-9A-Fa-f][0-9A-Fa-fxX.:_,\-\[\]()。．]{5,}")
_BEYOND = 6  # characters after it that a pattern may look at
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\r\n\t]")
