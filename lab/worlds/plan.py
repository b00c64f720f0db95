"""The seeded choices of a world: its names, addresses, pages, and where the censor sits.

Addresses are dealt, not drawn: each (world, seed) has a number of its own, and a
multiplication that is one-to-one scatters the numbers over the ranges of real
hosting companies. So nothing is dealt twice (in the small domestic ranges: not
within some dozens of seeds), and neighbours are far apart, as real sites are.
"""

from __future__ import annotations

import functools
import importlib
import ipaddress
import pkgutil
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from lab.censors import a_censor
from lab.middlebox import Rule
from lab.resolvers import Name
from lab.sites import Article, Page, Redirect, Site
from lab.world import Censor, Truth, Wire, World

MAX_WORLDS, MAX_SEED, PER_WORLD = 512, 512, 8

# AS24940 Hetzner, AS16276 OVH, AS14061 DigitalOcean, AS16509 Amazon, AS63949 Akamai,
# AS20473 Vultr. The controls' own prefixes are not among them.
HOSTING = (
    "136.243.0.0/16", "144.76.0.0/16", "148.251.0.0/16", "78.46.0.0/15", "46.4.0.0/16",
    "94.130.0.0/16", "116.202.0.0/15", "195.201.0.0/16", "49.12.0.0/15", "65.108.0.0/15",
    "51.38.0.0/16", "51.68.0.0/16", "54.36.0.0/15", "91.121.0.0/16", "188.165.0.0/16",
    "167.99.0.0/16", "138.68.0.0/16", "165.227.0.0/16", "52.28.0.0/15", "18.194.0.0/15",
    "3.120.0.0/14", "139.162.0.0/16", "45.32.0.0/16",
)  # fmt: skip
HOSTING_IPV6 = ("2a01:4f8::/32", "2001:41d0::/32", "2a01:7e00::/32", "2600:1f18::/32")
CLOUDFLARE, AKAMAI, CLOUDFRONT = "104.16.0.0/13", "23.32.0.0/11", "13.224.0.0/14"
DOMESTIC = ("93.85.0.0/16", "86.57.128.0/17", "93.125.0.0/17")
DOMESTIC_IPV6 = "2a0a:7d80::/32"

SOMEWHERE: tuple[tuple[Wire, ...], ...] = (
    (Wire.LINE,),
    (Wire.UPLINK_1, Wire.UPLINK_2),
    (Wire.BORDER_1, Wire.BORDER_2),
)
_SCATTER = 1_000_003  # prime, so that it divides no number of blocks

_WORDS = (
    "vesti svabodny horad pravda chas hazeta slova krok most vezha rassvet golos mayak "
    "parus kompas ptushka kvetka raka zorka sonca bereg severny novy stary bely zhyvy"
).split()
_TLDS = ("org", "com", "net", "info", "eu", "me", "news", "media")
_PATHS = ("/", "/", "/", "/news", "/by/index.html", "/2026/11/22/article?id=7", "/ru/")


@functools.cache
def _blocks(prefix: str) -> tuple[ipaddress.IPv4Network, ...]:
    """The networks of 256 addresses in *prefix*."""
    return tuple(ipaddress.IPv4Network(prefix).subnets(new_prefix=24))


class Plan:
    """What one world with one seed may use. Asking for the next address gives a new one."""

    def __init__(self, world: str, number: int, seed: int) -> None:
        if not 0 <= seed < MAX_SEED or number >= MAX_WORLDS:
            raise ValueError(f"seeds go from 0 to {MAX_SEED - 1}")
        self.world = world
        self.chance = random.Random(f"{world} {seed}")
        self._serial = seed * MAX_WORLDS + number
        self._dealt = 0
        self._named = 0
        self.host = self.name()
        self.path = self.chance.choice(_PATHS)
        self.scheme: Literal["http", "https"] = self.chance.choice(("http", "https"))

    def name(self, prefix: str = "", tld: str = "") -> str:
        """A host name that no other world has."""
        word = self.chance.choice(_WORDS)
        label = f"{word}-{self._serial:x}{chr(ord('a') + self._named)}"
        self._named += 1
        www = prefix or self.chance.choice(("", "www."))
        return f"{www}{label}.{tld or self.chance.choice(_TLDS)}"

    def address(self, *ranges: str) -> str:
        """An IPv4 address abroad (or in *ranges*) that no other world has."""
        blocks = [block for text in ranges or HOSTING for block in _blocks(text)]
        host, block = divmod(self._number(), len(blocks))
        return str(blocks[block * _SCATTER % len(blocks)][1 + host % 254])

    def address6(self, *ranges: str) -> str:
        network = ipaddress.IPv6Network(self.chance.choice(ranges or HOSTING_IPV6))
        return str(network.network_address + (self._number() << 68) + 0x10)

    def _number(self) -> int:
        if self._dealt >= PER_WORLD:
            raise ValueError(f"{self.world} asks for too many addresses")
        self._dealt += 1
        return self._serial * PER_WORLD + self._dealt - 1

    def addresses(self) -> tuple[str, ...]:
        """One IPv4 address, and for most sites an IPv6 one."""
        return (self.address(), *((self.address6(),) if self.chance.random() < 0.6 else ()))

    def article(self, name: str = "", **more: Any) -> Article:
        language = self.chance.choice(("be", "ru", "ru", "en"))
        server = self.chance.choice(("nginx", "Apache/2.4.62", "cloudflare", "openresty"))
        paragraphs = self.chance.randint(4, 14)
        facts: dict[str, Any] = {"language": language, "server": server, "paragraphs": paragraphs}
        return Article(name or self.host, **(facts | more))

    def site(self, page: Page | None = None, **more: Any) -> Site:
        """A site as most are: a page over https, to which http redirects.

        For a plan whose *scheme* is http the page is served over both.
        """
        page = page or self.article()
        facts: dict[str, Any] = {
            "names": (self.host,),
            "addresses": more.pop("addresses", None) or self.addresses(),
            "http": page if self.scheme == "http" else Redirect(),
            "https": page,
            "h2": self.chance.random() < 0.5,
        }
        return Site(**(facts | more))

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"

    def censors(
        self, *rules: Rule, at: tuple[Wire, ...] = ()
    ) -> dict[Wire, tuple[Callable[[], Censor], ...]]:
        """A censor with *rules* on all wires *at*, by default somewhere on the way out."""
        at = at or self.chance.choice(SOMEWHERE)
        return {wire: (a_censor(*rules),) for wire in at}

    def world_of(
        self,
        truth: Truth,
        *sites: Site,
        zone: tuple[Name, ...] | None = None,
        censors: dict[Wire, tuple[Callable[[], Censor], ...]] | None = None,
        url: str = "",
    ) -> World:
        """The world; without a *zone*, each site's names are known to everybody."""
        if zone is None:
            zone = tuple(known(site) for site in sites)
        return World(
            name=self.world,
            url=url or self.url,
            truth=truth,
            sites=sites,
            zone=zone,
            censors=censors or {},
        )


def known(site: Site, **more: Any) -> Name:
    """What honest resolvers say of *site*."""
    facts: dict[str, Any] = {
        "name": site.names[0],
        "addresses": site.addresses,
        "https": "1 . alpn=h2,http/1.1" if site.h2 else "",
    }
    return Name(**(facts | more))


def _groups(texts: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(text.split("|")) for text in texts)


def truly(
    outcome: str,
    *mechanisms: str,
    trigger: str = "",
    hop: int | None = None,
    position: str = "",
    residual: bool | None = None,
    fingerprints: tuple[str, ...] = (),
    note: str = "",
) -> Truth:
    """The truth; each text may name alternatives: ``"ok|down"``. Empty ones are not scored."""
    return Truth(
        outcome=frozenset(outcome.split("|")),
        mechanisms=_groups(mechanisms),
        trigger=frozenset(filter(None, trigger.split("|"))),
        hop=hop,
        position=frozenset(filter(None, position.split("|"))),
        residual=residual,
        fingerprints=_groups(fingerprints),
        note=note,
    )


@dataclass(frozen=True)
class Registered:
    """A world that can be built; for *kind* see `names`."""

    name: str
    number: int
    kind: str
    make: Callable[[Plan], World]


REGISTRY: dict[str, Registered] = {}


def world(
    kind: str, name: str = ""
) -> Callable[[Callable[[Plan], World]], Callable[[Plan], World]]:
    """Register a function that makes a world from a `Plan`, under its own name."""

    def register(make: Callable[[Plan], World]) -> Callable[[Plan], World]:
        called = name or make.__name__
        if called in REGISTRY:
            raise ValueError(f"two worlds are called {called}")
        REGISTRY[called] = Registered(called, len(REGISTRY), kind, make)
        return make

    return register


@functools.cache
def _walk() -> None:
    """A file in this package is a family of worlds; importing it registers them."""
    package = importlib.import_module("lab.worlds")
    for module in sorted(found.name for found in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"lab.worlds.{module}")


def build(name: str, seed: int = 0) -> World:
    """The world *name* in its variation *seed* (0 to 511). Raises KeyError."""
    _walk()
    found = REGISTRY[name]
    return found.make(Plan(name, found.number, seed))


def names(*kinds: str) -> list[str]:
    """The names of all worlds, or of those of *kinds*, in the order of definition.

    Kinds are ``blocked``, ``hindered`` (and still reachable), ``innocent``, ``qa``, and
    ``qa_whole`` for those that need a country of their own; ``matrix`` for the cells of
    `lab.worlds.matrix`, ``profile`` for those of `lab.worlds.profiles`, which need an
    operator of their own.
    """
    _walk()
    return [r.name for r in REGISTRY.values() if not kinds or r.kind in kinds]
