"""Is now a good moment? Power, whether the line costs by the byte, whether there is one.

Each is told as the system tells it, or as unknown; what is unknown holds nobody up, since
a device that never says would otherwise never measure. Nothing here sends a packet.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from probe.consent import networks
from probe.surroundings import neighbours

Answer = Literal["yes", "no", "unknown"]

SUPPLIES = Path("/sys/class/power_supply")
STEP = 2.0
_ASKING = 5.0  # seconds
# NMMetered, of NetworkManager's D-Bus API: yes, no, and what it guesses of each.
_METERED: dict[str, Answer] = {"u 1": "yes", "u 2": "no", "u 3": "yes", "u 4": "no"}


@dataclass(frozen=True)
class Power:
    """*on_battery*, and how full the fullest of them is (percent, None: unknown)."""

    on_battery: Answer
    percent: int | None = None

    def low(self, least: int) -> bool:
        """Whether the machine lives on a battery with less than *least* percent left."""
        return self.on_battery == "yes" and self.percent is not None and self.percent < least


def power(folder: Path = SUPPLIES) -> Power:
    """What the machine lives on (Linux: sysfs-class-power). A mouse's battery is not its."""
    mains: list[bool] = []
    batteries: list[tuple[str, int | None]] = []
    for supply in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _word(supply / "scope") == "Device":
            continue
        kind = _word(supply / "type")
        if kind == "Battery":
            text = _word(supply / "capacity")
            batteries.append((_word(supply / "status"), int(text) if text.isdigit() else None))
        elif (online := _word(supply / "online")) in ("0", "1"):
            mains.append(online == "1")
    if not batteries:
        return Power("no" if any(mains) else "unknown")
    left = [percent for _, percent in batteries if percent is not None]
    percent = max(left) if left else None
    if any(mains):
        return Power("no", percent)
    states = {state for state, _ in batteries}
    if "Discharging" in states or (mains and not any(mains)):
        return Power("yes", percent)
    if states & {"Charging", "Full", "Not charging"}:
        return Power("no", percent)
    return Power("unknown", percent)


def metered() -> Answer:
    """Whether the line by which traffic leaves costs by the byte: NetworkManager knows, and
    a modem is taken to."""
    from probe.surroundings.way_out import way_out

    told = _networkmanager()
    return "yes" if told == "unknown" and way_out().mobile else told


def _networkmanager() -> Answer:
    """Its word on the connection that has the default route. It is not started for that."""
    if (busctl := shutil.which("busctl")) is None:
        return "unknown"
    name = "org.freedesktop.NetworkManager"
    command = [
        busctl, "--system", "--auto-start=no", f"--timeout={_ASKING:g}", "get-property", name,
        "/org/freedesktop/NetworkManager", name, "Metered",
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command, capture_output=True, text=True, timeout=2 * _ASKING, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return _METERED.get(done.stdout.strip(), "unknown")


def lacking(folder: Path) -> str:
    """What this machine still lacks of a network to measure on, by its own tables: a route, or
    to have heard of the router by which the network is known; empty: nothing.

    *folder* is where it was agreed to networks: where that was to all, no router is needed.
    """
    here = networks.here()
    if here.doubt == "no_route" and neighbours.system_tells():
        return "no network"
    if here.doubt == "router_unknown" and not networks.Networks(folder).anywhere:
        return "the router has not been heard of yet, so which network this is, is not known"
    return ""


def wait_for_network(
    seconds: float,
    lacks: Callable[[], str],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """What it still *lacks* after *seconds*; empty as soon as that is nothing. A machine that
    has just started has no network yet."""
    until = clock() + seconds
    while (lacks_still := lacks()) and clock() < until:
        sleep(STEP)
    return lacks_still


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
