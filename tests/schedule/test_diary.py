"""What came of each turn survives power cuts, and does not grow for ever."""

from __future__ import annotations

from pathlib import Path

from probe.schedule import diary
from probe.schedule.diary import Entry, entries, last_turn, note


def test_what_is_noted_is_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    note(folder, "began", at=1.0)
    note(folder, "left out", "no network", at=2.0)
    assert [
        Entry(at=1.0, what="began"), Entry(at=2.0, what="left out", why="no network"),
    ] == entries(folder)  # fmt: skip
    assert 1.0 == last_turn(folder)
    assert 0o600 == (folder / diary.FILE).stat().st_mode & 0o777


def test_half_a_line_costs_only_itself(tmp_path: Path) -> None:
    note(tmp_path, "began", at=1.0)
    with (tmp_path / diary.FILE).open("ab") as file:
        file.write(b'{"at":2.0,"wh')
    note(tmp_path, "began", at=3.0)
    assert [1.0, 3.0] == [entry.at for entry in entries(tmp_path)]


def test_it_is_cut_and_keeps_the_latest(tmp_path: Path) -> None:
    for n in range(2 * diary.KEPT + 5):
        note(tmp_path, "began", at=float(n))
    kept = entries(tmp_path)
    assert len(kept) <= 2 * diary.KEPT
    assert 2 * diary.KEPT + 4 == kept[-1].at
    assert [*range(int(kept[0].at), int(kept[-1].at) + 1)] == [int(e.at) for e in kept]


def test_rubbish_in_its_place_is_no_turn(tmp_path: Path) -> None:
    (tmp_path / diary.FILE).write_bytes(b"\x00\xff\n[]\n" + b"x" * 2_000_000)
    assert [] == entries(tmp_path)
    assert None is last_turn(tmp_path)
