"""Where a control server may be sent, and how often.

The rule stands at two places. A question is refused with a reason if its URL is not
one that a browser would open on the public Internet. And, whatever a redirect, a
resolver or a rebinding name makes of it later, the door to the network opens only to
public addresses: the check is on the address that is connected to, at that moment.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

import httpx2
import trio

from probe.addresses import is_public
from probe.net import Datagrams, Network
from probe.serving.clients import Refused
from probe.surroundings.resolvers import Resolvers
from probe.wire.url import URL, BadURL, parse

# Ports that browsers refuse, because what listens there may take an HTTP request
# for its own language (WHATWG Fetch, "bad port").
BAD_PORTS = frozenset(
    {
        1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
        102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389,
        427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636,
        853, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566,
        6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    }
)  # fmt: skip

# Among them DNS over TLS and QUIC (RFC 7858, 9250), where nobody takes what we say for HTTP.
CLOSED_PORTS = BAD_PORTS - {853}


class Guard:
    """Knows where to go. *own* are further addresses never to connect to (this server's)."""

    def __init__(
        self, *, allow: Callable[[str], bool] = is_public, own: frozenset[str] = frozenset()
    ) -> None:
        self._allow = allow
        self._own = own

    def check_url(self, text: str, *, max_length: int) -> URL:
        """*text* as a URL to visit. Raises `Refused` (400)."""
        if len(text) > max_length:
            raise Refused(400, f"the URL is longer than {max_length} characters")
        if any(ord(c) < 33 for c in text):
            raise Refused(400, "the URL has spaces or control characters")
        try:
            url = parse(text)
            if httpx2.URL(text).userinfo:
                raise Refused(400, "the URL has a user name")
        except BadURL as exc:
            raise Refused(400, f"not a URL to visit: {exc}") from exc
        if url.port in BAD_PORTS or url.port == 0:
            raise Refused(400, "a port that browsers refuse")
        if url.ip_literal is not None:
            if not self.may_connect(url.ip_literal):
                raise Refused(400, "the address is not public")
        elif "." not in url.host or url.host.rpartition(".")[2].isdecimal():
            # 2130706433 and 127.1 are addresses to some programs, and names to none.
            raise Refused(400, "the host is neither a name on the Internet nor an address")
        return url

    def may_connect(self, ip: str) -> bool:
        """Whether *ip* is a public address and not this server's own."""
        try:
            return self._allow(ip) and ip not in self._own
        except ValueError:
            return False


class GuardedNetwork:
    """*net*, opened only to where *guard* lets it, and to the *resolvers*."""

    def __init__(self, net: Network, guard: Guard, resolvers: Resolvers) -> None:
        self._net = net
        self._guard = guard
        self._dns = {*resolvers.own, *resolvers.public}
        self._encrypted = {(ip, 853) for _, ip in resolvers.dot}
        self._encrypted |= {(ip, httpx2.URL(url).port or 443) for url, ip in resolvers.doh}

    async def turn(self, ip: str, port: int) -> None:
        await self._net.turn(ip, port)

    async def connect_tcp(self, ip: str, port: int) -> trio.abc.Stream:
        resolver = (ip, port) in self._encrypted or (port == 53 and ip in self._dns)
        if not resolver and (port in CLOSED_PORTS or not self._guard.may_connect(ip)):
            raise PermissionError(errno.EACCES, "not a public address")
        return await self._net.connect_tcp(ip, port)

    async def open_udp(self, ip: str, port: int) -> Datagrams:
        resolver = port == 53 and ip in self._dns
        if not resolver and (port in CLOSED_PORTS or not self._guard.may_connect(ip)):
            raise PermissionError(errno.EACCES, "neither a resolver nor a public site")
        return await self._net.open_udp(ip, port)

    async def system_lookup(self, hostname: str) -> tuple[str, ...]:
        return await self._net.system_lookup(hostname)
