"""One visit for many questions: answers kept for a short while, and shared while they come.

An answer serves a question about the same URL if the visit had been told every address
that the question tells. Bounded in entries and bytes, the oldest go first; what a
limit cut short is shared with those who waited for it and not kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio


@dataclass(frozen=True, kw_only=True)
class Found:
    """A visit's result, encoded. *began* is trio's time; *told* the addresses given to it."""

    told: frozenset[str]
    began: float
    summary: bytes  # OONI's fields, a JSON object
    evidence: bytes  # our records, a JSON array
    complete: bool = True

    @property
    def size(self) -> int:
        return len(self.summary) + len(self.evidence) + 1000  # about what objects around it cost


@dataclass
class _Going:
    told: frozenset[str]
    done: trio.Event = field(default_factory=trio.Event)
    found: Found | None = None


class Cache:
    """Visits for *seconds* after they began; at most so many *entries* and *max_bytes* of them,
    and beside these the visits that go on."""

    def __init__(self, *, seconds: float, entries: int, max_bytes: int) -> None:
        self._seconds = seconds
        self._entries = entries
        self._max_bytes = max_bytes
        self._kept: dict[str, Found] = {}  # in order of arrival
        self._bytes = 0
        self._going: dict[str, _Going] = {}

    async def find(
        self, url: str, told: frozenset[str], visit: Callable[[], Awaitable[Found]]
    ) -> Found:
        """An answer kept or on its way, or else that of *visit*, whose errors are raised."""
        while True:
            kept = self._fresh(url)
            if kept is not None and told <= kept.told:
                return kept
            going = self._going.get(url)
            if going is None or not told <= going.told:
                break
            await going.done.wait()
            if going.found is not None:
                return going.found
            # It failed or was cancelled; the next of those who waited tries again.
        return await self._visit(url, told, visit)

    async def _visit(
        self, url: str, told: frozenset[str], visit: Callable[[], Awaitable[Found]]
    ) -> Found:
        going = _Going(told)
        self._going[url] = going
        try:
            going.found = found = await visit()
        finally:
            going.done.set()
            if self._going.get(url) is going:
                del self._going[url]
        if found.complete:
            self._keep(url, found)
        return found

    def _fresh(self, url: str) -> Found | None:
        """What is kept of *url*. What is too old goes, whether or not anybody asks for it again:
        the oldest arrived first, but for the time that a visit takes."""
        oldest = trio.current_time() - self._seconds
        while self._kept and next(iter(self._kept.values())).began < oldest:
            self._drop(next(iter(self._kept)))
        found = self._kept.get(url)
        return None if found is None or found.began < oldest else found

    def _keep(self, url: str, found: Found) -> None:
        self._drop(url)
        self._kept[url] = found
        self._bytes += found.size
        while self._bytes > self._max_bytes or len(self._kept) > self._entries:
            self._drop(next(iter(self._kept)))

    def _drop(self, url: str) -> None:
        found = self._kept.pop(url, None)
        if found is not None:
            self._bytes -= found.size
