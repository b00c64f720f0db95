"""The list that is measured: sites, most of them quiet, each with moods of its own."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

CATEGORIES = ("NEWS", "POLR", "HUMR", "ANON", "CULTR", "GRP", "COMT", "HOST", "GMB", "MMED")
ADDRESSES = (1, 1, 1, 2, 2, 2, 2, 4, 6, 6)


@dataclass(frozen=True, kw_only=True)
class Target:
    """*moody*: share of measurements that end in its own error; *challenge*: in a captcha.
    *since*, *until*: days of the history in which it is on the list."""

    url: str
    host: str
    category: str
    ips: tuple[str, ...]
    clear: bool
    domestic: bool
    hoster: int
    moody: float
    challenge: float
    flaps: bool
    since: float
    until: float


def targets(count: int, days: float, rng: np.random.Generator) -> tuple[Target, ...]:
    """*count* targets. What differs between them is what differs on the lists that exist: one
    in eight in the clear, one in six at home, one in twelve behind a captcha."""
    return tuple(_target(number, days, rng) for number in range(count))


def _target(number: int, days: float, rng: np.random.Generator) -> Target:
    clear = bool(rng.random() < 0.125)
    domestic = bool(rng.random() < 0.16)
    host = f"site{number:03}.{'by' if domestic else 'org'}.example"
    shifted = rng.random()
    many = int(rng.choice(ADDRESSES))
    mark = zlib.crc32(host.encode())
    return Target(
        url=f"{'http' if clear else 'https'}://{host}/",
        host=host,
        category=str(rng.choice(CATEGORIES)),
        ips=tuple(f"203.0.{(mark + n) % 100 + 13}.{(mark >> 8) % 250 + n}" for n in range(many)),
        clear=clear,
        domestic=domestic,
        hoster=int(rng.integers(max(2, number // 6 + 2))),
        moody=float(rng.choice([0.0005, 0.002, 0.01], p=[0.7, 0.22, 0.08])),
        challenge=float(rng.choice([0.0, 0.02, 0.6], p=[0.9, 0.06, 0.04])),
        flaps=bool(rng.random() < 0.15),
        since=float(rng.uniform(0.1, 0.4) * days) if shifted < 0.05 else 0.0,
        until=float(rng.uniform(0.6, 0.9) * days) if shifted > 0.95 else days,
    )
