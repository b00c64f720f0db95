"""The search for the hop where something interferes: rising TTL, from the household outwards.

Rising and not by halves, since censors stand near, and since each trigger that does not
reach one costs nobody anything: no residual blocking, no forbidden name abroad. It ends
where the interference has been met by most of `VOTES` connections; each has a source
port of its own, so that paths which differ per flow are seen to differ.

Two kinds of interference. One that *answers* (reset, close, alert, page, forged answer) is
met at the smallest TTL with which the answer comes. One that is *silent* is met at the
smallest TTL with which the forbidden name is not heard of while the same packet with a
harmless name is: a silent router alone is no interference. What is found is left in
evidence; ``analysis.observe.location`` reads it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import trio

from probe.evidence import HopProbe
from probe.failure import Failure
from probe.ladder.climb import Climb
from probe.ladder.rung import Accused
from probe.steps.hop import LINGER, hop_hello, hop_initial, hop_query, hop_request, hop_syn
from probe.wire.tls import HANDSHAKE

MAX_TTL = 30
FULL = 64  # as long as any packet lives
MAX_PROBES = 40  # of one search
VOTES = 3
QUIET = 6  # hops from which nothing is heard at all: the end of the search
MAX_NEUTRAL = 6
# Seconds. Silence is taken for silence after ten, so residual blocking of a few more has
# passed, or was a slow connection, before anybody looked.
UNNOTICED = 15.0

SILENCE = frozenset({Failure.TIMEOUT, Failure.TIMED_OUT})
_ENDS = frozenset({"accepted", "answered", "closed", "refused", "unreachable"})

Met = Literal["met", "passed", "unknown"]


class _Enough(Exception):
    """The search has had as many packets as one may have."""


@dataclass
class _Search:
    """What all searches share. *ip* and *port* are where the packets are sent."""

    climb: Climb
    accused: Accused
    ip: str
    port: int
    probes: int = 0
    tallies: dict[int, Counter[Met]] = field(default_factory=dict)

    async def run(self) -> None:
        """Search until it is found, or the path or the budget ends."""
        try:
            await self._rise()
        except _Enough:
            return

    async def _rise(self) -> None:
        passed = quiet = 0
        for ttl in range(1, MAX_TTL + 1):
            met, heard, ends = await self._look(ttl, passed)
            if met == "met" and await self._most_meet(ttl, passed):
                await self._learn_name(ttl, passed)
                if ttl > 1:
                    await self._vote(passed if self.silent and passed else ttl - 1, passed)
                return
            if ends:
                return
            if met == "passed":
                passed = ttl
            quiet = 0 if heard else quiet + 1
            if quiet == QUIET:
                return

    async def _look(self, ttl: int, passed: int) -> tuple[Met, bool, bool]:
        """What happens at *ttl*, whether anything is heard from there, whether the path ends."""
        raise NotImplementedError

    async def _try(self, ttl: int, passed: int) -> Met:
        """One more try at *ttl*; *passed* is the last TTL before it that was passed."""
        raise NotImplementedError

    async def _learn_name(self, ttl: int, passed: int) -> None:
        """Let the router at *ttl* speak, where it has not."""

    @property
    def silent(self) -> bool:
        return self.accused.how in SILENCE

    async def _count(self, ttl: int, passed: int) -> Met:
        met = await self._try(ttl, passed)
        self.tallies.setdefault(ttl, Counter())[met] += 1
        return met

    async def _vote(self, ttl: int, passed: int) -> Counter[Met]:
        """Try at *ttl* until there are `VOTES` tries."""
        tally = self.tallies.setdefault(ttl, Counter())
        while tally.total() < VOTES:
            await self._count(ttl, min(passed, ttl - 1))
        return tally

    async def _most_meet(self, ttl: int, passed: int) -> bool:
        tally = await self._vote(ttl, passed)
        return 2 * tally["met"] > tally.total()

    async def _polite(self, ip: str, port: int, ttl: int) -> None:
        """Wait until one more packet may die at *ttl* on its way to *ip*."""
        if self.probes >= MAX_PROBES:
            raise _Enough
        self.probes += 1
        if port == 53:
            await self.climb.tools.net.turn(ip, port)
        else:
            await self.climb.ready(ip, port)
        await self.climb.hop_turn(ttl)

    async def _syn(
        self, ip: str, port: int, ttl: int, *, contrast: bool = False, times: int = 2
    ) -> HopProbe:
        """A SYN; as many *times* until one is heard of."""
        climb = self.climb
        async with climb.alone(ip):
            for _ in range(times):
                await self._polite(ip, port, ttl)
                probe = await hop_syn(
                    climb.tools.hops, climb.trace, ip, port, ttl, contrast=contrast, **climb.facts
                )
                if heard(probe):
                    break
        return probe


@dataclass
class NameSearch(_Search):
    """Where a name in a ClientHello, a Host header, a DNS query or a QUIC Initial meets its
    fate."""

    trigger: Literal["tls", "http", "dns", "quic"] = "tls"
    met_at: float | None = None  # when the name was met last, trio's time

    async def _rise(self) -> None:
        if self.trigger in ("tls", "http"):
            await self._let_it_pass()
        await super()._rise()

    async def _let_it_pass(self) -> None:
        """Wait while nothing can be connected to, which would pass for silent routers: residual
        blocking after the rungs before, too short to have been noticed."""
        for _ in range(3):
            probe = await self._syn(self.ip, self.port, FULL, times=1)
            if probe.answer == "accepted":
                return
            await trio.sleep(UNNOTICED)

    async def is_forged(self) -> bool:
        """Whether the name is answered where a harmless one is not, by packets that live as
        long as any."""
        for _ in range(2):
            if (await self._say(self.accused.host, FULL)).answer == "answered":
                harmless = await self._say(self.climb.harmless, FULL, contrast=True)
                return harmless.answer != "answered"
        return False

    async def _look(self, ttl: int, passed: int) -> tuple[Met, bool, bool]:
        if self.trigger in ("dns", "quic"):
            scout = await self._say(self.climb.harmless, ttl, contrast=True)
        else:
            scout = await self._syn(self.ip, self.port, ttl)
        met: Met = "unknown"
        # To a silent interferer a silent router has nothing to add.
        for _ in range(0 if self.silent and not heard(scout) else 2):
            met = await self._count(ttl, passed)
            if met != "unknown":
                break
        return met, heard(scout) or met != "unknown", scout.answer in _ENDS

    async def _try(self, ttl: int, passed: int) -> Met:
        probe = await self._say(self.accused.host, ttl)
        if self._reacted(probe):
            self._spoken()
            return "met"
        if heard(probe):
            return "passed"
        if not self.silent or probe.failure is not None:
            return "unknown"
        self._spoken()  # it may have come as far as the censor
        contrast = await self._say(self.climb.harmless, ttl, contrast=True)
        return "met" if heard(contrast) else "unknown"

    def _spoken(self) -> None:
        self.met_at = trio.current_time()
        self.climb.sent(self.ip)

    def _reacted(self, probe: HopProbe) -> bool:
        """Whether what came back is the interference, as far as one packet shows."""
        if probe.answer in ("reset", "closed"):
            return True
        if self.trigger == "quic" and probe.answer in ("refused", "unreachable"):
            return not self.silent
        if probe.answer != "answered" or self.silent:
            return False
        if self.accused.layer == "tls":  # a ServerHello is what should come
            return probe.received[:1] != bytes([HANDSHAKE])
        return self.accused.layer not in ("http", "quic")

    async def _say(self, name: str, ttl: int, *, contrast: bool = False) -> HopProbe:
        """Send *name*. Where no connection can be made, wait and try once more: that is how
        residual blocking shows which is too short to have been noticed before."""
        probe = await self._say_once(name, ttl, contrast)
        if probe.failure is not None:
            await trio.sleep(UNNOTICED)
            probe = await self._say_once(name, ttl, contrast)
            if probe.failure is None and self.met_at is not None:
                progress = self.climb.progress
                lasted = trio.current_time() - self.met_at
                progress.residual = max(progress.residual, min(lasted, 2 * UNNOTICED))
        return probe

    async def _say_once(self, name: str, ttl: int, contrast: bool) -> HopProbe:
        climb, ip, port = self.climb, self.ip, self.port
        hops, trace = climb.tools.hops, climb.trace
        facts = climb.facts | {"contrast": contrast}
        if self.trigger == "dns":  # a resolver serves all climbs at once
            await self._polite(ip, port, ttl)
            return await hop_query(hops, trace, ip, ttl, name, self.accused.rdtype, **facts)
        async with climb.alone(ip):
            await self._polite(ip, port, ttl)
            linger = 0.0 if self.silent else LINGER
            if self.trigger == "tls":
                facts["hello"] = "python" if self.silent else climb.tools.hello
                return await hop_hello(hops, trace, ip, port, ttl, name, linger=linger, **facts)
            if self.trigger == "quic":
                return await hop_initial(hops, trace, ip, port, ttl, name, **facts)
            target = "/" if contrast else self.accused.url.target
            return await hop_request(
                hops, trace, ip, port, ttl, name, target, linger=linger, **facts
            )


@dataclass
class AddressSearch(_Search):
    """Where packets to an address end, whatever they say: SYNs, beside those to neutral ones.

    What is silent is compared with a neutral address whose packets go through the router
    where the accused's were heard of last. *mute*: silence is looked for whatever the accused
    met, since errors about a packet that was readdressed on its way do not find back to us.
    """

    mute: bool = False
    shared: dict[tuple[str, int], HopProbe] = field(default_factory=dict)

    async def _look(self, ttl: int, passed: int) -> tuple[Met, bool, bool]:
        probe = await self._syn(self.ip, self.port, ttl)
        met = await self._met(probe, ttl, passed)
        self.tallies.setdefault(ttl, Counter())[met] += 1
        return met, heard(probe) or met == "met", probe.answer == "accepted"

    async def _try(self, ttl: int, passed: int) -> Met:
        return await self._met(await self._syn(self.ip, self.port, ttl), ttl, passed)

    async def _met(self, probe: HopProbe, ttl: int, passed: int) -> Met:
        if probe.answer == "expired":
            self.shared[self.ip, ttl] = probe
        if probe.answer in ("refused", "unreachable"):
            return "met"
        if heard(probe):
            return "passed"
        if not self.silent and not self.mute:
            return "unknown"
        return "met" if await self._neutral_is_heard(ttl, passed) else "unknown"

    async def _learn_name(self, ttl: int, passed: int) -> None:
        if not self.silent and not self.mute:
            await self._neutral_is_heard(ttl, passed)

    async def _neutral_is_heard(self, ttl: int, passed: int) -> bool:
        """Whether something comes back of a SYN to a neutral address, whose packets go the
        accused's way up to *passed*."""
        mine = self.shared.get((self.ip, passed))
        for ip in self._neutral(passed):
            if mine is not None:
                theirs = self.shared.get((ip, passed)) or await self._syn(
                    ip, self.port, passed, contrast=True
                )
                self.shared[ip, passed] = theirs
                if (theirs.answer, theirs.router) != (mine.answer, mine.router):
                    continue
            if heard(await self._syn(ip, self.port, ttl, contrast=True)):
                return True
        return False


    def _neutral(self, passed: int) -> list[str]:
        """Neutral addresses, those first whose way is known to be the accused's."""
        mine = self.shared.get((self.ip, passed))

        def other(ip: str) -> bool:
            theirs = self.shared.get((ip, passed))
            return mine is None or theirs is None or theirs.router != mine.router

        return sorted(self.climb.choose_neutral(self.port, MAX_NEUTRAL), key=other)


def heard(probe: HopProbe) -> bool:
    """Whether anything came back."""
    return probe.answer != "nothing"
