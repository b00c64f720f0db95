"""Is the line itself alive? Three rings of canaries, looked at before and during a run.

The home router, domestic sites, foreign sites. Where nothing of the two outer rings
answers, the fault is the volunteer's line and no site's: measuring stops until it
is back, and what was measured meanwhile is measured again. Where only the foreign
ring is silent, measuring goes on: that is a finding (the regime can cut it off).

The router alone decides nothing. It need not answer, and sites that answer through
it prove it alive; its checks tell afterwards on which side of it the fault was.

A look opens a connection and closes it. On arrival and at every tenth look it goes on
to a handshake, as any visitor's would: who signs for sites that nobody blocks tells a
box or a program that forges everybody's certificate from a censor, who chooses.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Any

import trio

from probe.addresses import family, is_public
from probe.config import Canaries
from probe.evidence import CanaryCheck, Ring
from probe.failure import NETWORK_ERRORS, Failure, classify
from probe.net import Network
from probe.steps.certificate import Verifier
from probe.steps.dns import udp_lookup
from probe.steps.tls import tls_handshake
from probe.surroundings.clock import Clock
from probe.trace import StepFailed, Trace

PORT = 443
HOME_PORTS = (53, 80, 443)  # one of them has a listener, or a kernel that refuses
SITE_TIMEOUT = 5.0  # seconds: the SYN and two repetitions
HOME_TIMEOUT = 3.0
LOOKUP_TIMEOUT = 6.0
LOST_PERIOD = 2.0  # seconds between looks while the line is lost
JITTER = 0.2  # of the period, so that looks are no clockwork on the wire
GREETING_EVERY = 10  # looks: handshakes cost more, and say something that seldom changes
ALIVE = frozenset({None, Failure.CONNECTION_REFUSED, Failure.CONNECTION_RESET})

Report = Callable[[list[CanaryCheck]], Awaitable[None]]


class Line:
    """The line, as its canaries tell. Every check is handed to *report*.

    *resolvers* are public ones, asked for a canary's address where this machine's own
    resolver fails: a dead resolver is not a dead line. *families* are those to check.
    Without a *verifier* no look goes on to a handshake.
    """

    def __init__(
        self,
        net: Network,
        canaries: Canaries,
        *,
        run_id: str,
        report: Report,
        gateways: Sequence[str] = (),
        resolvers: Sequence[str] = (),
        families: Sequence[int] = (4, 6),
        clock: Clock | None = None,
        verifier: Verifier | None = None,
        seed: int = 0,
    ) -> None:
        self.clock = clock or Clock()
        self.alive: dict[Ring, bool] = {}
        self.lost = False
        self._net = net
        self._sites: list[tuple[Ring, str]] = [
            *(("domestic", name) for name in canaries.domestic),
            *(("foreign", name) for name in canaries.foreign),
        ]
        self._run_id = run_id
        self._report = report
        self._gateways = gateways[:1]
        self._resolvers = resolvers[:2]
        self._families = families
        self._verifier = verifier
        self._until_greeting = GREETING_EVERY
        self._random = random.Random(seed)
        self._remembered: dict[str, tuple[str, ...]] = {}
        self._answered: dict[int, bool] = {}  # by family, at the last look
        self._looking = trio.Lock()
        self._last_good = trio.current_time()
        self._losses: list[tuple[float, float]] = []
        self._recovered = trio.Event()
        self._recovered.set()

    async def look(self, *, greet: bool = False) -> list[CanaryCheck]:
        """Check every canary once, and with that whether the line is lost.

        With *greet*, and at every tenth look, each is also greeted with a handshake.
        """
        async with self._looking:
            self._until_greeting -= 1
            if greet := self._verifier is not None and (greet or self._until_greeting <= 0):
                self._until_greeting = GREETING_EVERY
            began = trio.current_time()
            checks: list[CanaryCheck] = []
            async with trio.open_nursery() as nursery:
                for gateway in self._gateways:
                    nursery.start_soon(self._check_home, gateway, checks)
                for ring, name in self._sites:
                    nursery.start_soon(self._check_site, ring, name, checks, greet)
            self._judge(checks, began)
        await self._report(checks)
        return checks

    async def watch(
        self, *, period: float, patience: float, after: Callable[[], Awaitable[None]]
    ) -> None:
        """Look every *period* seconds until the line has been lost for *patience* seconds.

        *after* is called after each look. Returns only when the patience is at an end.
        """
        while not self.lost or trio.current_time() - self._last_good < patience:
            pause = period * self._random.uniform(1 - JITTER, 1 + JITTER)
            await trio.sleep(min(LOST_PERIOD, pause) if self.lost else pause)
            await self.look()
            await after()

    def addresses(self, ring: Ring) -> tuple[str, ...]:
        """Where the canaries of *ring* are, as far as they have been looked up."""
        names = [name for of_ring, name in self._sites if of_ring == ring]
        found = [ip for name in names for ip in self._remembered.get(name, ())]
        return tuple(ip for ip in found if family(ip) in self._families)

    async def wait_until_back(self) -> None:
        await self._recovered.wait()

    def held(self, began: float, ended: float) -> bool | None:
        """Whether the line was there all the time between *began* and *ended* (trio's clock).

        None while it cannot be told: no good look has been taken since.
        """
        if any(began < back and ended > gone for gone, back in self._losses):
            return False
        return True if ended <= self._last_good else None

    def broke(self, since: float) -> None:
        """What was open between *since* and now (trio's clock) was cut, whatever looks said."""
        self._losses.append((since, trio.current_time()))

    def dead_families(self) -> set[int]:
        """Families that this machine has and in which no site answered at the last look."""
        return {f for f, answered in self._answered.items() if not answered}

    def _judge(self, checks: list[CanaryCheck], began: float) -> None:
        sites = [check for check in checks if check.ring != "home"]
        self._answered = {}
        for check in sites:
            answered = self._answered.get(check.family, False)
            self._answered[check.family] = answered or check.failure is None
        for ring in {check.ring for check in checks}:
            self.alive[ring] = any(c.failure is None for c in checks if c.ring == ring)
        lost = bool(sites) and not any(check.failure is None for check in sites)
        if lost and not self.lost:
            self._recovered = trio.Event()
        if not lost:
            if self.lost:
                self._losses.append((self._last_good, trio.current_time()))
            self._last_good = began
            self._recovered.set()
        self.lost = lost

    async def _check_home(self, gateway: str, checks: list[CanaryCheck]) -> None:
        began, at = trio.current_time(), self.clock.now()
        answers: list[Failure | None] = []

        async def one(port: int, scope: trio.CancelScope) -> None:
            failure, _ = await self._reach(gateway, port, HOME_TIMEOUT)
            answers.append(failure)
            if failure in ALIVE:
                scope.cancel()

        async with trio.open_nursery() as nursery:
            for port in HOME_PORTS:
                nursery.start_soon(one, port, nursery.cancel_scope)
        alive = any(answer in ALIVE for answer in answers)
        checks.append(
            CanaryCheck(
                run_id=self._run_id,
                ring="home",
                name="gateway",
                at=at,
                runtime=trio.current_time() - began,
                family=6 if ":" in gateway else 4,
                failure=None if alive else answers[-1],
            )
        )

    async def _check_site(
        self, ring: Ring, name: str, checks: list[CanaryCheck], greet: bool
    ) -> None:
        began, at = trio.current_time(), self.clock.now()
        addresses, resolver_failure = await self._resolve(name)

        async def one(of_family: int, candidates: list[str]) -> None:
            failure: Failure | None = resolver_failure or Failure.DNS_NO_ANSWER
            if addresses and not candidates:
                failure = Failure.DNS_BOGON
            said: dict[str, Any] = {}
            greeted = name if greet and of_family == self._families[0] else ""
            for ip in candidates:
                failure, said = await self._reach(ip, PORT, SITE_TIMEOUT, greeted)
                if failure is None:
                    break
            checks.append(
                CanaryCheck(
                    run_id=self._run_id,
                    ring=ring,
                    name=name,
                    at=at,
                    runtime=trio.current_time() - began,
                    family=of_family,
                    failure=failure,
                    resolver_failure=resolver_failure,
                    **said,
                )
            )

        async with trio.open_nursery() as nursery:
            for of_family in self._families:
                given = [ip for ip in addresses if family(ip) == of_family]
                # A site without addresses of a family says nothing of that family.
                if given or (not addresses and of_family == self._families[0]):
                    nursery.start_soon(one, of_family, [ip for ip in given if is_public(ip)][:2])

    async def _resolve(self, name: str) -> tuple[tuple[str, ...], Failure | None]:
        """The canary's addresses, and what this machine's own resolver failed with."""
        try:
            return (str(ip_address(name)),), None
        except ValueError:
            pass  # a name, as usual
        try:
            with trio.fail_after(LOOKUP_TIMEOUT):
                found = await self._net.system_lookup(name)
        except NETWORK_ERRORS as exc:
            if name not in self._remembered:
                await self._ask_others(name)
            return self._remembered.get(name, ()), classify(exc)
        self._remembered[name] = found = tuple(ip for ip in found if "%" not in ip)
        return found, None

    async def _ask_others(self, name: str) -> None:
        found: list[str] = []

        async def ask(resolver: str, rdtype: str, scope: trio.CancelScope) -> None:
            def heard(addresses: tuple[str, ...]) -> None:
                found.extend(addresses)
                if addresses:
                    scope.cancel()

            await self._net.turn(resolver, 53)
            await udp_lookup(self._net, Trace(), resolver, name, rdtype, heard=heard)

        async with trio.open_nursery() as nursery:
            for resolver in self._resolvers:
                for of_family in self._families:
                    rdtype = "A" if of_family == 4 else "AAAA"
                    nursery.start_soon(ask, resolver, rdtype, nursery.cancel_scope)
        if found:
            self._remembered[name] = tuple(found)

    async def _reach(
        self, ip: str, port: int, timeout: float, name: str = ""
    ) -> tuple[Failure | None, dict[str, Any]]:
        """None where a TCP connection opens; and what the one behind it says to *name*."""
        await self._net.turn(ip, port)
        try:
            with trio.fail_after(timeout):
                stream = await self._net.connect_tcp(ip, port)
        except NETWORK_ERRORS as exc:
            return classify(exc), {}
        try:
            return None, await self._greet(stream, ip, name) if name else {}
        finally:
            await trio.aclose_forcefully(stream)

    async def _greet(self, stream: trio.abc.Stream, ip: str, name: str) -> dict[str, Any]:
        assert self._verifier is not None
        trace = Trace()
        sni = None if name == ip else name
        with trio.move_on_after(SITE_TIMEOUT):
            try:
                tls = await tls_handshake(trace, stream, ip=ip, port=PORT, sni=sni)
            except StepFailed:
                return {"handshake": True, "tls_failure": trace.records[-1].failure}
            facts = self._verifier.check(tls.chain(), name, self.clock.now())
            return {
                "handshake": True,
                "problems": facts.get("problems", ()),
                "issuer": facts.get("issuer", ""),
            }
        return {"handshake": True, "tls_failure": Failure.TIMEOUT}


def forger(checks: Sequence[CanaryCheck]) -> str:
    """Who signs for all canaries of both outer rings, while no store knows him; else empty."""
    greeted = [check for check in checks if check.handshake and check.tls_failure is None]
    issuers = {check.issuer for check in greeted}
    if {check.ring for check in greeted} != {"domestic", "foreign"} or len(issuers) != 1:
        return ""
    unknown = all(Failure.TLS_UNKNOWN_AUTHORITY in check.problems for check in greeted)
    return issuers.pop() if unknown else ""
