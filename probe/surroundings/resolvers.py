"""Which resolvers to ask: the ones this machine is set to use, and others to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

MAX_OWN = 3  # glibc reads no more than three (resolv.conf(5), MAXNS)
MAX_FILE = 65_536  # characters of a resolv.conf


@dataclass(frozen=True, kw_only=True)
class Resolvers:
    """*own* and *public* are addresses asked over UDP; *dot* holds ``(name, address)``
    and *doh* ``(URL, address)`` of encrypted ones, whose names stand in their certificates.
    *upstream* is who asks the world for an own resolver that is at home.
    *system* is false where the system's resolver should not be asked (a control asks
    only honest ones)."""

    own: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    public: tuple[str, ...] = ("8.8.8.8", "1.1.1.1", "9.9.9.9")
    dot: tuple[tuple[str, str], ...] = (
        ("dns.google", "8.8.8.8"),
        ("one.one.one.one", "1.1.1.1"),
        ("dns.quad9.net", "9.9.9.9"),
    )
    doh: tuple[tuple[str, str], ...] = (
        ("https://dns.google/dns-query", "8.8.8.8"),
        ("https://cloudflare-dns.com/dns-query", "1.1.1.1"),
        ("https://dns.quad9.net/dns-query", "9.9.9.9"),
    )
    system: bool = True


def system_resolvers(path: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """The name servers that *path* lists (resolv.conf(5)); none where there is no such file.

    Addresses of one interface (``fe80::1%eth0``) and what is no address are passed over. Read
    here, since dnspython's resolver costs 1 MB of memory and refuses the file for one bad line.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = file.read(MAX_FILE).splitlines()
    except OSError:
        return ()
    servers = []
    for words in map(str.split, lines):
        if len(words) > 1 and words[0] == "nameserver" and _is_address(words[1]):
            servers.append(words[1])
    return tuple(dict.fromkeys(servers))[:MAX_OWN]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text
