"""The first start: what is to be known is said, and every choice is asked for by itself.

The answer that is offered is the safer one. What was answered is written down at the end, so
that whoever leaves in the middle has agreed to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from probe import settings_file
from probe.consent import agreement, networks, words
from probe.consent.questions import one_of, yes_or_no
from probe.i18n import LANGUAGES, _, chosen, language, paragraph, speak
from testlists.target import RISKS, Risk

PROXIES = ("http", "https", "socks5", "socks5h")
TOR = "socks5h://127.0.0.1:9050"  # where a Tor of the system's listens


def ask_everything(folder: Path, settings_path: Path) -> Sequence[Risk]:
    """All questions of a first start; the levels of risk that may be measured, none for no.

    What was agreed to goes into *folder*, the way into *settings_path*. Raises OSError, and
    ValueError for a settings file that cannot be changed.
    """
    _ask_language()
    click.echo(f"\n{words.measuring()}\n", err=True)
    if not yes_or_no(_("Do you agree, and measure from this machine?"), default=False):
        return ()
    tiers = _ask_tiers()
    if not tiers:
        return ()
    settings = _ask_way()
    click.echo(f"\n{words.sharing()}\n", err=True)
    share = yes_or_no(_("Share after each run, without being asked?"), default=False)
    settings_file.change(settings_path, settings)
    (agreement.record_upload if share else agreement.withdraw_upload)(folder)
    agreement.record(folder, tiers)
    click.echo(_("All of this can be changed: zond consent"), err=True)
    return tiers


def ask_network(folder: Path) -> bool:
    """Whether to measure on a network that was not approved; whether for ever is asked too."""
    here = networks.here()
    click.echo(paragraph(describe(here)), err=True)
    click.echo(
        paragraph(
            _(
                "Whoever runs this network can see what is asked for. Is it yours, or do they"
                " know? Not at work, not on a university's or a café's network."
            )
        ),
        err=True,
    )
    answers = {"no": _("do not measure here"), "once": _("measure here this time")}
    if not here.doubt:
        answers["always"] = _("measure here, also on a schedule")
    answer = one_of(_("What shall zond do?"), answers, default="no")
    if answer == "always":
        networks.Networks(folder).approve(here)
    return answer != "no"


def describe(here: networks.Here) -> str:
    """What is known of the network that this machine is on, in the user's language."""
    said = {
        "": _("This network was not approved."),
        "no_route": _("This machine is on no network."),
        "no_router": _(
            "This network cannot be told from others: it has no router of its own (a modem, a"
            " tunnel), or this system does not tell."
        ),
        "router_unknown": _("The router of this network has not been heard of yet."),
        "router_shared": _(
            "This network cannot be told from others: its router is that of a virtual machine, or"
            " one that is alike in many places."
        ),
    }
    return said[here.doubt]


def way_settings(way: str, proxy: str | None) -> dict[str, Any]:
    """The settings that send what goes to controls and collectors by *way*.

    Raises ValueError for a *proxy* that is none.
    """
    if way == "direct":
        return {"proxy": None, "upload": {"ways": ["direct"]}}
    if way == "proxy" and not _is_proxy(proxy or ""):
        raise ValueError(_("{proxy} is no proxy; as in socks5h://127.0.0.1:1080", proxy=proxy))
    return {"proxy": TOR if way == "tor" else proxy, "upload": {"ways": [way]}}


def _ask_language() -> None:
    if not chosen():
        speak(one_of("Мова / Язык / Language", LANGUAGES, default=language()))


def _ask_tiers() -> tuple[Risk, ...]:
    click.echo("\n" + _("Which sites? Each has a level of risk:"), err=True)
    agreed = []
    for risk in RISKS:
        said = f"{risk_name(risk)}: {words.tier(risk)}"
        click.echo(paragraph(said, bullet="- "), err=True)
        if yes_or_no(_("Measure these?"), default=risk in agreement.USUAL_TIERS):
            agreed.append(risk)
    return tuple(agreed)


def risk_name(risk: Risk) -> str:
    """*risk* in the user's language."""
    return {"low": _("low risk"), "medium": _("medium risk"), "high": _("high risk")}[risk]


def _ask_way() -> dict[str, Any]:
    click.echo(
        "\n"
        + paragraph(
            _(
                "Sites are asked straight, or nothing could be learned of your network. Servers of"
                " this project (controls, to compare with, and the collector) can be asked by"
                " another way, so that your operator does not see that you do."
            )
        ),
        err=True,
    )
    answers = {
        "direct": _("straight"),
        "tor": _("by Tor, which must run on this machine"),
        "proxy": _("by a proxy"),
    }
    way = one_of(_("How are they to be reached?"), answers, default="direct")
    proxy: str | None = None
    if way == "proxy":
        proxy = click.prompt(
            _("The proxy, as in socks5h://127.0.0.1:1080"), value_proc=_proxy, err=True
        )
    return way_settings(way, proxy)


def _proxy(text: str) -> str:
    if not _is_proxy(text.strip()):
        raise click.UsageError(_("{proxy} is no proxy; as in socks5h://127.0.0.1:1080", proxy=text))
    return text.strip()


def _is_proxy(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in PROXIES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
