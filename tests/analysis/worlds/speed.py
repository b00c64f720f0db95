"""What is slow: with its name only, from its address, by its server, over the line."""

from __future__ import annotations

from tests.analysis import timed
from tests.analysis.build import Scene
from tests.analysis.worlds.case import case


@case("ok", "throttled")
def slow_with_its_name_only() -> Scene:
    return timed.scene(timed.timed(mine=3.0, unnamed=0.3))


@case("blocked", "throttled")
def slow_from_its_address_and_without_end() -> Scene:
    transfers = timed.timed(mine=6.0, unnamed=6.0)
    return timed.scene(transfers, seconds=11.0, truncated=True)


@case("ok")
def innocent_slow_server() -> Scene:
    return timed.scene(timed.timed(mine=6.0, unnamed=6.0, server=(5.5, 5.5)), seconds=11.0)


@case("ok")
def innocent_slow_line() -> Scene:
    return timed.scene(timed.timed(mine=6.0, unnamed=6.0, control=5.0), seconds=11.0)
