"""The networks in which the volunteers of the simulation live, and how each of them blocks.

Operators, gateways and kinds are those that are documented for Belarus
(``analysis/regime/belarus/networks.csv``; a test compares them); how an operator blocks is
what was seen of it in 2020, where something was, and made up where nothing was. *homes* says
how many volunteers there are in relation to others. Foreign networks are those of volunteers
abroad who measure the same list.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from analysis.regime.model import Network, Networks

COUNTRY = "BY"


@dataclass(frozen=True, kw_only=True)
class Home:
    """One network. *https* and *http*: the shapes (`lab.months.shapes`) of its blocking, the
    first of them the usual one."""

    asn: int
    operator: str
    kind: str
    gateways: tuple[int, ...] = ()
    homes: float = 1.0
    https: tuple[str, ...] = ("tls.reset",)
    http: tuple[str, ...] = ("http.redirect",)
    regions: tuple[str, ...] = ()
    cc: str = COUNTRY

    @property
    def network_types(self) -> tuple[str, ...]:
        if self.kind == "both":
            return ("mobile", "fixed")
        return ("mobile",) if self.kind == "mobile" else ("fixed",)


BELTELECOM, NTEC, BASNET = 6697, 60280, 21274
REGIONS = ("Minsk", "Brest", "Gomel", "Grodno", "Mogilev", "Vitebsk")

HOMES: tuple[Home, ...] = (
    Home(asn=6697, operator="Beltelecom", kind="fixed", gateways=(6697,), homes=5,
         https=("tls.reset", "tls.silence"), http=("http.redirect:F01", "http.blockpage:F02")),
    Home(asn=25106, operator="MTS", kind="both", gateways=(6697, 60280), homes=3,
         https=("dns.substituted:F08",), http=("dns.substituted:F08", "http.redirect:F09")),
    Home(asn=42772, operator="A1", kind="both", gateways=(6697, 60280), homes=3,
         https=("tls.forged:F07",), http=("http.redirect:F05",)),
    Home(asn=12406, operator="Delovaya Set", kind="fixed", gateways=(60280,), homes=2,
         https=("tls.reset:F12",), http=("http.redirect:F11",)),
    Home(asn=44087, operator="life:)", kind="mobile", gateways=(6697, 60280), homes=2,
         https=("tls.closed",), http=("http.blockpage:F03",)),
    Home(asn=20852, operator="A1", kind="fixed", gateways=(6697,),
         https=("tls.forged:F07",), http=("http.redirect:F05",)),
    Home(asn=31143, operator="Cosmos TV", kind="fixed", gateways=(6697,),
         https=("tls.silence",), http=("http.blockpage:F03",)),
    Home(asn=21305, operator="IP Telecom", kind="fixed",
         https=("tcp.silence",), http=("tcp.silence",)),
    Home(asn=50334, operator="Garant", kind="fixed", regions=("Gomel", "Grodno"),
         https=("dns.nxdomain",), http=("dns.nxdomain",)),
    Home(asn=5498, operator="UNIBEL", kind="academic",
         https=("dns.refused",), http=("dns.refused",)),
    Home(asn=13171, operator="BSU", kind="academic",
         https=("dns.refused",), http=("dns.refused",)),
    Home(asn=49711, operator="Flynet", kind="fixed",
         https=("tls.reset",), http=("http.blockpage:F03",)),
    Home(asn=60330, operator="beCloud", kind="state", gateways=(60280,),
         https=("tls.reset",), http=("http.redirect",)),
    Home(asn=21274, operator="BASNET", kind="academic", gateways=(21274,),
         https=("tls.silence",), http=("http.silence",)),
    Home(asn=42036, operator="Garant", kind="fixed", regions=("Gomel",), homes=0.5,
         https=("dns.nxdomain",), http=("dns.nxdomain",)),
    Home(asn=59770, operator="Garant", kind="fixed", homes=0.5,
         https=("dns.nxdomain",), http=("dns.nxdomain",)),
)  # fmt: skip

FOREIGN: tuple[Home, ...] = (
    Home(asn=5617, operator="abroad PL", kind="fixed", cc="PL"),
    Home(asn=3320, operator="abroad DE", kind="fixed", cc="DE"),
    Home(asn=13194, operator="abroad LT", kind="fixed", cc="LT"),
    Home(asn=12389, operator="abroad RU", kind="fixed", cc="RU"),
)

VPN_ASN, VPN_CC = 9009, "NL"
PUBLIC_RESOLVERS = (15169, 13335, 19281)


def networks(homes: tuple[Home, ...] = HOMES) -> Networks:
    """*homes* as those who look at events are told of them."""
    return Networks(
        Network(
            asn=h.asn, name=f"AS{h.asn}", operator=h.operator, kind=h.kind,  # type: ignore[arg-type]
            gateways=h.gateways, source="lab.months",
        )
        for h in homes
    )  # fmt: skip


@dataclass(frozen=True)
class Map:
    """The homes of one simulation, by AS number."""

    homes: tuple[Home, ...]
    by_asn: dict[int, Home] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_asn", {h.asn: h for h in self.homes})

    def home(self, asn: int) -> Home:
        return self.by_asn[asn]

    def asns(self) -> tuple[int, ...]:
        return tuple(h.asn for h in self.homes)

    def behind(self, gateway: int) -> tuple[int, ...]:
        return tuple(h.asn for h in self.homes if gateway in h.gateways)

    def of(self, operator: str) -> tuple[int, ...]:
        return tuple(h.asn for h in self.homes if h.operator == operator)

    def of_kind(self, *kinds: str) -> tuple[int, ...]:
        return tuple(h.asn for h in self.homes if h.kind in kinds)
