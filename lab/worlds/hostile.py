"""A world for each server that means harm (`lab.hostile`). Whatever it does to everybody, it is
no block; a resolver that spoils its answers does so only to its own customers, and is one."""

from __future__ import annotations

from collections.abc import Iterator

from lab import hostile
from lab.resolvers import OWN, Name
from lab.sites import Article, Play, Port, Site
from lab.world import Truth, World

ADDRESSES = "188.165"  # of one hosting company's
HANDSHAKE = 2400  # bytes that a server says up to the end of its part of a handshake
ANYTHING_BUT_BLOCKED = Truth(outcome=frozenset({"ok", "down", "server_side", "inconclusive"}))
SPOILED = Truth(outcome=frozenset({"ok", "blocked", "inconclusive"}))


def worlds(step: int = 40) -> list[World]:
    """All of them; connections are cut at every *step*-th byte."""
    return [_world(number, *described) for number, described in enumerate(_described(step))]


def _described(step: int) -> Iterator[tuple[str, Port, hostile.Spoil | None, str]]:
    for name, play in hostile.plays():
        yield name, play, None, ""
    head = hostile.OK + b"Content-Length: 11\r\n\r\nhello world"
    for size in range(0, len(head), max(1, step // 8)):
        yield f"http-cut-{size}", Play(hostile.cut_at(size)), None, ""
    for size in range(0, HANDSHAKE, step):
        yield f"tls-cut-{size}", Play(hostile.CutTLS(size)), None, ""
    for name, spoil in hostile.DNS.items():
        yield f"dns-{name}", Article(name), spoil, ""
    yield "quic-flood", Article("flood"), None, "flood"


def _world(
    number: int, name: str, port: Port, spoil: hostile.Spoil | None, h3: str
) -> World:
    host = f"{name}.hostile.example.org"
    address = f"{ADDRESSES}.{1 + number // 250}.{1 + number % 250}"
    clear = name.startswith("http-")
    site = Site(
        names=(host,), addresses=(address,), http=port if clear else None,
        https=None if clear else port, h3="flood" if h3 else "",
    )  # fmt: skip
    told = Name(name=host, addresses=(address,))
    spoiled = Name(name=host, addresses=(address,), at=(OWN,), spoil=spoil)
    return World(
        name=f"hostile-{name}", url=f"{'http' if clear else 'https'}://{host}/",
        truth=SPOILED if spoil else ANYTHING_BUT_BLOCKED, sites=(site,),
        zone=(told, spoiled) if spoil else (told,),
    )  # fmt: skip
