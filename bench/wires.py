"""How many packets a second the wires of the lab carry, in a country of their own.

    python -m bench.wires [--seconds 2] [--write]

A sender in the household floods a port that nobody reads with 64-byte UDP, so that
the wires are never idle; what they could not take, the device has dropped before
them. A packet counts once the last wire of its path has taken it.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.pages import put
from lab.country import Country, Ready
from lab.wire import WireSettings
from lab.world import Place, Wire

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
PAYLOAD = bytes(36)  # 64 bytes with its headers
ALL = (Wire.LINE, Wire.UPLINK_1, Wire.BORDER_1, Wire.HOSTING)
SETTINGS = {
    "nothing": WireSettings(),
    "a delay of 5 ms": WireSettings(delay=0.005),
    "a censor that looks": WireSettings(censors=(lambda packet, way, now: None,)),
    "ten censors that look": WireSettings(censors=(lambda packet, way, now: None,) * 10),
}


def flood(ready: Ready, address: str) -> None:
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect((address, 9))
    ready()
    while True:
        sender.send(PAYLOAD)


def swallow(ready: Ready, address: str) -> None:
    """Hold the port open, so that no ICMP error comes back, and read nothing."""
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    sink.bind((address, 9))
    ready()
    while True:
        time.sleep(60)


def measure(path: tuple[Wire, ...], settings: WireSettings, seconds: float) -> float:
    """Packets a second that the last wire of *path* takes."""
    with Country(dict.fromkeys(path, settings)) as country:
        place, address = Place.ABROAD, "93.184.216.34"
        if len(path) == 1:
            place, address = Place.OPERATOR, country.resolver_address
        country.start(place, swallow, address)
        country.start(Place.HOME, flood, address)
        time.sleep(0.3)
        began, before = time.monotonic(), country.counters()[path[-1]].packets_out
        time.sleep(seconds)
        ended, after = time.monotonic(), country.counters()[path[-1]].packets_out
    return (after - before) / (ended - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each measurement")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    given = parser.parse_args()
    began = time.monotonic()
    for _ in range(10):
        with Country():
            pass
    building = (time.monotonic() - began) / 10
    lines = ["| on each wire | one wire | path of four |", "|---|--:|--:|"]
    for name, settings in SETTINGS.items():
        rates = (measure(path, settings, given.seconds) for path in (ALL[:1], ALL))
        lines.append(" | ".join([f"| {name}", *(f"{rate:,.0f}" for rate in rates)]) + " |")
    table = "\n".join(lines)
    said = f"Packets a second. A country is built and gone again in {building:.2f} s."
    print(f"{table}\n\n{said}")
    if given.write:
        put(PAGE, "wires", f"`python -m bench.wires --write`:\n\n{table}\n\n{said}")


if __name__ == "__main__":
    main()
