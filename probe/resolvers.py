"""Which resolvers to ask: the ones this machine is set to use, and others to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.resolver

MAX_OWN = 3  # glibc reads no more than three (resolv.conf(5), MAXNS)


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
    """The name servers that *path* lists; none where there is no such file."""
    resolver = dns.resolver.Resolver(configure=False)
    try:
        resolver.read_resolv_conf(str(path))
    except (OSError, dns.exception.DNSException):
        return ()
    servers = [str(server) for server in resolver.nameservers if "%" not in str(server)]
    return tuple(dict.fromkeys(servers))[:MAX_OWN]
