"""Fairness among clients without knowing who they are."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import trio

MAX_CLIENTS = 100_000  # counted apart in one window; more share what is left for one


class Refused(Exception):
    """A question that is not answered: the HTTP status, why, and when to try again."""

    def __init__(self, status: int, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Uses(NamedTuple):
    """How often a thing may be used in a window: by *all* together, by *each*; and *always*, by
    each the first so many times, which nobody takes away by having been there before."""

    all: int
    each: int
    always: int


class Clients:
    """How many things each client has open, and how often it has asked lately.

    A client is known by a keyed hash of its address (of its /56 where it is IPv6), and
    key and counts are forgotten every *window* seconds: enough to be fair by, too little to
    say afterwards who was here.
    """

    def __init__(self, *, window: float) -> None:
        self._window = window
        self._began = trio.current_time()
        self._salt = secrets.token_bytes(16)
        self._spent: defaultdict[str, Counter[bytes]] = defaultdict(Counter)
        self._open: Counter[tuple[str, bytes]] = Counter()

    def spend(self, what: str, allowance: int, amount: int = 1) -> int:
        """Count a use by (or of) *what*, and say how many there were with it.

        Raises `Refused` (429) beyond *allowance*.
        """
        now = trio.current_time()
        if now - self._began >= self._window:
            self._began, self._salt = now, secrets.token_bytes(16)
            self._spent.clear()
        # Each kind has a table of its own: names of hosts must not crowd out clients.
        spent = self._spent[what.partition(" ")[0] if " " in what else ""]
        key = self.key(what)
        if key not in spent and len(spent) >= MAX_CLIENTS:
            key = b""
        if spent[key] + amount > allowance:
            wait = self._began + self._window - now
            raise Refused(429, "asked too often", retry_after=wait)
        spent[key] += amount
        return spent[key]

    def spend_on(self, what: str, client: str, uses: Uses) -> None:
        """Count a use of *what* by *client*. Raises `Refused` (429) beyond what *uses* allow."""
        if self.spend(f"by {what} {client}", uses.each) > uses.always:
            self.spend(what, uses.all)

    @contextmanager
    def holding(self, kind: str, client: str, allowance: int) -> Iterator[None]:
        """One open *kind* of thing. Raises `Refused` (429) beyond *allowance*."""
        key = (kind, self.key(client))
        if self._open[key] >= allowance:
            raise Refused(429, "too much open at once", retry_after=2)
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    def key(self, what: str) -> bytes:
        """What *what* is known by, until the window ends."""
        return hashlib.blake2b(_network(what).encode(), key=self._salt, digest_size=8).digest()


def _network(what: str) -> str:
    """*what*, with an IPv6 address at its end (after a space, if any) cut to its /56.

    A home is given a /56 or more (RIPE-690), so its /64s are no clients of their own.
    """
    kind, space, last = what.rpartition(" ")
    try:
        address = ipaddress.ip_address(last)
    except ValueError:
        return what  # the name of a host, or a key
    if address.version == 6:
        return kind + space + str(ipaddress.ip_network((address, 56), strict=False))
    return what
