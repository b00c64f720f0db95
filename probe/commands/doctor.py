"""``zond doctor``: a line for each thing that a run needs, and what to do about it.

Nothing is sent without consent: then the local part is looked at, and the rest is named with
the packets that it would take.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probe.i18n import _, language_option

if TYPE_CHECKING:
    from probe.config import Config
    from probe.doctor.finding import Finding


STATE, ABOUT = 10, 16  # columns of the first words of a line


@click.command()
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="The settings file.")
@click.option("--db", metavar="FILE", help="The database that 'zond run' writes.")
@click.option("--control", "controls", multiple=True, help="A control server's URL.")
@click.option("--proxy", metavar="URL", help="The way out to the controls.")
@click.option("--local", is_flag=True, help="Send nothing; say what would be sent, and to whom.")
@click.option("--yes", is_flag=True, help="I know that this can be seen, and agree.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each finding.")
@language_option
def doctor(**given: Any) -> None:
    """Say what works here, what does not, and what to do.

    Exit status: 0 no fault, 1 a fault, 3 a run would measure nothing, 4 nobody has agreed.

    Example: zond doctor --local
    """
    from probe.config import Config, ConfigError
    from probe.doctor.finding import fault, ok, status, together
    from probe.doctor.machine import look as look_at_machine

    try:
        config = _settings(given)
        settings, sound = ok("settings", _("can be read")), True
    except ConfigError as exc:
        # What else they say, as a proxy, is not known either: nothing is sent by defaults.
        do = _("correct that line of zond.toml, or the variable")
        config, sound = Config(), False
        settings = fault("settings", str(exc), do, stops=True)
    machine = [settings, *look_at_machine(config, agreed_now=given["yes"])]
    line = _line(config, machine, agreed=given["yes"]) if sound and not given["local"] else None
    findings = together(machine, line or [])
    for finding in findings:
        _tell(finding, as_json=given["as_json"])
    if line is None and sound:
        _tell_packets(config)
    sys.exit(status(findings))


def _settings(given: dict[str, Any]) -> Config:
    from probe.config import controls_from_urls, load

    flags: dict[str, Any] = {key: given[key] for key in ("db", "proxy") if given[key]}
    if given["controls"]:
        flags["controls"] = controls_from_urls(given["controls"])
    return load(given["config_path"], os.environ, flags)


def _line(config: Config, machine: Sequence[Finding], *, agreed: bool) -> list[Finding] | None:
    """What the line shows; None where it may not be looked at."""
    from probe.asn import AddressBookError
    from probe.consent import agreement
    from probe.doctor.finding import fault
    from probe.doctor.line import look
    from probe.places import data_directory
    from probe.steps.certificate import TrustStoreError

    states = {finding.about: finding.state for finding in machine}
    if not agreed and (states["consent"], states["network"]) != ("ok", "ok"):
        return None
    try:
        return look(config, sharing=agreement.upload_recorded(data_directory()))
    except TrustStoreError as exc:
        do = "apt-get install ca-certificates; SSL_CERT_FILE"
        return [fault("certificates", str(exc), do, stops=True)]
    except AddressBookError:
        return []  # the line about the table has said so


def _tell(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(finding))
        return
    marks = {"ok": _("ok"), "warning": _("WARNING"), "fault": _("FAULT"), "unknown": "?"}
    head = f"{marks[finding.state]:<{STATE}} {_named(finding.about):<{ABOUT}} "
    click.echo(f"{head}{finding.seen}")
    if finding.do:
        click.echo(f"{'':<{len(head)}}→ {finding.do}")


def _named(about: str) -> str:
    """The subject of a line, as the user calls it."""
    names = {
        "settings": _("settings"), "consent": _("consent"), "network": _("network"),
        "vpn": "VPN", "clock": _("clock"), "privileges": _("privileges"),
        "open files": _("open files"), "extras": _("extras"), "disk": _("disk"),
        "database": _("database"), "lists": _("lists"), "address table": _("address table"),
        "schedule": _("schedule"), "upload": _("upload"), "portal": _("login page"),
        "line": _("line"), "dns": "DNS", "ipv4": "IPv4", "ipv6": "IPv6",
        "certificates": _("certificates"), "controls": _("controls"), "place": _("place"),
        "collector": _("collector"),
    }  # fmt: skip
    return names[about]


def _tell_packets(config: Config) -> None:
    """What was not looked at, and what it would take. Talk, so to stderr."""
    from probe.consent import agreement
    from probe.doctor.line import packets
    from probe.places import data_directory

    click.echo(
        _(
            "Nothing was sent, so this line and the servers were not looked at. zond doctor does"
            " that where you agreed to measuring (zond consent), or now with --yes. It would send:"
        ),
        err=True,
    )
    for who, what in packets(config, sharing=agreement.upload_recorded(data_directory())):
        click.echo(f"  {who}: {what}", err=True)


