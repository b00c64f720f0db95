"""The user's identity, planted in every field of every record in every notation: none leaves.

What leaves is searched as bytes, as what it says when its JSON is read and its base64 is
opened, and without separators.
"""

from __future__ import annotations

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import msgspec
import pytest

from probe.evidence import Measurement, Run
from probe.scrubbing.known import Known
from probe.scrubbing.scrub import Choices, Scrubber
from tests.probe.records import everything

V4 = IPv4Address("93.85.101.20")
V6 = IPv6Address("2a02:d247:1234:5600:1c2:b3ff:fe3c:4d5e")
MAC = "a4:5e:60:c1:2b:3d"
NAMES = ("annas-thinkpad", "anna.k", "/home/anna.k", "Квартира 17", "Anna Kavaliova")
ZONE, LOCALE = "Europe/Minsk", "be_BY.UTF-8"
KNOWN = Known(
    addresses=(str(V4), str(V6), "192.168.7.23", "192.168.7.1", "fe80::a65e:60ff:fec1:2b3d"),
    macs=(MAC,), names=NAMES, zone=ZONE, locale=LOCALE,
)  # fmt: skip
URL = "https://charter97.org/"

_o = V4.packed
_hex6 = V6.packed.hex()

# How programs write them: each must be gone whatever the field that it is in.
TEXTS: dict[str, str] = {
    "dotted": str(V4),
    "zeros": ".".join(f"{o:03d}" for o in _o),
    "octal": ".".join(f"0{o:o}" for o in _o),
    "hexadecimal octets": ".".join(f"0x{o:x}" for o in _o),
    "one number": str(int(V4)),
    "hexadecimal": f"0x{int(V4):08X}",
    "octal number": f"0{int(V4):o}",
    "one number, the other way round": str(int.from_bytes(_o, "little")),
    "one number, with a sign": str(int(V4) - (1 << 32)),
    "hexadecimal of the text": str(V4).encode().hex(),
    "three parts": f"{_o[0]}.{_o[1]}.{int(V4) & 0xFFFF}",
    "two parts": f"{_o[0]}.{int(V4) & 0xFFFFFF}",
    "of a host": "-".join(map(str, _o)) + ".static.byfly.by",
    "PTR": V4.reverse_pointer,
    "URL-encoded": urllib.parse.quote(str(V4)).replace(".", "%2E"),
    "URL-encoded throughout": "".join(f"%{ord(c):02x}" for c in str(V4)),
    "URL-encoded twice": str(V4).replace(".", "%252e"),
    "HTML": "".join(f"&#{ord(c)};" for c in str(V4)),
    "HTML, hexadecimal": str(V4).replace(".", "&#x2e;"),
    "HTML, named": str(V4).replace(".", "&period;"),
    "JSON": "".join(f"\\u{ord(c):04x}" for c in str(V4)),
    "script": str(V4).replace(".", "\\x2e"),
    "base64": base64.b64encode(f"ip={V4}&n=1".encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(f"??>>{V4}".encode()).decode().rstrip("="),
    "base64 of bytes": base64.b64encode(b"\0\1user" + V4.packed + b"\0\0").decode(),
    "base64 twice": base64.b64encode(base64.b64encode(f"client {V4}".encode())).decode(),
    "base64, URL-encoded": urllib.parse.quote(base64.b64encode(f"u={V4}".encode()).decode()),
    "mapped": f"::ffff:{V4}",
    "mapped, hexadecimal": f"::ffff:{_o[0]:x}{_o[1]:02x}:{_o[2]:x}{_o[3]:02x}",
    "mapped, long": f"0:0:0:0:0:ffff:{_o[0]:02x}{_o[1]:02x}:{_o[2]:02x}{_o[3]:02x}",
    "NAT64": f"64:ff9b::{_o[0]:x}{_o[1]:02x}:{_o[2]:x}{_o[3]:02x}",
    "6to4": f"2002:{_o[0]:02x}{_o[1]:02x}:{_o[2]:02x}{_o[3]:02x}::1",
    "with a port": f"{V4}:51234",
    "at home": "192.168.7.23",
    "router": "192.168.7.1",
    "IPv6": str(V6),
    "IPv6 in full": V6.exploded,
    "IPv6, upper case": str(V6).upper(),
    "IPv6 with a port": f"[{V6}]:443",
    "IPv6 with a zone": "fe80::a65e:60ff:fec1:2b3d%wlp3s0",
    "IPv6 of the same line": "2a02:d247:1234:5677::1",
    "IPv6, PTR": V6.reverse_pointer,
    "IPv6, URL-encoded": str(V6).replace(":", "%3A"),
    "IPv6, HTML": str(V6).replace(":", "&#58;"),
    "IPv6 of a host": str(V6).replace(":", "-") + ".dyn.example",
    "IPv6, hexadecimal": _hex6,
    "IPv6, one number": str(int(V6)),
    "IPv6, base64": base64.b64encode(V6.packed).decode(),
    "MAC": MAC,
    "MAC, upper case": MAC.upper().replace(":", "-"),
    "MAC, Cisco's": "a45e.60c1.2b3d",
    "MAC, bare": MAC.replace(":", ""),
    "EUI-64": "2001:db9::a65e:60ff:fec1:2b3d",
    "host": NAMES[0],
    "host in a name": f"{NAMES[0]}.local",
    "user": f"mailto:{NAMES[1]}@mail.example",
    "home": f"{NAMES[2]}/zond.db",
    "home, URL-encoded": urllib.parse.quote(f"{NAMES[2]}/zond.db", safe=""),
    "Wi-Fi": f"ssid={NAMES[3]}",
    "Wi-Fi, URL-encoded": urllib.parse.quote(NAMES[3]),
    "person": NAMES[4].upper(),
    "zone": f"tz={ZONE}",
    "zone, URL-encoded": ZONE.replace("/", "%2F"),
    "locale": LOCALE,
}
BYTES: dict[str, bytes] = {
    "IPv4 header": bytes.fromhex("4500003c1c4640004006b1e6") + V4.packed + b"\x08\x08\x08\x08",
    "IPv6 header": bytes.fromhex("60000000001406403fff") + V6.packed + bytes(16),
    "IPv6 cut off": b"\0\0\0" + V6.packed[:11],
    "subject alternative name": b"\x30\x06\x87\x04" + V4.packed,
    "client subnet": b"\0\x08\0\x07\0\x01\x18\0" + V4.packed[:3],
    "hardware address": b"\1\4" + bytes.fromhex(MAC.replace(":", "")) + b"\0",
    "UTF-16": f"ip: {V4}".encode("utf-16-le"),
    "Wi-Fi, UTF-8": f"<b>{NAMES[3]}</b>".encode(),
    "Wi-Fi, windows-1251": NAMES[3].encode("cp1251"),
}

# Any of these in what leaves is the user.
_V4_PARTS = [str(V4), "192.168.7.23", "192.168.7.1"]
NEEDLES: list[bytes] = [
    *(s.encode() for s in (*_V4_PARTS, *NAMES, ZONE, LOCALE, MAC, str(V6), str(int(V4)))),
    *(s.encode("utf-16-le") for s in (str(V4), *NAMES)),
    str(int.from_bytes(_o, "little")).encode(), str((1 << 32) - int(V4)).encode(),
    str(V4).encode().hex().encode(), b"2a02:d247:1234", b"2a02-d247-1234", b"a45e.60c1.2b3d",
    b"20.101.85.93", _hex6[:12].encode(), V4.packed.hex().encode(), str(int(V6)).encode(),
    b"093.085.101.020", b"0135.0125.0145.024", b"0x5d.0x55.0x65.0x14", b"93.85.25876",
    b"93.5596436", f"0{int(V4):o}".encode(), b"5d55:6514", b"a65e:60ff:fec1:2b3d",
    "Квартира 17".encode("cp1251"), b"93-85-101-20",
    V4.packed, V6.packed[:6], bytes.fromhex(MAC.replace(":", "")),
    MAC.replace(":", "").encode(), MAC.replace(":", "-").encode(),
    ".".join(reversed(_hex6[:12])).encode(),
    b"\0\x01\x18\0" + V4.packed[:3],
]  # fmt: skip


def opened(line: bytes) -> Iterator[bytes]:
    """What somebody who wants to know reads in *line*: as it is, and decoded again and again."""
    found: list[bytes] = [line]
    strings: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, str):
            strings.append(value)
        elif isinstance(value, list):
            for item in value:
                walk(item)
        elif isinstance(value, dict):
            for name, item in value.items():
                walk(name)
                walk(item)

    walk(json.loads(line))
    for text in strings:
        layer = {text.encode()}
        for _ in range(4):
            more: set[bytes] = set()
            for data in layer:
                as_text = data.decode("latin-1")
                more.add(urllib.parse.unquote_to_bytes(data))
                more.add(_unescaped(as_text).encode("latin-1", "replace"))
                for token in re.findall(r"[A-Za-z0-9+/_-]{8,}={0,2}", as_text):
                    bare = token.rstrip("=").translate(str.maketrans("-_", "+/"))
                    bare = bare[: len(bare) - (len(bare) % 4 == 1)]
                    more.add(base64.b64decode(bare + "=" * (-len(bare) % 4)))
            layer = more - set(found)
            found += layer
    yield from found


def _unescaped(text: str) -> str:
    text = re.sub(
        r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))", lambda m: chr(int(m[1] or m[2], 16)), text
    )
    return html.unescape(text)


def assert_nobody(lines: list[bytes]) -> None:
    for line in lines:
        for layer in opened(line):
            lower = layer.lower()
            for needle in NEEDLES:
                assert needle.lower() not in lower, (needle, layer[:300])


def leaving(fill: Callable[[type, str], Any], **choices: Any) -> list[bytes]:
    run, measurement, canary = everything(fill, "00ff", URL)
    scrubber = Scrubber(KNOWN, Choices(**choices))
    line = scrubber.run(run)
    found = scrubber.measurement(measurement)
    assert found is not None
    return [line, found, scrubber.canary(canary)]


@pytest.mark.parametrize("notation", TEXTS)
@pytest.mark.parametrize("around", ["{}", "before {} after", '<a href="/?q={}&amp;x=1">'])
def test_no_field_tells(notation: str, around: str) -> None:
    text = around.format(TEXTS[notation])

    def fill(kind: type, place: str) -> Any:
        return text if kind is str else b"\x16\x03" + text.encode() + b"\0"

    assert_nobody(leaving(fill, bodies="all"))


@pytest.mark.parametrize("notation", TEXTS)
def test_no_page_tells(notation: str) -> None:
    body = f"<html><p>Адрес: {TEXTS[notation]}</p></html>".encode()

    def fill(kind: type, place: str) -> Any:
        return "plain" if kind is str else body

    assert_nobody(leaving(fill, bodies="all"))


@pytest.mark.parametrize("notation", BYTES)
def test_no_bytes_tell(notation: str) -> None:
    data = BYTES[notation]

    def fill(kind: type, place: str) -> Any:
        return data.decode("latin-1") if kind is str else data

    assert_nobody(leaving(fill, bodies="all"))
    assert_nobody(leaving(lambda kind, _: "" if kind is str else data, bodies="all"))


def test_a_neighbour_of_the_users_address_goes_from_pages_and_stays_as_a_server() -> None:
    neighbour = "93.85.101.77"

    def fill(kind: type, place: str) -> Any:
        if kind is bytes:
            return f"You are {neighbour}.".encode()
        return neighbour if place == "TCPConnect.ip" else ""

    _, line, _ = leaving(fill, bodies="all")
    assert b'"ip":"93.85.101.77"' in line
    assert line.count(neighbour.encode()) == 1
    assert_nobody([line.replace(neighbour.encode(), b"")])


def test_what_is_planted_would_be_found() -> None:
    missed = []
    for name, text in TEXTS.items():
        try:
            assert_nobody([json.dumps({"a": text}).encode()])
        except AssertionError:
            continue
        missed.append(name)
    assert not missed


def test_scrubbed_twice_is_as_scrubbed_once() -> None:
    def fill(kind: type, place: str) -> Any:
        text = " ".join(TEXTS.values())
        return text if kind is str else text.encode()

    run, first, _ = leaving(fill, bodies="all")
    again = Scrubber(KNOWN, Choices(bodies="all"))
    again.run(msgspec.json.decode(run, type=Run))
    once = msgspec.json.decode(first, type=Measurement)
    second = again.measurement(once)
    assert second is not None
    twice = msgspec.json.decode(second, type=Measurement)
    for a, b in zip(once.evidence, twice.evidence, strict=True):
        ours = {n: getattr(a, n) for n in a.__struct_fields__ if n != "body_sha256"}
        theirs = {n: getattr(b, n) for n in b.__struct_fields__ if n != "body_sha256"}
        assert ours == theirs
