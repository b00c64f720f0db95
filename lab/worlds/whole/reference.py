"""What is wrong with what the probe measures against: its clock, its store, its controls."""

from __future__ import annotations

from dataclasses import replace

from lab.certificates import COMMON, RECENT, Certificate
from lab.sites import Site
from lab.topology import CONTROL_2_ADDRESSES
from lab.world import Wire
from lab.worlds.plan import build, names, truly
from lab.worlds.whole.situation import Blind, CountryWorld, some

YEAR = 365 * 86400.0


def _clock(name: str, seconds: float, seed: int) -> CountryWorld:
    return CountryWorld(
        name=name,
        note="the household's clock is a year off; the probe must notice and correct it",
        worlds=some(
            seed,
            plain_site=None,
            https_only_site=None,
            expired_certificate=None,
            tls_forged=None,
            tls_reset=None,
        ),
        clock=seconds,
        findings=frozenset({"wrong_clock"}),
    )


def clock_a_year_behind(seed: int) -> CountryWorld:
    return _clock("clock_a_year_behind", -YEAR, seed)


def clock_a_year_ahead(seed: int) -> CountryWorld:
    return _clock("clock_a_year_ahead", YEAR, seed)


def outdated_store(seed: int) -> CountryWorld:
    """Sites with a certificate of a root that the device has never heard of."""
    recent = Certificate(root=RECENT)
    worlds = [
        replace(
            world,
            sites=tuple(
                replace(site, certificate=recent) for site in world.sites if isinstance(site, Site)
            ),
            truth=truly("ok|local_fault", note="the user's store is old; nobody interferes"),
        )
        for world in (build("https_only_site", seed + n) for n in range(3))
    ]
    return CountryWorld(
        name="outdated_store",
        note="the device's certificate store lacks a root of this year",
        worlds=(*worlds, *some(seed, plain_site=None, tls_forged=None)),
        roots=(COMMON,),
    )


def qa_controls_fail(seed: int) -> CountryWorld:
    """Cases 7 and 8 of OONI's."""
    return CountryWorld(
        name="qa_controls_fail",
        note="the controls are kept from the user, and the sites are fine",
        worlds=tuple(build(name, seed) for name in names("qa_whole")),
        controls=("down", "down"),
    )


def controls_down(seed: int) -> CountryWorld:
    """E9 and E10 among them: without a control a failure is not called fine, nor blocked, but for
    what the ladder shows."""
    shown = truly("blocked", "tls.reset", trigger="name", note="E9: the ladder shows it")
    return CountryWorld(
        name="controls_down",
        note="no control can be reached",
        worlds=some(
            seed,
            https_only_site=None,
            http_only_site=truly("ok|inconclusive", note="nothing to compare the page with"),
            tls_reset=shown,
            dns_nxdomain=truly("inconclusive|blocked", "dns.nxdomain", note="E10: never ok"),
            http_redirect_beltelecom=None,
            http_blockpage_listed=None,
            name_does_not_exist=truly("inconclusive|down"),
            site_silent=truly("inconclusive|down"),
        ),
        controls=("down", "down"),
    )


def control_blind(seed: int) -> CountryWorld:
    return CountryWorld(
        name="control_blind",
        note="the second control says that everything is down, the first is right",
        worlds=some(
            seed,
            plain_site=None,
            https_only_site=None,
            http_only_site=None,
            tls_reset=None,
            http_redirect_beltelecom=None,
            site_silent=None,
            name_does_not_exist=None,
        ),
        controls=("up", "blind"),
        censors={Wire.AWAY_2: (lambda: Blind(CONTROL_2_ADDRESSES),)},
    )


def one_control_down(seed: int) -> CountryWorld:
    return CountryWorld(
        name="one_control_down",
        note="the first control cannot be reached; with one the verdict may be weaker",
        worlds=some(
            seed,
            plain_site=None,
            tls_reset=None,
            tls_forged=truly("blocked|inconclusive", "tls.forged"),
            site_silent=None,
            tcp_silence=truly("blocked|inconclusive", "tcp.silence"),
            tcp_refused=truly("blocked|inconclusive", "tcp.refused"),
        ),
        controls=("down", "up"),
    )
