"""Situations of the whole country, by name, each with a run of its own."""

from __future__ import annotations

from collections.abc import Callable

from lab.worlds.whole import forgers, line, reference, resolvers, vpns
from lab.worlds.whole.situation import CountryWorld

WHOLE: dict[str, Callable[[int], CountryWorld]] = {
    make.__name__: make
    for make in (
        line.canary_lost,
        line.line_drops_for_a_while,
        line.shutdown,
        line.abroad_lost_for_a_moment,
        line.canaries_blocked,
        reference.clock_a_year_behind,
        reference.clock_a_year_ahead,
        reference.outdated_store,
        line.captive_portal,
        line.own_resolver_dead,
        line.ipv6_broken,
        reference.controls_down,
        reference.control_blind,
        reference.one_control_down,
        reference.qa_controls_fail,
        forgers.antivirus,
        forgers.unknown_program,
        forgers.network_signs_for_all,
        forgers.router_signs_for_all,
        forgers.access_network_signs_for_all,
        forgers.router_resets,
        forgers.state_signs_for_all,
        forgers.some_are_forged,
        resolvers.router_filters,
        resolvers.program_filters,
        resolvers.chosen_resolver_filters,
        resolvers.resolver_behind_is_mute,
        vpns.vpn_left_on,
        vpns.vpn_on_purpose,
    )
}
