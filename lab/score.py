"""How right was it? Verdicts against the truth of each world.

A verdict is right if its outcome is one that the truth allows, each mechanism that the
truth demands is there, and none beside them: a mechanism too many is an accusation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from lab.world import Truth


@dataclass(frozen=True, kw_only=True)
class Result:
    """One world measured once. *variation* names the seed or setting it was measured with."""

    world: str
    truth: Truth
    outcome: str
    mechanisms: tuple[str, ...]
    rules: tuple[str, ...] = ()
    url: str = ""
    variation: str = ""

    @property
    def right(self) -> bool:
        return self.outcome in self.truth.outcome and self.mechanisms_right

    @property
    def mechanisms_right(self) -> bool:
        allowed = frozenset().union(*self.truth.mechanisms)
        seen = set(self.mechanisms)
        if self.outcome == "inconclusive":  # where the truth allows that, no more is asked
            return seen <= allowed
        return seen <= allowed and all(seen & group for group in self.truth.mechanisms)

    @property
    def false_alarm(self) -> bool:
        """Called blocked, and nobody blocks: what must never happen."""
        return self.outcome == "blocked" and "blocked" not in self.truth.outcome


def result(
    world: str, truth: Truth, verdict: Mapping[str, Any] | None, variation: str = ""
) -> Result:
    """*verdict* is a line of ``zond verdicts --format jsonl``; None: there was none."""
    if verdict is None:
        return Result(
            world=world, truth=truth, outcome="missing", mechanisms=(), variation=variation
        )
    return Result(
        world=world,
        truth=truth,
        outcome=verdict["outcome"],
        mechanisms=tuple(verdict["mechanisms"]),
        rules=tuple(verdict["rules"]),
        url=verdict["url"],
        variation=variation,
    )


def truth_text(truth: Truth) -> str:
    mechanisms = "; ".join(" or ".join(sorted(group)) for group in truth.mechanisms)
    outcome = " or ".join(sorted(truth.outcome))
    return f"{outcome} {mechanisms}".strip()


def confusion(results: Iterable[Result]) -> Table:
    """True outcome by verdict, as counts. Where a truth allows several, the given one counts."""
    counts: Counter[tuple[str, str]] = Counter()
    for r in results:
        true = r.outcome if r.outcome in r.truth.outcome else sorted(r.truth.outcome)[0]
        counts[true, r.outcome] += 1
    columns = sorted({given for _, given in counts})
    table = Table(title="truth (rows) against verdict (columns)")
    table.add_column("truth")
    for column in columns:
        table.add_column(column, justify="right")
    for true in sorted({true for true, _ in counts}):
        table.add_row(true, *(str(counts[true, given] or "·") for given in columns))
    return table


def wrong(results: Sequence[Result]) -> Table:
    """Every wrong verdict, with the rules that led to it."""
    table = Table(title="wrong verdicts")
    for column in ("world", "variation", "truth", "verdict", "rules"):
        table.add_column(column, overflow="fold")
    for r in results:
        if not r.right:
            given = f"{r.outcome} {';'.join(r.mechanisms)}".strip()
            table.add_row(r.world, r.variation, truth_text(r.truth), given, " ".join(r.rules))
    return table


def summary(results: Sequence[Result]) -> str:
    right = sum(r.right for r in results)
    alarms = sum(r.false_alarm for r in results)
    missed = sum(
        r.outcome != "blocked" and r.truth.outcome == frozenset({"blocked"}) for r in results
    )
    return f"{right} of {len(results)} right, {alarms} false alarms, {missed} blocks missed"
