"""How an input becomes another one, where a changed byte mostly ends at a parser of JSON.

`changed` alters a line of JSON at one place of its tree. `hostile` is what is left of chance
where nothing is known: cuts, repeats, bytes, and the words that a target says strangers write.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

NASTY: list[Any] = [
    None, True, False, -1, 0, 1.5, 2**31, 2**63, -(2**63), 2**64, 10**400, 1e308, -1e300, 1e-320,
    4e9, "", "\0", "\ud800", "\u202e", "a" * 5000, "é", "../../../../etc/passwd", "=1+1",
    "2026-13", "9999-12-31 23:59:59", "0001-01-01 00:00:00", "99999", "AS0", "AS99999999999",
    "127.0.0.1", "::1%eth0", "999.1.1.1", "::ffff:127.0.0.1%lo", "http://[", "http://xn--/",
    "//x", "https://", "x:70000", "depth=63", "depth=9999", "generic_timeout_error",
    "dns_nxdomain_error", "<script>", "%s%n", "NaN", "-0", "\x1b]0;x\x07", "9" * 5000,
    {"format": "base64", "data": "%%%"}, {"format": "gzip", "data": ""}, [], {}, [[]], [[]] * 3,
    {"": ""}, [None], ["depth=1"], {"kind": "measurement"}, {"kind": 7},
]  # fmt: skip
BYTES = [
    b"\0", b"\xff", b"\xff\xfe", b"\x80", b"\r\n", b"\n", b'"', b",", b"[" * 3000, b'{"a":' * 2000,
    b"9" * 5000, b"\xed\xa0\x80", b"\x1b[2J", b"=cmd|", b"<script>", b"%00", b"\xe2\x80\xae",
    b"1e999",
]  # fmt: skip


def changed(data: bytes, seed: int) -> bytes:
    """*data*, a line of JSON of it changed at one place of its tree; b'' where it is none."""
    chance = random.Random(seed)
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    try:
        whole = json.loads(lines[at])
        value = whole
        while isinstance(value, (dict, list)) and value:
            inside, key = (
                value,
                chance.choice(list(value) if isinstance(value, dict) else range(len(value))),
            )
            value = inside[key]
            if chance.random() < 0.25:
                break
        else:
            if value is whole:
                return b""
        if chance.random() < 0.15:
            del inside[key]
        elif chance.random() < 0.2 and isinstance(inside, list):
            inside.append(value)
        else:
            inside[key] = chance.choice(NASTY)
        lines[at] = json.dumps(whole).encode()
    except (ValueError, RecursionError, UnicodeError):
        return b""
    return b"\n".join(lines)


def hostile(data: bytes, seed: int, words: Sequence[bytes] = ()) -> bytes:
    """*data* with one to four changes that are the same for the same *seed*."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 4)):
        at, end = sorted(chance.randint(0, len(data)) for _ in range(2))
        match chance.randrange(6):
            case 0:
                data = data[:at] + data[end:]
            case 1:
                data = data[:end] + data[at:end] * chance.randint(1, 20) + data[end:]
            case 2:
                data = data[:at] + chance.choice([*BYTES, *words]) + data[at:]
            case 3:
                data = data[:at] + chance.choice([*BYTES, *words]) + data[end:]
            case 4:
                data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case _:
                data = data[:at]
    return data
