"""All traffic of the household leaves in another country."""

from __future__ import annotations

from lab.resolvers import ADGUARD
from lab.vpn import VPN
from lab.worlds.plan import truly
from lab.worlds.whole.situation import CountryWorld, some

_MINSK = {"TZ": "Europe/Minsk"}


def _vpn(seed: int) -> VPN:
    """Of a company that hosts servers abroad (AS9009, AS39351)."""
    network = ("146.70.52", "193.138.218")[seed % 2]
    return VPN(
        device=("tun0", "wg0")[seed % 2], server=f"{network}.9", exit=f"{network}.{seed + 10}"
    )


def vpn_left_on(seed: int) -> CountryWorld:
    return CountryWorld(
        name="vpn_left_on",
        note="all traffic leaves in another country; nothing may be measured by mistake",
        worlds=some(seed, plain_site=None, tls_reset=None, dns_nxdomain=None),
        truth=truly("local_fault|not_measured"),
        ipv6=False,
        vpn=_vpn(seed),
        environment=_MINSK,
        exits=frozenset({3}),
        findings=frozenset({"vpn"}),
    )


def vpn_on_purpose(seed: int) -> CountryWorld:
    """What is found is about the network at the other end, where nobody resets."""
    return CountryWorld(
        name="vpn_on_purpose",
        note="the same, and the user has said that this is meant",
        worlds=some(
            seed,
            plain_site=None,
            tls_reset=truly("ok", note="the censor is in the country, which is not measured"),
        ),
        ipv6=False,
        vpn=_vpn(seed),
        resolver=ADGUARD,
        arguments=("--vpn-ok",),
        environment=_MINSK,
        findings=frozenset({"vpn"}),
    )
