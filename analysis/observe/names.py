"""Does the name lead where it leads for everybody, or was the answer a lie?

Certificate first: an address that completes a valid handshake for the name, seen from
anywhere, is no lie, whatever its network. After that come the addresses that controls
or an encrypted resolver were given, then the network (AS) of such an address, then
the page that is served there. An answer that nobody vouches for is a lie only if
others are known to get a different one: two of them, or one address that has proved
itself by certificate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from analysis.observe.sight import OK, Sight, addresses, is_literal, public
from probe.evidence import DNSAnswer, DNSExchange
from probe.failure import Failure

_KIND = {
    Failure.DNS_NXDOMAIN: "nxdomain",
    Failure.DNS_REFUSED: "refused",
    Failure.DNS_SERVFAIL: "servfail",
    Failure.DNS_NO_ANSWER: "empty",
    Failure.ANDROID_NO_DATA: "empty",
    Failure.DNS_BOGON: "bogon",
    Failure.TIMEOUT: "silence",
    Failure.TIMED_OUT: "silence",
}
# getaddrinfo tells less than the answers themselves, and silence is also what loss does.
_MOST_TELLING = ("bogon", "nxdomain", "refused", "servfail", "empty", "silence")
_ENCRYPTED = ("dot", "doh")
# The probe repeats a query after 1.5 s. Both may be answered, each with the next address
# of a big network; two answers to a query that was sent once are another matter.
_ASKED_AGAIN_AFTER = 1.4
_MAX_ANSWERS = 16  # of one query that are looked at


class NameFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one host name.

    *kind* is what the machine's own resolvers say: ``true``, ``lie`` (an address that
    nobody vouches for), ``bogon``, ``nxdomain``, ``refused``, ``servfail``, ``empty``,
    ``silence``, ``other``, ``unclear`` (nothing to compare with), ``none`` (not asked).
    *own* are the public addresses they gave, the system's first. *genuine*: addresses
    at which connections may be judged. *witnesses*: those of the controls and the
    encrypted resolver that resolve the name and do not confirm what our own resolvers
    say. *proof*: a valid certificate for the name at an address that the own resolvers
    did not give. *injected*: queries whose first answer was forged, as a later one
    shows. *intercepted*: queries to a public resolver that were answered with a lie.
    *ghost*: a name that exists nowhere was answered with an address, then denied.
    *all_injected*: every own UDP exchange that shows *kind* was among the injected.
    *at_home* and *in_network* are as *kind*, of the own resolvers at private addresses and
    of those in the network, the one behind the former among them.
    """

    host: str
    kind: str = "none"
    own: tuple[str, ...] = ()
    genuine: frozenset[str] = frozenset()
    witnesses: int = 0
    controls: int = 0
    proof: bool = False
    injected: int = 0
    intercepted: int = 0
    ghost: bool = False
    all_injected: bool = False
    exists_nowhere: bool = False
    given: frozenset[str] = frozenset()  # by own or public resolvers in the clear
    at_home: str = "none"
    in_network: str = "none"


def name_facts(
    host: str,
    here: Sight,
    controls: Sequence[Sight],
    *,
    asn: Callable[[str], int],
    page_vouched: frozenset[str],
    lone: bool = False,
) -> NameFacts:
    """Facts about *host*. *page_vouched* are addresses that served the controls' page; *lone*:
    there is one control by design, and its word for a certificate has to do."""
    if is_literal(host):
        return NameFacts(host=host, kind="true", own=(host,), genuine=frozenset({host}))
    return _Name(host, here, controls, asn, page_vouched, 1 if lone else 2).facts()


class _Name:
    def __init__(
        self,
        host: str,
        here: Sight,
        controls: Sequence[Sight],
        asn: Callable[[str], int],
        page_vouched: frozenset[str],
        proving: int,
    ) -> None:
        self.host, self.here, self.asn, self.proving = host, here, asn, proving
        self.controls = [c for c in controls if c.dns.get(host)]
        self.lookups = list(here.answers(host))
        self.encrypted = _public_addresses(e for e in self.lookups if e.engine in _ENCRYPTED)
        self.by_control = [c.resolved(host) for c in self.controls if c.resolved(host)]
        self.resolved = frozenset().union(*self.by_control)
        self.certified = frozenset().union(*map(self._certified_by, (here, *controls)))
        self.trusted = self.resolved | self.encrypted or self.certified
        # Where the name has a good certificate, an address with a bad one needs a better
        # voucher than a page that looks alike or a neighbour in a big network.
        disproved = self._with_bad_certificate() if self.certified else frozenset[str]()
        page_vouched -= disproved
        self.vouched = self.resolved | self.encrypted | self.certified | page_vouched
        self.networks = {n for ip in self.vouched if (n := asn(ip))}
        self.disproved = disproved - self.vouched
        # What a true answer to the same question has contradicted is no neighbour's address.
        self.injected = [e for e in self.lookups if self._injected(e)]
        self.disproved |= {ip for e in self.injected for ip in addresses(e)} - self.vouched

    def _with_bad_certificate(self) -> frozenset[str]:
        return frozenset(
            ip
            for (name, _), slots in self.here.endpoints.items()
            if name == self.host
            for ip, reached in slots.items()
            if reached.certificate == "bad"
        )

    def is_vouched(self, ip: str) -> bool:
        if ip in self.vouched:
            return True
        return self.asn(ip) in self.networks and ip not in self.disproved

    def facts(self) -> NameFacts:
        groups = self._own_groups()
        kinds = [self._kind(group) for group in groups]
        kind = self._own_kind(groups, kinds)
        own = tuple(dict.fromkeys(ip for g in groups for ip in _public_addresses_of(g)))
        injected = self.injected
        showing = [
            g for g, k in zip(groups, kinds, strict=True) if k == kind and g[0].engine == "udp"
        ]
        genuine = self.resolved | self.certified
        if not self.controls:
            genuine |= self.encrypted
        elif kind == "true":
            # The controls' page is served there, so it is the site.
            genuine |= self.vouched - self.encrypted
        return NameFacts(
            host=self.host,
            kind=kind,
            own=own,
            genuine=frozenset(genuine),
            witnesses=self._witnesses(own),
            controls=len(self.by_control),
            proof=self._proof(own),
            injected=len(injected),
            intercepted=self._intercepted(injected),
            ghost=any(self._ghost(e) for e in self.lookups),
            all_injected=bool(showing) and all(any(e in injected for e in g) for g in showing),
            exists_nowhere=self._exists_nowhere(),
            given=_public_addresses(e for e in self.lookups if e.engine not in _ENCRYPTED),
            at_home=self._said_by(at_home=True),
            in_network=self._said_by(at_home=False),
        )

    def _said_by(self, *, at_home: bool) -> str:
        """What the own resolvers at home say over UDP, or those in the network do."""
        groups: dict[str, list[DNSExchange]] = {}
        for e in self.lookups:
            address = e.resolver.rpartition(":")[0].strip("[]")
            if (e.own or e.upstream) and e.engine == "udp" and public(address) != at_home:
                groups.setdefault(e.resolver, []).append(e)
        kinds = [self._kind(group) for group in groups.values()]
        order = ("true", "lie", "unclear", *_MOST_TELLING, "other")
        return min(kinds, key=order.index, default="none")

    def _own_groups(self) -> list[list[DNSExchange]]:
        """The own resolvers' exchanges, those of one resolver together, the system's first."""
        groups: dict[tuple[str, str], list[DNSExchange]] = {}
        for e in sorted(self.lookups, key=lambda e: e.engine != "system"):
            if e.own:
                groups.setdefault((e.engine, e.resolver), []).append(e)
        return list(groups.values())

    def _kind(self, group: Sequence[DNSExchange]) -> str:
        """What one resolver says, read as `NameFacts.kind`."""
        given = [ip for e in group for ip in addresses(e)]
        if given:
            here = [ip for ip in given if public(ip)]
            if not here:
                return "bogon"
            if any(self.is_vouched(ip) for ip in here):
                return "true"
            return "lie" if self.vouched else "unclear"
        about = next((e for e in group if e.rdtype in ("A", "ANY")), group[0])
        if about.failure is None:
            return "empty"
        return _KIND.get(about.failure, "other")

    def _own_kind(self, groups: list[list[DNSExchange]], kinds: list[str]) -> str:
        """What applications on this machine get: the system's word where it is a clear one."""
        if not kinds:
            return "none"
        system = kinds[0] if groups[0][0].engine == "system" else ""
        if system in ("true", "lie", "bogon", "unclear"):
            return system
        for gave_addresses in ("true", "lie", "unclear"):
            if gave_addresses in kinds:
                return gave_addresses
        said = [k for k, g in zip(kinds, groups, strict=True) if g[0].engine != "system"]
        for among in (said, [system]):
            for kind in _MOST_TELLING:
                if kind in among and (kind != "silence" or among is said):
                    return kind
        return "other"

    def _witnesses(self, own: Iterable[str]) -> int:
        """Who resolves the name and was told none of *own*."""
        mine = set(own)
        asked = [*self.by_control, *([self.encrypted] if self.encrypted else [])]
        return sum(1 for theirs in asked if not theirs & mine)

    def _proof(self, own: Sequence[str]) -> bool:
        """Whether a good certificate was met at an address that is none of *own*.

        One that we met ourselves, or that two controls say they met, and more of them than
        there are who find no such name: one may be lying.
        """
        mine = set(own)
        if self._certified_by(self.here) - mine:
            return True
        # Old helpers do not tell where they met one.
        proving = sum(
            bool(self._certified_by(c) - mine)
            or (self.host in c.certified and not c.resolved(self.host) & mine)
            for c in self.controls
        )
        return proving >= self.proving and proving > len(self.controls) - len(self.by_control)

    def _certified_by(self, sight: Sight) -> frozenset[str]:
        return frozenset(
            ip
            for (name, _), slots in sight.endpoints.items()
            if name == self.host
            for ip, reached in slots.items()
            if reached.certificate == OK
        )

    def _injected(self, e: DNSExchange) -> bool:
        """Two answers to one query, of which a later one is confirmed and the first is not."""
        if e.engine != "udp" or e.rdtype == "HTTPS" or len(e.answers) < 2 or not self.trusted:
            return False
        first, *later = e.answers[:_MAX_ANSWERS]
        told = [frozenset(a.addresses) for a in e.answers[:_MAX_ANSWERS]]
        if not self._is_trusted(first, by_network=True):
            return any(self._is_trusted(a, by_network=True) for a in later)
        # Within one network, only what others were told to the address is better known.
        asked_once = first.t - e.t0 < _ASKED_AGAIN_AFTER
        return asked_once and not told[0] & self.trusted and any(t & self.trusted for t in told)

    def _is_trusted(self, answer: DNSAnswer, *, by_network: bool) -> bool:
        """Whether others were told an address of *answer*, or one of its network."""
        networks = {n for ip in self.trusted if by_network and (n := self.asn(ip))}
        return any(ip in self.trusted or self.asn(ip) in networks for ip in answer.addresses)

    def _ghost(self, e: DNSExchange) -> bool:
        """An address for a name that exists nowhere, and then the resolver's own denial."""
        if e.engine != "udp" or e.rdtype == "HTTPS" or not self._exists_nowhere():
            return False
        first, *later = e.answers[:_MAX_ANSWERS] or (DNSAnswer(),)
        return bool(first.addresses) and any(
            not a.addresses and a.rcode in ("NXDOMAIN", "NOERROR") for a in later
        )

    def _exists_nowhere(self) -> bool:
        return (
            bool(self.controls)
            and not self.resolved
            and not self.encrypted
            and not self.certified
            and any(c.absent(self.host) for c in self.controls)
        )

    def _intercepted(self, injected: Sequence[DNSExchange]) -> int:
        """Resolvers that are not ours and lie in the clear, while encrypted they tell the truth."""
        if not (self.encrypted and self.by_control):
            return 0
        groups: dict[str, list[DNSExchange]] = {}
        for e in self.lookups:
            if e.engine == "udp" and not e.own and not e.upstream:
                groups.setdefault(e.resolver, []).append(e)
        return sum(
            1
            for group in groups.values()
            if self._kind(group) in ("lie", "bogon", "nxdomain")
            and not any(e in injected for e in group)
        )


def _public_addresses(exchanges: Iterable[DNSExchange]) -> frozenset[str]:
    return frozenset(ip for e in exchanges for ip in addresses(e) if public(ip))


def _public_addresses_of(group: Iterable[DNSExchange]) -> list[str]:
    return [ip for e in group for ip in addresses(e) if public(ip)]
