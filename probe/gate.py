"""Who fetches the page of a hop, when many addresses are connected at once.

The page is fetched once on the *user's path*: through an address that this machine's
own resolvers gave. Where none of those addresses is known to anybody else, it is
fetched once more through an address that only others know, so that a lie and the
truth behind it are both seen. A fetch that fails passes the turn on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

STALE_AFTER = 1.0  # seconds; servers may close a connection on which nobody speaks


@dataclass
class Turn:
    """Whether to fetch; *stale* says that the wait was long enough to connect anew."""

    granted: bool = False
    stale: bool = False
    done: bool = False


class Gate:
    """For one hop of a visit; the connections to its addresses share it. Held by one task for each
    way, the user's path and the one beside it."""

    def __init__(self) -> None:
        self._own: set[str] = set()
        self._others: set[str] = set()
        self._complete = False
        self._held: set[bool] = set()  # keyed by "is the user's path"
        self._done: set[bool] = set()
        self._changed = trio.Event()

    def learn(self, ip: str, *, own: bool) -> None:
        """*ip* was given by this machine's own resolvers, or by somebody else."""
        (self._own if own else self._others).add(ip)
        self._wake()

    def complete(self) -> None:
        """Everybody has been asked."""
        self._complete = True
        self._wake()

    @asynccontextmanager
    async def turn(self, ip: str) -> AsyncIterator[Turn]:
        """Wait for the turn of *ip*, or to be told that its page is not needed."""
        began = trio.current_time()
        while (path := self._decide(ip)) is None:
            await self._changed.wait()
        turn = Turn(granted=path != "no", stale=trio.current_time() - began > STALE_AFTER)
        if not turn.granted:
            yield turn
            return
        users = path == "own"
        self._held.add(users)
        try:
            yield turn
        finally:
            self._held.discard(users)
            if turn.done:
                self._done.add(users)
            self._wake()

    def _decide(self, ip: str) -> str | None:
        """``own``, ``other`` or ``no``; None while it cannot be told yet."""
        users = ip in self._own
        if not users and not self._complete:
            return None
        if not users and self._own & self._others:
            return "no"
        if users in self._done:
            return "no"
        if users in self._held:
            return None
        return "own" if users else "other"

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
