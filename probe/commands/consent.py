"""``zond consent``: what was agreed to on this machine, and changing it.

To measure, to share, on which networks and by which way are questions of their own; who
answers one has not answered another. What makes things riskier is told and asked for, unless
``--yes`` says that it is known; what makes them safer is done at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probe.ending import BAD_ARGUMENTS, NO_CONSENT, Problem
from probe.i18n import _, language_option, plural

if TYPE_CHECKING:
    from testlists import Risk

SEPARATE = "--tiers low,medium --upload no --networks here"


@click.group(invoke_without_command=True)
@click.option("--tiers", metavar="LOW,...", help="Levels of risk: low,medium,high; none.")
@click.option("--upload", type=click.Choice(["yes", "no"]), help="Share after each run, or not.")
@click.option(
    "--networks", "where", type=click.Choice(["here", "any", "approved"]),
    help="Approve this one; measure on any; on approved ones alone.",
)  # fmt: skip
@click.option(
    "--way", type=click.Choice(["direct", "proxy", "tor"]),
    help="How controls and the collector are reached.",
)  # fmt: skip
@click.option("--proxy", metavar="URL", help="Which, for --way proxy.")
@click.option("--yes", is_flag=True, help="I know what that means, and agree.")
@click.option("--json", "as_json", is_flag=True, help="What was agreed to, as a line of JSON.")
@language_option
@click.pass_context
def consent(context: click.Context, /, as_json: bool, yes: bool, **given: Any) -> None:
    """Show what was agreed to on this machine, and change it.

    Without options it is shown. `zond consent ask` puts all questions again.

    Example: zond consent --yes --tiers low,medium --upload no --networks here
    """
    if context.invoked_subcommand is not None:
        return
    if not any(value is not None for value in given.values()):
        if yes:
            raise Problem(f"--yes to what? As in zond consent --yes {SEPARATE}", BAD_ARGUMENTS)
    else:
        with _explained():
            _change(yes=yes, **given)
    _show(as_json=as_json)


@consent.command()
@language_option
def ask() -> None:
    """Put all questions of the first start again.

    Example: zond consent ask --lang be
    """
    from probe import settings_file
    from probe.consent.dialogue import ask_everything
    from probe.consent.questions import somebody_is_here
    from probe.places import data_directory

    if not somebody_is_here():
        raise Problem(f"there is nobody to ask: zond consent --yes {SEPARATE}", NO_CONSENT)
    with _explained():
        if not ask_everything(data_directory(), settings_file.in_force()):
            raise Problem(_("nothing was changed"), NO_CONSENT)
    _show(as_json=False)


@consent.command()
@language_option
def withdraw() -> None:
    """Take it all back: nothing is measured or sent any more. What was stored stays.

    Example: zond consent withdraw
    """
    from probe.consent import agreement as agreed
    from probe.consent.networks import Networks
    from probe.places import data_directory

    with _explained():
        agreed.withdraw(data_directory())
        networks = Networks(data_directory())
        networks.allow_anywhere(False)
        networks.forget()
    click.echo(_("Nothing is measured or sent from now on. What was stored: zond wipe"), err=True)
    _show(as_json=False)


@consent.command()
@click.option("--approve-this", is_flag=True, help="Measure on the network this machine is on.")
@click.option("--forget-this", is_flag=True, help="No longer measure on this one.")
@click.option("--forget", is_flag=True, help="No longer measure on any that was approved.")
@click.option("--anywhere", type=click.Choice(["yes", "no"]), help="Measure on any, or not.")
@click.option("--json", "as_json", is_flag=True, help="As a line of JSON.")
@language_option
def networks(
    approve_this: bool, forget_this: bool, forget: bool, anywhere: str | None, as_json: bool
) -> None:
    """On which networks it may be measured: not at work, not on the university's.

    Example: zond consent networks --approve-this
    """
    from probe.consent.networks import Networks, here
    from probe.places import data_directory

    kept = Networks(data_directory())
    with _explained():
        if forget:
            count = kept.forget()
            click.echo(plural("{count} forgotten", "{count} forgotten", count), err=True)
        if forget_this and not kept.forget(here()):
            raise Problem(_("this network was not approved"), BAD_ARGUMENTS)
        if anywhere is not None:
            kept.allow_anywhere(anywhere == "yes")
        if approve_this:
            _approve(kept)
    _show(as_json=as_json)


def _change(
    *, yes: bool, tiers: str | None, upload: str | None, where: str | None, way: str | None,
    proxy: str | None,
) -> None:  # fmt: skip
    from probe import settings_file
    from probe.consent import agreement as agreed
    from probe.consent import words
    from probe.consent.dialogue import way_settings
    from probe.consent.networks import Networks
    from probe.places import data_directory

    folder = data_directory()
    if (way == "proxy") is not bool(proxy):
        raise Problem("--way proxy and --proxy URL belong together", BAD_ARGUMENTS)
    try:
        settings = way_settings(way, proxy) if way is not None else {}
    except ValueError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    if tiers is not None:
        wanted = _tiers(tiers)
        if set(wanted) - set(agreed.tiers(folder)):
            _ask(words.measuring(), _("Do you agree, and measure from here?"), yes=yes)
    if upload == "yes" and not agreed.upload_recorded(folder):
        _ask(words.sharing(), _("Do you agree, and share after each run?"), yes=yes)
    # All is known and agreed to: only now is anything written.
    if way is not None:
        settings_file.change(settings_file.in_force(), settings)
    if upload is not None:
        (agreed.record_upload if upload == "yes" else agreed.withdraw_upload)(folder)
    if where is not None:
        kept = Networks(folder)
        kept.allow_anywhere(where == "any")
        if where == "here":
            _approve(kept)
    if tiers is not None:
        agreed.record(folder, wanted) if wanted else agreed.withdraw(folder)


def _tiers(text: str) -> tuple[Risk, ...]:
    from testlists import RISKS

    named = {word.strip() for word in text.split(",")}
    if named == {"none"}:
        return ()
    if unknown := sorted(named - {*RISKS}):
        raise Problem(f"--tiers {unknown[0]}: there are low, medium, high; or none", BAD_ARGUMENTS)
    return tuple(risk for risk in RISKS if risk in named)


def _ask(text: str, question: str, *, yes: bool) -> None:
    from probe.consent.questions import somebody_is_here, yes_or_no

    if yes:
        return
    click.echo(text, err=True)
    if not somebody_is_here():
        raise Problem(_("nobody has agreed to that: --yes does"), NO_CONSENT)
    if not yes_or_no(question, default=False):
        raise Problem(_("nothing was changed"), NO_CONSENT)


def _approve(kept: Any) -> None:
    from probe.consent.dialogue import describe
    from probe.consent.networks import here

    found = here()
    if found.doubt:
        more = _("For a machine that never moves: zond consent networks --anywhere yes")
        raise Problem(f"{describe(found)} {more}")
    kept.approve(found)


def _show(*, as_json: bool) -> None:
    from probe.consent import agreement as agreed
    from probe.consent.dialogue import risk_name
    from probe.consent.networks import Networks, here
    from probe.places import data_directory

    folder = data_directory()
    tiers, upload = agreed.tiers(folder), agreed.upload_recorded(folder)
    kept, found = Networks(folder), here()
    proxy, ways = _way()
    if as_json:
        import msgspec

        there = "permitted" if kept.permits(found) else found.doubt or "not_approved"
        said = {
            "tiers": tiers, "upload": upload, "proxy": proxy, "ways": ways,
            "networks": {"anywhere": kept.anywhere, "approved": len(kept.approved), "here": there},
        }  # fmt: skip
        click.echo(msgspec.json.encode(said))
        return
    levels = ", ".join(map(risk_name, tiers)) or _("no")
    click.echo(_("to measure: {what}", what=levels))
    click.echo(_("to share after each run: {what}", what=_("yes") if upload else _("no")))
    days = sorted({time.strftime("%Y-%m-%d", time.localtime(a.at)) for a in kept.approved})
    approved = _("any") if kept.anywhere else ", ".join([str(len(kept.approved)), *days])
    click.echo(_("networks approved: {what}", what=approved))
    here_too = _("yes") if kept.permits(found) else _("no")
    click.echo(_("on this network, unattended: {what}", what=here_too))
    words = {"direct": _("straight"), "proxy": _("by a proxy"), "file": _("by a file")}
    click.echo(_("controls are reached: {what}", what=proxy or words["direct"]))
    collector = ", ".join(words.get(way, "Tor") for way in ways)
    click.echo(_("the collector is reached: {what}", what=collector))


def _way() -> tuple[str | None, list[str]]:
    """By which proxy the controls are asked, and by which ways is uploaded."""
    import os

    from probe.config import ConfigError, load

    try:
        config = load(None, os.environ, {})
    except ConfigError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    proxy = config.upload.proxy or config.proxy
    return config.proxy, list(config.upload.ways or (["proxy"] if proxy else ["direct"]))


@contextmanager
def _explained() -> Iterator[None]:
    from probe.places import data_directory

    try:
        yield
    except (OSError, ValueError) as exc:
        where = getattr(exc, "filename", None) or data_directory()
        raise Problem(f"{Path(where)}: {getattr(exc, 'strerror', None) or exc}") from exc
