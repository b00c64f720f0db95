"""Which targets of the lists are measured, and in which order."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

from testlists.target import RISKS, Risk, Target


def select(
    targets: Iterable[Target],
    *,
    categories: Collection[str] | None = None,
    max_risk: Risk = "high",
) -> list[Target]:
    """The *targets* of the *categories* (None: of all) whose risk is at most *max_risk*."""
    allowed = RISKS[: RISKS.index(max_risk) + 1]
    return [
        target
        for target in targets
        if target.risk in allowed and (categories is None or target.category in categories)
    ]


def shuffle(targets: Iterable[Target], seed: int) -> list[Target]:
    """*targets* in an order that *seed* decides, the same on every machine for ever.

    Each URL is sorted by a hash of the seed and itself. `random.shuffle` may change
    between versions of Python, and would give what is left of an interrupted run
    another order; here the rest of a list keeps the order that the whole had.
    """
    return sorted(targets, key=lambda target: (_key(seed, target.url), target.url))


def digest(targets: Iterable[Target]) -> str:
    """A hash of what is measured, as the version of a list: hex, whatever the order."""
    lines = sorted(f"{target.url}\0{target.category}\0{target.risk}\n" for target in targets)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _key(seed: int, url: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{url}".encode()).digest()
