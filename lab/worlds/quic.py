"""Worlds where somebody minds QUIC, or where only TCP is minded, and their innocent twins."""

from __future__ import annotations

from lab.censors import QUICClose, QUICDrop, SNIDrop, SNIReset, a_censor
from lab.sites import Site
from lab.world import Wire, World
from lab.worlds.plan import Plan, build, known, truly, world
from lab.worlds.whole.situation import CountryWorld

H3_RECORD = "1 . alpn=h3,h2,http/1.1"  # of the HTTPS type (RFC 9460)


def site_with_h3(plan: Plan, h3: str = "on") -> Site:
    """A site over https that offers HTTP/3, too."""
    plan.scheme = "https"
    return plan.site(h3=h3)


@world("innocent")
def h3_site(plan: Plan) -> World:
    return plan.world_of(truly("ok"), site_with_h3(plan))


@world("innocent")
def h3_site_with_record(plan: Plan) -> World:
    """It says so in the DNS as well."""
    site = site_with_h3(plan)
    return plan.world_of(truly("ok"), site, zone=(known(site, https=H3_RECORD),))


@world("innocent")
def h3_offered_in_vain(plan: Plan) -> World:
    """Nothing answers by QUIC, for anybody: a firewall that its owner forgot."""
    return plan.world_of(truly("ok"), site_with_h3(plan, plan.chance.choice(("refused", "mute"))))


@world("hindered")
def quic_name_dropped(plan: Plan) -> World:
    """As the Great Firewall does since 2024: the Initials of some names go no further."""
    site = site_with_h3(plan)
    rule = QUICDrop(names=(plan.host,))
    truth = truly("ok", "quic.silence", trigger="name")
    return plan.world_of(truth, site, censors=plan.censors(rule))


@world("hindered")
def quic_name_dropped_with_residue(plan: Plan) -> World:
    """After the name, no datagram of the client's reaches that address and port for a while."""
    site = site_with_h3(plan)
    rule = QUICDrop(names=(plan.host,), residual=14.0)
    truth = truly("ok", "quic.silence", trigger="name", residual=True)
    return plan.world_of(truth, site, censors=plan.censors(rule))


@world("hindered")
def quic_to_address_dropped(plan: Plan) -> World:
    """QUIC, and not TCP, is kept from one address, whatever the name."""
    site = site_with_h3(plan)
    rule = QUICDrop(every="any", servers=site.addresses)
    truth = truly("ok", "quic.silence", trigger="address|protocol")
    return plan.world_of(truth, site, censors=plan.censors(rule))


@world("hindered")
def quic_name_closed(plan: Plan) -> World:
    """An Initial of the censor's own ends the connection; keys for it are no secret."""
    site = site_with_h3(plan)
    rule = QUICClose(names=(plan.host,), drop_original=plan.chance.random() < 0.5)
    truth = truly("ok", "quic.closed", trigger="name")
    return plan.world_of(truth, site, censors=plan.censors(rule))


@world("hindered")
def quic_name_negotiated_away(plan: Plan) -> World:
    """The censor says that the server speaks other versions of QUIC only."""
    site = site_with_h3(plan)
    rule = QUICClose(names=(plan.host,), versions=(0xFF00001D,), drop_original=True)
    truth = truly("ok", "quic.closed", trigger="name")
    return plan.world_of(truth, site, censors=plan.censors(rule))


@world("blocked")
def sni_reset_with_quic_open(plan: Plan) -> World:
    """Who speaks QUIC at once gets through; browsers learn of it from the DNS."""
    site = site_with_h3(plan)
    return plan.world_of(
        truly("blocked", "tls.reset", trigger="name"),
        site,
        zone=(known(site, https=H3_RECORD),),
        censors=plan.censors(SNIReset(names=(plan.host,))),
    )


@world("blocked")
def sni_dropped_over_both(plan: Plan) -> World:
    site = site_with_h3(plan)
    return plan.world_of(
        truly("blocked", "tls.silence", "quic.silence", trigger="name"),
        site,
        zone=(known(site, https=H3_RECORD),),
        censors=plan.censors(SNIDrop(names=(plan.host,)), QUICDrop(names=(plan.host,))),
    )


def quic_dropped_for_all(seed: int) -> CountryWorld:
    """A network that lets no QUIC out, as companies and some operators do: about no site."""
    return CountryWorld(
        name="quic_dropped_for_all",
        note="the household's line carries no QUIC",
        worlds=(
            *(build(name, seed) for name in ("h3_site", "h3_site_with_record", "plain_site")),
            build("h3_site", seed + 1), build("h3_offered_in_vain", seed),
        ),
        censors={Wire.LINE: (a_censor(QUICDrop(every="any")),)},
        arguments=("--no-follow-up",),  # the run as a whole tells
    )
