"""Power, metered lines and the wait for a network, as a system's files and programs tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.consent import networks
from probe.schedule import surroundings
from probe.schedule.surroundings import Power, power, wait_for_network


def supply(folder: Path, name: str, **files: str) -> None:
    (folder / name).mkdir()
    for file, text in files.items():
        (folder / name / file).write_text(f"{text}\n")


BATTERY = {"type": "Battery", "status": "Discharging", "capacity": "12"}


def test_a_laptop_on_a_nearly_empty_battery(tmp_path: Path) -> None:
    supply(tmp_path, "AC", type="Mains", online="0")
    supply(tmp_path, "BAT0", **BATTERY)
    assert power(tmp_path) == Power("yes", 12)
    assert power(tmp_path).low(30) and not power(tmp_path).low(10)


def test_a_laptop_that_is_plugged_in(tmp_path: Path) -> None:
    supply(tmp_path, "AC", type="Mains", online="1")
    supply(tmp_path, "BAT0", type="Battery", status="Charging", capacity="3")
    assert power(tmp_path) == Power("no", 3)
    assert not power(tmp_path).low(30)


def test_the_fuller_of_two_batteries_counts(tmp_path: Path) -> None:
    supply(tmp_path, "BAT0", **BATTERY)
    supply(tmp_path, "BAT1", type="Battery", status="Unknown", capacity="80")
    assert power(tmp_path) == Power("yes", 80)


def test_a_mouse_is_not_the_machine(tmp_path: Path) -> None:
    supply(tmp_path, "hid-mouse", scope="Device", **BATTERY)
    assert power(tmp_path) == Power("unknown")


def test_a_board_that_tells_nothing_is_unknown_and_never_low(tmp_path: Path) -> None:
    assert power(tmp_path) == power(tmp_path / "missing") == Power("unknown")
    assert not Power("unknown").low(100)
    supply(tmp_path, "rpi", type="Battery", status="Unknown", capacity="what")
    assert power(tmp_path) == Power("unknown", None)


@pytest.mark.parametrize(
    ("said", "answer"),
    [("u 1", "yes"), ("u 3", "yes"), ("u 2", "no"), ("u 4", "no"), ("u 0", "unknown"),
     ("", "unknown"), ("nonsense", "unknown")],
)  # fmt: skip
def test_networkmanager_is_asked_and_not_started(
    said: str, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "busctl"
    program.write_text(f'#!/bin/sh\ncase "$*" in *--auto-start=no*Metered) echo "{said}";; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(surroundings, "_ASKING", 60.0)
    assert answer == surroundings._networkmanager()


def test_without_networkmanager_it_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "unknown" == surroundings._networkmanager()


def test_a_network_that_comes_up_is_waited_for_and_one_that_does_not_is_given_up() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def comes() -> str:
        return "" if now[0] >= 30 else "no network"

    assert "" == wait_for_network(120, comes, sleep=sleep, clock=lambda: now[0])
    assert 30 <= now[0] < 33
    now[0] = 0.0
    never = wait_for_network(120, lambda: "no network", sleep=sleep, clock=lambda: now[0])
    assert "no network" == never
    assert 120 <= now[0] < 123


@pytest.mark.parametrize(
    ("doubt", "anywhere", "said"),
    [
        ("", False, ""),
        ("no_route", True, "no network"),
        ("router_unknown", True, ""),
        ("router_unknown", False, "the router has not been heard of yet"),
        ("no_router", False, ""),  # the run itself says whether that was agreed to
    ],
)
def test_what_is_lacking_of_a_network(
    doubt: networks.Doubt, anywhere: bool, said: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    networks.Networks(tmp_path).allow_anywhere(anywhere)
    monkeypatch.setattr(networks, "here", lambda: networks.Here((), doubt))
    lacks = surroundings.lacking(tmp_path)
    assert lacks.startswith(said) and bool(lacks) == bool(said)
