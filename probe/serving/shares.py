"""Something that there is only so much of, shared among strangers: room, and time.

Rule: a client may hold as much as is left free, and waits or is refused beyond that. So
however many are greedy, who comes next finds something: N of them hold N/(N+1) of it
together, and none is asked to give back what it has. (The dynamic threshold of Choudhury and
Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998.) Of time
nobody takes more than is taken of him: what a client asks for comes one after another, `Turns`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import trio

from probe.serving.clients import Refused

BUSY_SECONDS = 5.0  # after which who was refused may come again


class Shares:
    """*total* units of something, at most *each* of them for one client."""

    def __init__(self, total: int, *, each: int | None = None) -> None:
        self._total = total
        self._each = total if each is None else each
        self._held: Counter[Hashable] = Counter()
        self.taken = 0

    def held(self, client: Hashable) -> int:
        return self._held[client]

    def take(self, client: Hashable, amount: int = 1) -> bool:
        """Give *client* so much more, if its share allows; whether it does."""
        more = self._held[client] + amount
        if more > min(self._each, self._total - self.taken):
            return False
        self._held[client] = more
        self.taken += amount
        return True

    def give_back(self, client: Hashable, amount: int = 1) -> None:
        self._held[client] -= amount
        self.taken -= amount
        if not self._held[client]:
            del self._held[client]


class Turns:
    """Each client's turns, *gap* seconds apart; nobody waits for longer than *patience* seconds.

    Clients do not wait for each other.
    """

    def __init__(self, *, gap: float, patience: float) -> None:
        self._gap, self._patience = gap, patience
        self._next: dict[Hashable, float] = {}

    async def mine(self, client: Hashable) -> bool:
        """Wait for the next turn of *client*; False, at once, where that is too far away."""
        now = trio.current_time()
        at = max(now, self._next.get(client, now))
        if at - now > self._patience:
            return False
        if client not in self._next:  # and who has had all of theirs is forgotten
            self._next = {c: t for c, t in self._next.items() if t > now}
        self._next[client] = at + self._gap
        await trio.sleep_until(at)
        return True


class Room:
    """So many *places*; *waiting* may wait for one, for *patience* seconds.

    A place that is left goes to the client that has the fewest, among these to who has
    waited longest.
    """

    def __init__(self, places: int, *, waiting: int, patience: float) -> None:
        self._places = Shares(places)
        self._queue = Shares(waiting)
        self._patience = patience
        self._waiting: dict[Hashable, deque[trio.Event]] = {}  # whose turn is next comes first

    @asynccontextmanager
    async def place(self, client: Hashable) -> AsyncIterator[None]:
        """A place for the ``with``. Raises `Refused` (503) where none comes free in time."""
        if client in self._waiting or not self._places.take(client):
            await self._wait(client)
        try:
            yield
        finally:
            self._places.give_back(client)
            self._let_in()

    async def _wait(self, client: Hashable) -> None:
        if not self._queue.take(client):
            raise Refused(503, "busy", retry_after=BUSY_SECONDS)
        turn = trio.Event()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            with trio.fail_after(self._patience):
                await turn.wait()
        except BaseException as exc:
            if turn.is_set():  # a place had been given to who goes away
                self._places.give_back(client)
            else:
                self._waiting[client].remove(turn)
                if not self._waiting[client]:
                    del self._waiting[client]
            self._let_in()
            if isinstance(exc, trio.TooSlowError):
                raise Refused(503, "busy", retry_after=BUSY_SECONDS) from None
            raise
        finally:
            self._queue.give_back(client)

    def _let_in(self) -> None:
        while (client := self._next()) is not None and self._places.take(client):
            turns = self._waiting.pop(client)
            turns.popleft().set()
            if turns:
                self._waiting[client] = turns

    def _next(self) -> Hashable | None:
        """Who waits and has the fewest places."""
        best, fewest = None, -1
        for client in self._waiting:
            held = self._places.held(client)
            if held == 0:
                return client
            if best is None or held < fewest:
                best, fewest = client, held
        return best
