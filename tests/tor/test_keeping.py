"""Bridges that somebody was given: kept so that neither file gives them away."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from probe import places
from probe.config import Tor
from probe.tor.bridges import MAX_BRIDGES, BadBridges, Bridge, parse
from probe.tor.keeping import Keeping, KeepingError
from probe.tor.ways import ways_of
from testlists.target import target_from_url

LINE = "obfs4 93.184.216.77:4443 CDF2E852BF539B82BD10E27E9115A31734E378C2 cert=qUVQ0s iat-mode=1"
VANILLA = "93.184.216.78:9001 0123456789ABCDEF0123456789ABCDEF01234567"


def test_what_was_added_is_there_and_under_the_same_name(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path / "bridges")
    first = keeping.add(f"Bridge {LINE}", "email")
    second = keeping.add(VANILLA)
    again = Keeping(tmp_path / "bridges").all()
    assert (first, second) == again
    assert ("obfs4", "93.184.216.77", 4443, "email") == (
        again[0].bridge.transport, again[0].bridge.ip, again[0].bridge.port, again[0].channel,
    )
    assert target_from_url(first.url).url == first.url


def test_added_twice_it_is_one_with_the_later_channel(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path / "bridges")
    keeping.add(LINE, "email")
    keeping.add(LINE, "web")
    assert ["web"] == [kept.channel for kept in keeping.all()]


def test_a_removed_bridge_is_gone(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path / "bridges")
    name = keeping.add(LINE).name
    keeping.add(VANILLA)
    assert keeping.remove(name)
    assert not keeping.remove(name)
    assert ["93.184.216.78"] == [kept.bridge.ip for kept in keeping.all()]


def test_another_installation_has_another_name_for_it(tmp_path: Path) -> None:
    one, two = Keeping(tmp_path / "one"), Keeping(tmp_path / "two")
    assert one.add(LINE).name != two.add(LINE).name


def test_the_files_are_for_their_owner_and_say_nothing(tmp_path: Path) -> None:
    Keeping(tmp_path / "bridges").add(LINE)
    files = list(tmp_path.iterdir())
    assert {"bridges", "bridges.key"} == {file.name for file in files}
    for file in files:
        assert 0o600 == stat.S_IMODE(file.stat().st_mode)
        content = file.read_bytes()
        for part in (b"obfs4", b"93.184", b"CDF2E8", bytes.fromhex("CDF2E852BF53"), b"qUVQ0s"):
            assert part not in content


@pytest.mark.parametrize("spoilt", [b"", b"x" * 100, None])
def test_a_file_that_cannot_be_opened_is_told_of_in_one_line(
    spoilt: bytes | None, tmp_path: Path
) -> None:
    keeping = Keeping(tmp_path / "bridges")
    keeping.add(LINE)
    if spoilt is None:
        (tmp_path / "bridges.key").unlink()
    else:
        (tmp_path / "bridges").write_bytes(spoilt)
    with pytest.raises(KeepingError, match="add your bridges again") as told:
        keeping.all()
    assert "\n" not in str(told.value)


def test_without_bridges_no_secret_is_made(tmp_path: Path) -> None:
    assert () == Keeping(tmp_path / "bridges").all()
    assert [] == list(tmp_path.iterdir())


def test_no_more_than_anybody_is_given(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path / "bridges")
    full = [keeping._kept(_numbered(n), "") for n in range(MAX_BRIDGES)]
    keeping._write(full)
    with pytest.raises(BadBridges):
        keeping.add(LINE)
    assert MAX_BRIDGES == len(keeping.all())


def _numbered(number: int) -> Bridge:
    return parse(f"93.184.{number}.1:443")


@pytest.mark.parametrize("line", ["", "junk", "obfs4 1.2.3.4", "1.2.3.4:99999", "x" * 5000])
def test_no_message_repeats_the_line(line: str, tmp_path: Path) -> None:
    with pytest.raises(BadBridges) as told:
        Keeping(tmp_path / "bridges").add(line)
    assert not line or line not in str(told.value)


def test_the_bridges_that_are_kept_are_ways_into_tor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    keeping = Keeping(places.bridges())
    kept = keeping.add(LINE, "email")
    named = tmp_path / "bridges.txt"
    named.write_text(f"{LINE}\n{VANILLA}\n")
    ways = ways_of(Tor(bridges=str(named)))
    assert (kept,) == ways.kept
    assert ["obfs4", "vanilla"] == [bridge.transport for bridge in ways.bridges]
    places.bridges().write_bytes(b"damaged")
    assert () == ways_of(Tor()).kept  # all else can be measured
