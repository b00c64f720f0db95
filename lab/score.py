"""How right was it? Verdicts against the truth of each world, axis by axis.

A verdict is right if its outcome is one that the truth allows, each mechanism that the
truth demands is there, and none beside them: a mechanism too many is an accusation.
The diagnosis (trigger, hop, position, residual blocking, fingerprints) is scored apart:
what a verdict leaves open is *not said*, which is another thing than wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.table import Table

from lab.world import Truth

Mark = Literal["right", "wrong", "not said", "not scored"]
AXES = (
    "outcome", "mechanism", "trigger", "hop", "position", "residual", "fingerprints",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Result:
    """One world measured once. *variation* names the seed or setting it was measured with.

    *hop* is that of the verdict's location, *residual* in seconds, *probability* that of
    the verdict; None where it says nothing.
    """

    world: str
    truth: Truth
    outcome: str
    mechanisms: tuple[str, ...]
    trigger: str | None = None
    hop: int | None = None
    position: str | None = None
    residual: float | None = None
    probability: float | None = None
    fingerprints: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    url: str = ""
    variation: str = ""

    @property
    def right(self) -> bool:
        """The outcome and the mechanisms; for the diagnosis see `mark`."""
        return self.outcome in self.truth.outcome and self.mechanisms_right

    @property
    def mechanisms_right(self) -> bool:
        if self.outcome == "inconclusive":  # where the truth allows that, no more is asked
            return set(self.mechanisms) <= frozenset().union(*self.truth.mechanisms)
        return _satisfied(self.mechanisms, self.truth.mechanisms)

    @property
    def false_alarm(self) -> bool:
        """Called blocked, and nobody blocks: what must never happen."""
        return self.outcome == "blocked" and "blocked" not in self.truth.outcome

    def mark(self, axis: str) -> Mark:
        """How the verdict does on one of `AXES`."""
        truth = self.truth
        match axis:
            case "outcome":
                return _mark(self.outcome in truth.outcome)
            case "mechanism":
                return _mark(self.mechanisms_right)
            case "trigger":
                return _one_of(self.trigger, truth.trigger)
            case "hop":
                return _one_of(self.hop, () if truth.hop is None else (truth.hop,))
            case "position":
                return _one_of(self.position, truth.position)
            case "residual":
                punishes = None if self.residual is None else self.residual > 0
                return _one_of(punishes, () if truth.residual is None else (truth.residual,))
            case "fingerprints":
                if not truth.fingerprints:
                    return "not scored"
                right = _satisfied(self.fingerprints, truth.fingerprints)
                return _mark(right) if self.fingerprints else "not said"
        raise ValueError(f"no axis is called {axis}")

    @property
    def all_right(self) -> bool:
        """Right on every axis that is scored, with nothing left open."""
        return all(self.mark(axis) in ("right", "not scored") for axis in AXES)


def _satisfied(given: Iterable[str], groups: Sequence[frozenset[str]]) -> bool:
    """One of each group is there, and nothing beside them."""
    seen = set(given)
    return seen <= frozenset().union(*groups) and all(seen & group for group in groups)


def _mark(right: bool) -> Mark:
    return "right" if right else "wrong"


def _one_of(said: object, true: Iterable[object]) -> Mark:
    allowed = tuple(true)
    if not allowed:
        return "not scored"
    return "not said" if said is None else _mark(said in allowed)


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
        trigger=verdict.get("trigger"),
        hop=(verdict.get("location") or {}).get("hop"),
        position=verdict.get("position"),
        residual=verdict.get("residual"),
        probability=verdict.get("probability"),
        fingerprints=tuple(verdict.get("fingerprints", ())),
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


def by_axis(results: Iterable[Result]) -> dict[str, Counter[Mark]]:
    """For each axis how many are right, wrong and not said; what is not scored is left out."""
    counts: dict[str, Counter[Mark]] = {axis: Counter() for axis in AXES}
    for r in results:
        for axis in AXES:
            counts[axis][r.mark(axis)] += 1
    for counted in counts.values():
        counted.pop("not scored", None)
    return counts


def axes_table(results: Iterable[Result]) -> str:
    """`by_axis` as a table in Markdown."""
    lines = ["| axis | right | wrong | not said | of |", "|---|---:|---:|---:|---:|"]
    for axis, counts in by_axis(results).items():
        if counts:
            marks = (counts["right"], counts["wrong"], counts["not said"], counts.total())
            lines.append(f"| {axis} | {' | '.join(map(str, marks))} |")
    return "\n".join(lines)


def cells_table(results: Sequence[Result]) -> str:
    """Each result, axis by axis, in Markdown; what is wrong in bold, with what is so."""
    shown = [axis for axis in AXES if any(r.mark(axis) != "not scored" for r in results)]
    lines = [f"| world | {' | '.join(shown)} | probability |", f"|---|{'---|' * len(shown)}---:|"]
    for r in results:
        said = [axis_text(r, axis) for axis in shown]
        sure = "" if r.probability is None else f"{r.probability:.3f}"
        lines.append(f"| {r.world.removeprefix('matrix/')} | {' | '.join(said)} | {sure} |")
    return "\n".join(lines)


def axis_text(r: Result, axis: str) -> str:
    """Truth and verdict on one axis, for a table: ``name``, or ``name, said address``."""
    truth = r.truth
    true, said = {
        "outcome": ("|".join(sorted(truth.outcome)), r.outcome),
        "mechanism": ("; ".join(map(_either, truth.mechanisms)), ";".join(r.mechanisms)),
        "trigger": (_either(truth.trigger), r.trigger),
        "hop": (truth.hop, r.hop),
        "position": (_either(truth.position), r.position),
        "residual": ("yes" if truth.residual else "no", _seconds(r.residual)),
        "fingerprints": ("; ".join(map(_either, truth.fingerprints)), " ".join(r.fingerprints)),
    }[axis]
    match r.mark(axis):
        case "right":
            return str(said) if axis != "mechanism" else str(said or "none")
        case "wrong":
            return f"**{said or 'none'}**, is {true or 'none'}"
        case "not said":
            return f"?, is {true}"
    return ""


def _either(group: Iterable[str]) -> str:
    return " or ".join(sorted(group))


def _seconds(residual: float | None) -> str | None:
    return None if residual is None else f"{residual:.0f} s"
