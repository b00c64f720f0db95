"""Batches from the outbox to a collector, until each has its receipt or time is up.

Rule: delivered is what the right receipt came for, and nothing else. Whoever sits on the way
can answer "200", "400" or rubbish; so an answer without the receipt is an attempt that
failed. A refusal counts only over TLS and when it was said again and again, and even then
the batch is kept. Order does not matter and twice is harmless, so what failed waits for the
next round while others go.

A batch leaves unsealed only over TLS, or to this machine: a network's operator must not read
who measures what.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Literal, Protocol

import httpx2
import msgspec
import trio

from probe.config import Config
from probe.failure import NetworkFailure
from probe.formats.batch import PADDING, BatchError, CollectorKey
from probe.store import Store
from probe.upload.outbox import DAY, Outbox, Waiting
from probe.upload.ways_out import Answer, Body, WayOut, is_loopback, open_way, put

if TYPE_CHECKING:
    from probe.scrubbing.scrub import Scrubber

ROUNDS = 5  # without one batch delivered, after which it is left for another day
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 120.0  # seconds between rounds, doubling
SILENCES = 3  # in a row on one way, after which the next is tried
REFUSALS_AT_ONCE = 2  # of one batch; the next upload asks again
SEAL = 1500  # bytes that sealing adds beside the padding
OVERHEAD = 2000  # bytes of an attempt beside its body: TLS, heads
REFUSING = frozenset({400, 413, 422})

Result = Literal["delivered", "failed", "refused", "spared"]
Tell = Callable[["Sent"], None]


class UploadError(Exception):
    """Nothing can be sent like this. The message is one line for the user."""


class _Answered(msgspec.Struct):
    sha256: str = ""
    receipt: str = ""
    reason: str = ""
    set_aside: msgspec.Raw = msgspec.Raw(b"[]")


class _SetAside(msgspec.Struct):
    reason: str


@dataclass(kw_only=True)
class Sent:
    """How an upload went. *remaining* are batches without a receipt, *given_up* those that the
    collector refused too often, *bytes* what left; *troubles*: how often each reason came.
    *set_aside*: why documents of what was delivered cannot be read there (they are kept)."""

    total: int = 0
    delivered: int = 0
    remaining: int = 0
    given_up: int = 0
    carried: int = 0
    bytes: int = 0
    over_budget: bool = False
    troubles: Counter[str] = field(default_factory=Counter)
    set_aside: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class Collector:
    """Where batches go, and the key that they are sealed with, if it is known."""

    url: str
    key: CollectorKey | None = None

    @property
    def is_known(self) -> bool:
        """Whether an answer is the collector's own, and what reached it what we sent (TLS)."""
        return self.url.startswith("https:")

    def check(self, ways: Iterable[WayOut]) -> None:
        """Raises `UploadError` where a batch would be readable on one of *ways*."""
        if self.key is not None or self.url.startswith("https:"):
            return
        if not all(is_loopback(url) for url in (self.url, *(w.proxy for w in ways if w.proxy))):
            raise UploadError(
                "without the collector's key ([upload] key, --key FILE) batches go over https"
                " only: everybody on the way could read them"
            )

    def address(self, sha256: str) -> str:
        return f"{self.url.rstrip('/')}/v1/batches/{sha256}"

    def size(self, packed: int) -> int:
        """Bytes of a body at most, of so many packed."""
        return packed + (PADDING + SEAL if self.key else 0)

    def closed(self, packed: bytes) -> bytes:
        return self.key.seal(packed) if self.key else packed


class Source(Protocol):
    """Where batches come from and what became of them goes to: `Outbox`, or a file."""

    def packed(self, sha256: str, /) -> bytes | None: ...

    def attempt(self, sha256: str, way: str, size: int, /) -> None: ...

    def failed(self, sha256: str, way: str, why: str, unsent: int = 0, /) -> None: ...

    def refused(self, sha256: str, way: str, why: str, /) -> bool: ...

    def deliver(self, sha256: str, receipt: str, way: str, /) -> bool: ...


def collector_of(url: str, key: str | None) -> Collector:
    """The collector at *url*; *key* is the text of its public key. Raises `UploadError`."""
    if not url.startswith(("http://", "https://")):
        raise UploadError(f"{url!r} is no http or https address")
    try:
        return Collector(url=url, key=CollectorKey(key) if key else None)
    except BatchError as exc:
        raise UploadError(f"the collector's key: {exc}") from exc


async def send(
    source: Source, waiting: Iterable[Waiting], collector: Collector, ways: list[WayOut],
    *, max_bytes: int | None = None, seconds: float = 3600.0, tell: Tell = lambda sent: None,
) -> Sent:  # fmt: skip
    """Send what is *waiting* by *ways*, in rounds, for *seconds* at most.

    *max_bytes* bounds what leaves, attempts that fail included. *tell* is called after each
    attempt. Trouble on the way is counted and not raised. Whether a batch may be seen on these
    ways, `Collector.check` says before.
    """
    sending = _Sending(source, list(waiting), collector, ways, max_bytes, tell)
    with trio.move_on_after(seconds) as patience:
        await sending.run()
    if patience.cancelled_caught:
        sending.sent.troubles[f"not done within {seconds:g} s"] += 1
    sending.sent.remaining = len(sending.pending) + sending.given_up
    sending.sent.given_up = sending.given_up
    return sending.sent


class _Sending:
    def __init__(
        self, source: Source, waiting: list[Waiting], collector: Collector, ways: list[WayOut],
        max_bytes: int | None, tell: Tell,
    ) -> None:  # fmt: skip
        self.pending = {w.sha256: w for w in waiting if not w.given_up}
        self.given_up = sum(w.given_up for w in waiting)
        self.sent = Sent(total=len(self.pending))
        self._source = source
        self._collector = collector
        self._ways = ways
        self._max_bytes = max_bytes
        self._tell = tell
        self._refusals: Counter[str] = Counter()
        self._wait = 0.0

    async def run(self) -> None:
        idle = 0
        while self._ways and self._sendable() and idle < ROUNDS:
            before = self.sent.delivered
            self._wait = 0.0
            for way in self._ways:
                await self._by(way)
            idle = 0 if self.sent.delivered > before else idle + 1
            if not self._sendable() or idle >= ROUNDS:
                return
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**idle)
            # Jitter: volunteers whom one outage stopped must not come back as one.
            await trio.sleep(max(self._wait, pause * random.uniform(0.5, 1.5)))

    def _sendable(self) -> list[Waiting]:
        found = [
            w for w in self.pending.values() if self._refusals[w.sha256] < REFUSALS_AT_ONCE
        ]
        affordable = [w for w in found if self._affords(w.packed)]
        self.sent.over_budget = len(affordable) < len(found)
        return affordable

    def _affords(self, size: int) -> bool:
        size = self._collector.size(size) + OVERHEAD
        return self._max_bytes is None or self.sent.bytes + size <= self._max_bytes

    async def _by(self, way: WayOut) -> None:
        """One round by *way*: each batch once, until the way seems to be closed."""
        silences = 0
        # Shuffled, so that a batch that never gets through does not always stand before others.
        found = self._sendable()
        random.shuffle(found)
        found.sort(key=_pseudonym)
        for _, same in groupby(found, key=_pseudonym):
            async with open_way(way, self._collector.url) as client:
                for waiting in same:
                    if silences >= SILENCES:
                        return
                    result = await self._one(client, way, waiting)
                    silences = 0 if result != "failed" else silences + 1

    async def _one(self, client: httpx2.AsyncClient, way: WayOut, waiting: Waiting) -> Result:
        sha256 = waiting.sha256
        packed = self._source.packed(sha256)
        if packed is None:  # another upload has delivered it meanwhile
            self.pending.pop(sha256, None)
            self.sent.delivered += 1
            return "delivered"
        body = Body(self._collector.closed(packed))
        if not self._affords(waiting.packed):  # others of this round came before
            return "spared"
        size = len(body.data) + OVERHEAD
        self._source.attempt(sha256, way.name, size)
        try:
            answer = await put(client, self._collector.address(sha256), body)
        except NetworkFailure as exc:
            unsent = len(body.data) - body.left
            size -= unsent
            result = self._failed(sha256, way, f"{exc.failure}: {exc}", unsent)
        else:
            result = self._judge(sha256, way, answer)
        self.sent.bytes += size
        self._tell(self.sent)
        return result

    def _judge(self, sha256: str, way: WayOut, answer: Answer) -> Result:
        said = _read(answer.body)
        reason = _shown(said.reason)
        if answer.status == 200:
            if said.sha256 == sha256 and self._source.deliver(sha256, said.receipt, way.name):
                del self.pending[sha256]
                self.sent.delivered += 1
                self.sent.set_aside.update(_reasons(said.set_aside))
                return "delivered"
            return self._failed(sha256, way, "answered 200 without the receipt")
        if answer.status in REFUSING and reason:
            self.sent.troubles[f"refused: {reason}"] += 1
            self._refusals[sha256] += 1
            if not self._collector.is_known:
                self._source.failed(sha256, way.name, f"refused: {reason}")
            elif self._source.refused(sha256, way.name, reason):
                del self.pending[sha256]
                self.given_up += 1
            return "refused"
        self._wait = max(self._wait, min(answer.retry_after or 0.0, LONGEST_PAUSE))
        return self._failed(sha256, way, f"answered {answer.status} {reason}".strip())

    def _failed(self, sha256: str, way: WayOut, why: str, unsent: int = 0) -> Result:
        why = _shown(why)
        self._source.failed(sha256, way.name, why, unsent)
        self.sent.troubles[f"{way.name}: {why}"] += 1
        return "failed"


def _pseudonym(waiting: Waiting) -> tuple[int, str]:
    return waiting.asn, waiting.month


def _read(body: bytes) -> _Answered:
    try:
        return msgspec.json.decode(body, type=_Answered)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Answered()


def _reasons(set_aside: msgspec.Raw) -> list[str]:
    """Why documents were set aside. A receipt is one, whatever else is said beside it."""
    try:
        found = msgspec.json.decode(set_aside, type=list[_SetAside])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    return [_shown(one.reason) for one in found]


def _shown(text: str) -> str:
    """What a stranger said, fit for a terminal: no escape sequences, not too long."""
    return "".join(c if c.isprintable() else "?" for c in text[:200])


def allowance(outbox: Outbox, config: Config, max_bytes: int | None) -> int | None:
    """Bytes that may still be sent now, by the day's bound and by *max_bytes*; None: any."""
    bounds = [] if max_bytes is None else [max_bytes]
    if config.upload.max_bytes_per_day is not None:
        left = config.upload.max_bytes_per_day - outbox.spent(since=time.time() - DAY)
        bounds.append(max(0, left))
    return min(bounds, default=None)


def make_batches(store: Store, outbox: Outbox, config: Config, *, all_runs: bool) -> int:
    """Put what is in no batch yet into the outbox; how many batches that made.

    *all_runs*: nothing is being measured now, so that a run without an end is one that was
    killed. Raises `StoreError` or `IdentityError`.
    """
    from probe import places
    from probe.upload.identity import Identity

    scrubber, choices = scrubbing(config)
    return outbox.make(
        store, scrubber, Identity(places.identity()), choices=choices,
        ready=lambda run: all_runs or bool(run.ended),
    )  # fmt: skip


def scrubbing(config: Config) -> tuple[Scrubber, str]:
    """What lets documents leave, and by which choices of the user, as text."""
    from probe.scrubbing import known
    from probe.scrubbing.scrub import Choices, Scrubber

    upload = config.upload
    choices = Choices(
        bodies=upload.bodies, personal=upload.personal, home_resolvers=upload.home_resolvers,
        controls=upload.controls,
    )  # fmt: skip
    return Scrubber(known.collect(), choices), msgspec.json.encode(choices).decode()
