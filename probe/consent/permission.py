"""Whether a run may begin: who agreed to what, and whether it may be done on this network.

Without a yes no packet is sent. What the command line says by ``--yes`` holds for that
command, on the network it is given on; what was recorded holds for the levels of risk and
the networks that were agreed to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from probe import settings_file
from probe.consent import agreement, networks, words
from probe.consent.dialogue import ask_everything, ask_network, describe
from probe.consent.questions import somebody_is_here
from probe.ending import NO_CONSENT, NOTHING_MEASURED, Problem
from probe.i18n import _
from probe.places import data_directory
from testlists.target import Risk


def _always() -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Permission:
    """The levels of risk that were agreed to, None for those that the command line names;
    whether it still may be done where we are."""

    tiers: tuple[Risk, ...] | None = None
    still: Callable[[], bool] = _always


def to_measure(*, agreed: bool, settings: Path | None = None) -> Permission:
    """What may be measured; *agreed*: the command line said yes. Asks where somebody is there.

    The way that they choose goes into the file *settings*, or the usual one. Raises `Problem`
    where nothing may be measured.
    """
    folder = data_directory()
    if agreed:
        here = networks.here()
        return Permission() if here.doubt else Permission(still=_stays(folder, here))
    try:
        tiers = agreement.tiers(folder) or _ask(folder, settings or settings_file.in_force())
        return Permission(tiers=tiers, still=_network(folder))
    except (OSError, ValueError) as exc:
        raise Problem(_("what you agreed to cannot be written down: {why}", why=exc)) from exc


def _ask(folder: Path, settings: Path) -> tuple[Risk, ...]:
    if not somebody_is_here():
        click.echo(words.measuring(), err=True)
        raise Problem(
            _(
                "nobody has agreed to that, so nothing was sent. For unattended runs: zond consent"
                " --yes --tiers low,medium --upload no --networks here; for this run alone: --yes"
            ),
            NO_CONSENT,
        )
    tiers = ask_everything(folder, settings)
    if not tiers:
        raise Problem(_("nothing was sent"), NO_CONSENT)
    return tuple(tiers)


def _network(folder: Path) -> Callable[[], bool]:
    """Whether we are still where it was agreed to. Asks; raises `Problem` for a no."""
    here, approved = networks.here(), networks.Networks(folder)
    if approved.permits(here):
        return _stays(folder, here)
    if here.doubt == "no_route":
        raise Problem(_("this machine is on no network: nothing was sent"), NOTHING_MEASURED)
    if not somebody_is_here():
        later = here.doubt == "router_unknown" and approved.approved
        raise Problem(
            f"{describe(here)} "
            + _(
                "Nothing was sent. Where you are sure that it may be measured: zond consent"
                " networks --approve-this (or --anywhere yes, for a machine that never moves)"
            ),
            NOTHING_MEASURED if later else NO_CONSENT,
        )
    if not ask_network(folder):
        raise Problem(_("nothing was sent"), NO_CONSENT)
    return _stays(folder, here)


def _stays(folder: Path, first: networks.Here) -> Callable[[], bool]:
    judged = {first: True}  # the hashes are slow: one for each network that is met

    def still() -> bool:
        here = networks.here()
        if here.doubt in networks.NOTHING_LEAVES:
            return True  # until the line is back, and can be looked at
        if here not in judged:
            approved = networks.Networks(folder)
            judged[here] = here.is_where(first.routers) or approved.permits(here)
        return judged[here]

    return still
