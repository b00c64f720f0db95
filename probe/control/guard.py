"""Where a control server may be sent, and how often.

The rule stands at two places. A question is refused with a reason if its URL is not
one that a browser would open on the public Internet. And, whatever a redirect, a
resolver or a rebinding name makes of it later, the door to the network opens only to
public addresses: the check is on the address that is connected to, at that moment.
"""

from __future__ import annotations

import errno
import hashlib
import ipaddress
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import trio

from probe.addresses import is_public
from probe.net import Datagrams, Network
from probe.resolvers import Resolvers
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

MAX_CLIENTS = 100_000  # counted apart in one window; more share what is left for one


class Refused(Exception):
    """A question that is not answered: the HTTP status, why, and when to try again."""

    def __init__(self, status: int, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


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
        if not resolver and (port in BAD_PORTS or not self._guard.may_connect(ip)):
            raise PermissionError(errno.EACCES, "not a public address")
        return await self._net.connect_tcp(ip, port)

    async def open_udp(self, ip: str, port: int) -> Datagrams:
        resolver = port == 53 and ip in self._dns
        if not resolver and (port in BAD_PORTS or not self._guard.may_connect(ip)):
            raise PermissionError(errno.EACCES, "neither a resolver nor a public site")
        return await self._net.open_udp(ip, port)

    async def system_lookup(self, hostname: str) -> tuple[str, ...]:
        return await self._net.system_lookup(hostname)


class Clients:
    """How many things each client has open, and how often it has asked lately.

    A client is known by a keyed hash of its address (of its /64 where it is IPv6), and
    key and counts are forgotten every *window* seconds: enough to be fair by, too little to
    say afterwards who was here.
    """

    def __init__(self, *, window: float) -> None:
        self._window = window
        self._began = trio.current_time()
        self._salt = secrets.token_bytes(16)
        self._spent: Counter[bytes] = Counter()
        self._open: Counter[tuple[str, bytes]] = Counter()

    def spend(self, what: str, allowance: int) -> None:
        """Count one use by (or of) *what*. Raises `Refused` (429) beyond *allowance*."""
        now = trio.current_time()
        if now - self._began >= self._window:
            self._began, self._salt = now, secrets.token_bytes(16)
            self._spent.clear()
        key = self._key(what)
        if key not in self._spent and len(self._spent) >= MAX_CLIENTS:
            key = b""
        if self._spent[key] >= allowance:
            wait = self._began + self._window - now
            raise Refused(429, "asked too often", retry_after=wait)
        self._spent[key] += 1

    @contextmanager
    def holding(self, kind: str, client: str, allowance: int) -> Iterator[None]:
        """One open *kind* of thing. Raises `Refused` (429) beyond *allowance*."""
        key = (kind, self._key(client))
        if self._open[key] >= allowance:
            raise Refused(429, "too much open at once", retry_after=2)
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    def _key(self, what: str) -> bytes:
        return hashlib.blake2b(_network(what).encode(), key=self._salt, digest_size=8).digest()


def _network(what: str) -> str:
    try:
        address = ipaddress.ip_address(what)
    except ValueError:
        return what  # the name of a host
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return what
