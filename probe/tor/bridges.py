"""Bridge lines, as they are handed out: ``[transport] address:port [fingerprint] [key=value …]``.

They come from people and go into a torrc, so what could mean anything else there (a
continued line, a comment, a quote) is refused. A bridge that was handed to one person is a
secret: a message never repeats the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

VANILLA = "vanilla"
MAX_FILE = 100_000  # bytes
MAX_BRIDGES = 200

_LINE = re.compile(
    r"(?:Bridge[ \t]+)?(?:(?P<transport>(?!Bridge[ \t])[A-Za-z_][A-Za-z0-9_]{0,31})[ \t]+)?"
    r"(?P<where>\[[0-9A-Fa-f:.]{2,45}\]|[0-9.]{7,15}):(?P<port>\d{1,5})"
    r"(?:[ \t]+\$?(?P<fingerprint>[0-9A-Fa-f]{40})(?:[~=]\w{1,19})?)?"
    r"(?P<arguments>(?:[ \t]+[A-Za-z0-9_-]{1,40}=[!$-&(-[\]-~]{1,2000}){0,20})[ \t]*",
    re.ASCII | re.IGNORECASE,
)


class BadBridges(ValueError):
    """The bridges cannot be used; the message says which line and why, and not what is in it."""


@dataclass(frozen=True, repr=False)
class Bridge:
    """One bridge. *transport* is ``"vanilla"`` for one that is spoken to as a relay is."""

    transport: str
    ip: str
    port: int
    fingerprint: str = ""
    arguments: str = ""

    @property
    def line(self) -> str:
        """The line in its one form, as a torrc takes it after ``Bridge``."""
        where = f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"
        transport = "" if self.transport == VANILLA else self.transport
        return " ".join(filter(None, (transport, where, self.fingerprint, self.arguments)))


def parse(line: str) -> Bridge:
    """The bridge of a *line* that somebody was given. Raises `BadBridges`."""
    found = _LINE.fullmatch(line.strip()) if len(line) <= 4096 else None
    if found is None:
        raise BadBridges("no bridge line; it is [transport] address:port [fingerprint] [key=value]")
    try:
        ip = str(ip_address(found["where"].strip("[]")))
    except ValueError as exc:
        raise BadBridges("the bridge's address is none") from exc
    port = int(found["port"])
    if not 0 < port < 65536:
        raise BadBridges("the bridge's port is none")
    return Bridge(
        transport=(found["transport"] or VANILLA).lower(),
        ip=ip,
        port=port,
        fingerprint=(found["fingerprint"] or "").upper(),
        arguments=" ".join(found["arguments"].split()),
    )


def read(path: Path) -> tuple[Bridge, ...]:
    """The bridges of a file: one in a line; ``#`` begins a comment. Raises `BadBridges`."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
        text = content.decode()
    except OSError as exc:
        raise BadBridges(f"the file of bridges: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise BadBridges("the file of bridges is no text") from exc
    if len(content) > MAX_FILE:
        raise BadBridges(f"the file of bridges is longer than {MAX_FILE} bytes")
    found: dict[str, Bridge] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            bridge = parse(line)
        except BadBridges as exc:
            raise BadBridges(f"the file of bridges, line {number}: {exc}") from exc
        found[bridge.line] = bridge
        if len(found) > MAX_BRIDGES:
            raise BadBridges(f"the file of bridges has more than {MAX_BRIDGES}")
    return tuple(found.values())
