"""Selection and order."""

from __future__ import annotations

from testlists import Risk, Target, digest, select, shuffle


def target(name: str, category: str = "NEWS", risk: Risk = "low") -> Target:
    return Target(url=f"https://{name}.example.com/", category=category, risk=risk)


TARGETS = [target(name) for name in "abcdefgh"]


def test_selection_by_category_and_by_the_highest_risk() -> None:
    low, medium, high = target("a"), target("b", risk="medium"), target("c", "POLR", "high")
    assert [low, medium, high] == select([low, medium, high])
    assert [low, medium] == select([low, medium, high], max_risk="medium")
    assert [low] == select([low, medium, high], max_risk="low")
    assert [high] == select([low, medium, high], categories=["POLR"])
    assert [] == select([low, medium, high], categories=[])


def test_the_order_of_a_seed_never_changes() -> None:
    names = [t.hostname[0] for t in shuffle(TARGETS, 7)]
    assert list("afcbehdg") == names


def test_another_seed_gives_another_order() -> None:
    assert shuffle(TARGETS, 1) != shuffle(TARGETS, 2)


def test_what_is_left_of_a_list_keeps_the_order_of_the_whole() -> None:
    whole = shuffle(TARGETS, 3)
    assert whole == shuffle(reversed(TARGETS), 3)
    assert whole[3:] == shuffle(whole[3:], 3)


def test_a_digest_tells_lists_apart_by_what_is_measured() -> None:
    assert digest(TARGETS) == digest(reversed(TARGETS))
    assert digest(TARGETS) != digest(TARGETS[1:])
    assert digest([target("a")]) != digest([target("a", risk="high")])
