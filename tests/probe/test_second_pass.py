"""What is followed up, in which order, and what is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import trio
from trio.testing import MockClock

from probe import second_pass
from probe.asn import AddressBook
from probe.config import Config, Ladder
from probe.control.client import ControlClient
from probe.evidence import Measurement, Run
from probe.failure import Failure
from probe.ladder.rung import Accused
from probe.second_pass import Differing, SecondPass
from probe.store import Store
from probe.surroundings.canary import Line
from probe.tools import Tools
from probe.wire.url import parse


class FakeLine:
    """A line that was there all the time, or lost during what began before *lost_until*."""

    def __init__(self, lost_until: float = -1.0) -> None:
        self.lost_until = lost_until
        self.looks = 0
        self.alive: dict[str, bool] = {}

    async def look(self) -> None:
        self.looks += 1

    async def wait_until_back(self) -> None:
        await trio.lowlevel.checkpoint()

    def held(self, began: float, ended: float) -> bool:
        return began > self.lost_until


class Ladders:
    """In the place of the real ones: each follow-up takes *seconds*."""

    seconds = 1.0
    crashes = 0

    def __init__(self, *, deadline: float, **given: Any) -> None:
        self.climbed, self.deadline = second_pass_climbed, deadline

    async def follow(
        self, plain: Measurement, accused: Accused, *, number: int, of: int
    ) -> Measurement:
        self.climbed.append((plain.id, accused.layer))
        await trio.sleep_until(min(self.deadline, trio.current_time() + self.seconds))
        return msgspec.structs.replace(
            plain, id=f"{plain.id}-{number}-{len(self.climbed)}", nettest="diagnosis",
            about=plain.id, comparison={"number": number, "of": of},
        )  # fmt: skip


second_pass_climbed: list[tuple[str, str]] = []


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_neutral(tools: Tools, names: Sequence[str]) -> tuple[str, ...]:
        return ("151.101.1.69",)

    @asynccontextmanager
    async def no_capture(**given: Any) -> Any:
        yield None

    second_pass_climbed.clear()
    monkeypatch.setattr(second_pass, "find_neutral", no_neutral)
    monkeypatch.setattr(second_pass, "Ladders", Ladders)
    monkeypatch.setattr(second_pass, "capturing", no_capture)


def differing(id: str, *layers: Any, risk: str = "low") -> Differing:
    url = parse(f"https://{id}.by/")
    accused = tuple(
        Accused(layer=layer, url=url, ip="93.184.216.34", port=443, how=Failure.TIMEOUT)
        for layer in layers
    )
    return Differing(id, risk, accused)


async def follow(
    path: Path, found: Sequence[Differing], line: FakeLine | None = None, **settings: Any
) -> tuple[SecondPass, list[str]]:
    notes: list[str] = []
    max_risk = settings.pop("max_risk", None)
    forger = settings.pop("forger", False)
    with Store(path, write=True) as store:
        if not store.runs():
            store.begin_run(Run(id="r", started_at=1.0), [])
            store.append([
                Measurement(
                    id=d.id, run_id="r", nettest="web_connectivity", nettest_version="1",
                    url=f"https://{d.id}.by/",
                )
                for d in found
            ])

        async def send(measurement: Measurement) -> None:
            store.append([measurement])

        second = SecondPass(
            store, "r", Config(ladder=Ladder(**settings), max_risk=max_risk), send=send,
            note=notes.append, began=lambda count, seconds: notes.append(f"{count} things"),
        )  # fmt: skip
        await second.run(
            found, cast(Line, line or FakeLine()), cast(Tools, None), cast(ControlClient, None),
            cast(AddressBook, None), forger=forger,
        )  # fmt: skip
    return second, notes


async def test_all_that_differs_is_followed_up_the_first_of_each_target_first(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    found = [differing("a", "dns", "tls"), differing("b", "tcp"), differing("c")]
    second, notes = await follow(tmp_path / "z.db", found, concurrency=1)
    assert [("a", "dns"), ("b", "tcp"), ("a", "tls")] == second_pass_climbed
    assert ["3 things"] == notes
    assert 0 == second.left


async def test_nothing_differs_and_nothing_is_said(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    _, notes = await follow(tmp_path / "z.db", [differing("a")])
    assert ([], []) == (second_pass_climbed, notes)


async def test_what_is_riskier_than_the_volunteer_goes_is_left_alone(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    found = [differing(risk[0], "tls", risk=risk) for risk in ("low", "medium", "high")]
    _, notes = await follow(tmp_path / "z.db", found)
    assert {"l", "m"} == {id for id, _ in second_pass_climbed}
    assert any("1 that differ" in note and "high risk" in note for note in notes)
    second_pass_climbed.clear()
    await follow(tmp_path / "y.db", found, max_risk="low")
    assert {"l"} == {id for id, _ in second_pass_climbed}
    second_pass_climbed.clear()
    await follow(tmp_path / "x.db", found, max_risk="high")
    assert {"l", "m", "h"} == {id for id, _ in second_pass_climbed}


async def test_a_run_has_a_budget_of_targets(tmp_path: Path, autojump_clock: MockClock) -> None:
    found = [differing(f"t{n}", "tls") for n in range(5)]
    _, notes = await follow(tmp_path / "z.db", found, run_targets=2)
    assert 2 == len(second_pass_climbed)
    assert any(note.startswith("3 more differ") for note in notes)


async def test_a_budget_of_time_leaves_the_rest_and_a_second_run_goes_on_with_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    found = [differing(f"t{n}", "tls") for n in range(5)]
    second, notes = await follow(tmp_path / "z.db", found, run_seconds=2.5, concurrency=1)
    assert 2 == second.left
    assert any("2 are left" in note for note in notes)
    done = set(second_pass_climbed)
    assert 3 == len(done)  # the third was cut short, and what it saw is stored
    second_pass_climbed.clear()
    second, _ = await follow(tmp_path / "z.db", found)
    assert 0 == second.left
    assert 2 == len(second_pass_climbed)
    assert not done & set(second_pass_climbed)


async def test_what_a_lost_line_has_spoiled_is_followed_up_once_more_and_once_only(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    line = FakeLine(lost_until=1e9)
    await follow(tmp_path / "z.db", [differing("a", "tls")], line)
    assert [("a", "tls")] * 2 == second_pass_climbed
    with Store(tmp_path / "z.db") as store:
        assert 2 == len(store.follow_ups("a"))


async def test_while_nothing_abroad_answers_nothing_is_looked_at(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    line = FakeLine()
    line.alive = {"foreign": False}
    second, notes = await follow(tmp_path / "z.db", [differing("a", "tls")], line)
    assert [] == second_pass_climbed
    assert 1 == second.left
    assert any("nothing abroad answers" in note for note in notes)


async def test_where_somebody_signs_for_everybody_certificates_are_not_looked_at_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    found = [differing("a", "certificate", "http"), differing("b", "certificate")]
    await follow(tmp_path / "z.db", found, forger=True)
    assert [("a", "http")] == second_pass_climbed
