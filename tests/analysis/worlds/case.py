"""One situation and what it must be judged, and the register of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.analysis.build import Scene

HTTP = "http://news.example/"
SHORT = "https://short.example/x"


@dataclass(frozen=True)
class Case:
    build: Callable[[], Scene]
    outcome: str
    mechanisms: tuple[str, ...] = ()


CASES: dict[str, Case] = {}


def case(outcome: str, *mechanisms: str) -> Callable[[Callable[[], Scene]], Callable[[], Scene]]:
    """What is decorated is a situation that must be judged so."""

    def register(build: Callable[[], Scene]) -> Callable[[], Scene]:
        CASES[build.__name__] = Case(build, outcome, mechanisms)
        return build

    return register
