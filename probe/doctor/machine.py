"""What can be told of this machine without a packet: what was agreed to, what is installed, what
is stored (`probe.doctor.stored`).
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import trio

from probe import __version__, places
from probe.config import Config
from probe.consent import agreement, networks
from probe.doctor.finding import Finding, fault, ok, unknown, warning
from probe.doctor.stored import day_of
from probe.doctor.stored import look as stored
from probe.extras import install
from probe.i18n import _
from probe.net import open_capture
from probe.retention import LEAST
from probe.surroundings.clock import NOT_BEFORE
from probe.surroundings.way_out import way_out

ROOM = 500_000_000  # bytes free, below which a year of runs will not fit
FILES = 1024  # that may be open; thirty targets at once take some hundreds
EXTRAS = {"utls": "browser", "aioquic": "quic", "scapy": "packets"}  # by what they install


def look(config: Config, *, agreed_now: bool = False) -> list[Finding]:
    """Every line. No packet is sent, and no file is changed. *agreed_now*: for this once."""
    folder = places.data_directory()
    return [
        agreed(folder, now=agreed_now),
        network(folder),
        vpn(),
        clock(time.time()),
        *privileges(),
        extras(),
        disk(config),
        *stored(config, folder),
    ]


def agreed(folder: Path, *, now: bool = False) -> Finding:
    tiers = agreement.tiers(folder)
    if not tiers and now:
        return unknown(
            "consent", _("agreed to for this once"), _("to measure as well: zond consent ask")
        )
    if not tiers:
        said = _("nobody has agreed to be measured from, so nothing is sent")
        return fault("consent", said, "zond consent ask", stops=True)
    levels = ", ".join(tiers)
    if agreement.upload_recorded(folder):
        said = _("targets of {levels} risk; what is measured is shared", levels=levels)
    else:
        said = _("targets of {levels} risk; what is measured is not shared", levels=levels)
    return ok("consent", said)


def network(folder: Path) -> Finding:
    here, approved = networks.here(), networks.Networks(folder)
    if here.doubt == "no_route":
        do = _("connect it: a cable, Wi-Fi, a SIM card")
        return fault("network", _("this machine is on no network"), do, stops=True)
    if approved.permits(here):
        said = _("any was agreed to") if approved.anywhere else _("this one was approved")
        return ok("network", said)
    said = _("this one was not approved: runs that nobody watches measure nothing here")
    do = _("if you may measure here: zond consent networks --approve-this")
    if here.doubt:
        said = _("it cannot be told from others: runs that nobody watches measure nothing here")
        do = _("on a machine that never moves: zond consent networks --anywhere yes")
    return warning("network", said, do)


def vpn() -> Finding:
    way = way_out()
    if way.kind == "tunnel":
        said = _("packets leave by a tunnel ({name})", name=way.name)
        return warning("vpn", said, turn_it_off())
    if not way.name:
        return unknown("vpn", _("this system does not tell by which way packets leave"))
    return ok("vpn", _("packets leave by {name}, which is no tunnel", name=way.name))


def turn_it_off() -> str:
    return _("if that is a VPN turn it off, or the network at its other end is measured")


def clock(now: float) -> Finding:
    if now < NOT_BEFORE:
        said = _("it is not {day}: this program is younger", day=day_of(now))
        return fault("clock", said, _("set it: timedatectl set-ntp true"))
    return unknown("clock", _("only other machines can tell"))


def privileges() -> Iterator[Finding]:
    try:
        trio.run(_capture)
    except OSError as exc:
        said = _("no packets are kept as evidence: {why}", why=exc.strerror or exc)
        do = _("not needed; where it is wanted: docs/packets.md")
        yield warning("privileges", said, do)
    else:
        yield ok("privileges", _("packets may be captured"))
    if (most := _open_files()) is not None and most < FILES:
        said = _("only {most} files may be open at once", most=most)
        yield warning("open files", said, "ulimit -n 4096; [limits] concurrency = 10")


def extras() -> Finding:
    without = {
        "utls": _("the ClientHello is Python's, which few people send"),
        "aioquic": _("QUIC is not tried"),
        "scapy": _("no packets are kept"),
    }
    missing = [name for name in EXTRAS if find_spec(name) is None]
    if not missing:
        return ok("extras", f"zond {__version__}: {', '.join(EXTRAS.values())}")
    said = "; ".join(without[name] for name in missing)
    names = ",".join(EXTRAS[name] for name in missing)
    return warning("extras", f"zond {__version__}: {said}", install(names))


def disk(config: Config) -> Finding:
    folder = config.database.parent
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK):
        said = _("{where} cannot be written to", where=there)
        do = _("change its owner, or choose another place: --db")
        return fault("disk", said, do, stops=True)
    free = shutil.disk_usage(there).free
    room = _("{free} MB are free where the database is", free=f"{free / 1e6:,.0f}")
    if free < config.budget.reserve_bytes + LEAST:
        do = _("make room: without it no run begins ([budget] reserve_bytes)")
        return fault("disk", room, do, stops=True)
    if free < ROOM:
        do = _("make room, or bound the database: [budget] database_bytes")
        return warning("disk", room, do)
    return ok("disk", room)


async def _capture() -> None:
    open_capture().close()


def _open_files() -> int | None:
    try:
        import resource
    except ImportError:
        return None  # a system without such limits
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if hard == resource.RLIM_INFINITY else hard
