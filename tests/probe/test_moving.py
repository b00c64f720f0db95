"""Another address is another place; a family that comes or goes is none."""

from __future__ import annotations

import pytest

from probe.surroundings.moving import Place, leaving

HOME: dict[int, int | str] = {4: "192.168.1.7", 6: 0x20010DB8 << 96}


@pytest.mark.parametrize(
    ("now", "left"),
    [
        (HOME, False), ({}, False), ({4: "192.168.1.7"}, False),
        ({4: "192.168.43.7", 6: HOME[6]}, True), ({4: "10.8.0.2"}, True), ({6: 1 << 64}, True),
    ],
    ids=["the same", "no line", "IPv6 is gone", "a telephone's", "a VPN's", "another prefix"],
)  # fmt: skip
def test_a_place_is_left_by_another_address(now: dict[int, int | str], left: bool) -> None:
    seen = [HOME]
    place = Place(lambda: seen[-1])
    seen.append(now)
    assert place.left() is left
    place.settle()
    assert not place.left()


def test_a_family_that_came_later_is_held_to_as_well() -> None:
    seen: list[dict[int, int | str]] = [{4: "192.168.1.7"}]
    place = Place(lambda: seen[-1])
    seen.append(HOME)
    assert not place.left()
    place.settle()
    seen.append({4: "192.168.1.7", 6: 7 << 64})
    assert place.left()


def test_the_kernel_says_the_same_while_nothing_happens() -> None:
    assert set(leaving()) <= {4, 6}
    assert leaving() == leaving()
