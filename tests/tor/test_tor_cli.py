"""`zond tor bridge`, as it is typed and piped to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from probe.commands.choosing import chosen
from probe.commands.tor import tor
from probe.config import Config
from testlists import Shelf

OBFS4 = "obfs4 93.184.216.77:4443 CDF2E852BF539B82BD10E27E9115A31734E378C2 cert=qUVQ0s iat-mode=1"
VANILLA = "93.184.216.78:9001"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


def typed(*words: str, given: str = "") -> Result:
    return CliRunner().invoke(tor, words, input=given)


def test_bridges_are_added_named_and_removed(home: Path) -> None:
    done = typed("bridge", "add", "--channel", "email", given=f"# mine\n{OBFS4}\n\n{VANILLA}\n")
    assert 0 == done.exit_code
    assert "93.184" not in done.output
    listed = [json.loads(line) for line in typed("bridge", "list", "--json").output.splitlines()]
    assert [("obfs4", "email"), ("vanilla", "email")] == [
        (each["transport"], each["channel"]) for each in listed
    ]
    assert 0 == typed("bridge", "remove", listed[0]["name"]).exit_code
    assert ["vanilla"] == [
        line.split()[1] for line in typed("bridge", "list").output.splitlines()
    ]


def test_the_list_of_that_name_is_the_bridges_by_their_names() -> None:
    typed("bridge", "add", given=OBFS4)
    (target,) = chosen(["my-bridges"], [], Config()).targets
    (name, *_) = typed("bridge", "list").output.split()
    assert (f"tor://{name}", "my-bridges", "medium") == (
        target.url, target.list_name, target.risk,
    )


def test_a_line_that_is_none_costs_itself_and_is_not_repeated() -> None:
    done = typed("bridge", "add", given=f"obfs4 secret-host:443\n{VANILLA}\n")
    assert 5 == done.exit_code
    assert "line 1: no bridge line" in done.stderr
    assert "secret-host" not in done.output


@pytest.mark.parametrize("given", ["", "junk\n", "x" * 200_000])
def test_nothing_to_keep_is_a_wrong_argument(given: str, home: Path) -> None:
    done = typed("bridge", "add", given=given)
    assert 2 == done.exit_code
    assert not (home / "zond" / "bridges").exists()


def test_a_bridge_that_is_not_kept_cannot_be_removed() -> None:
    done = typed("bridge", "remove", "bridge-00")
    assert 1 == done.exit_code
    assert 1 == len(done.stderr.splitlines())


@pytest.mark.parametrize("words", [["bridge", "list"], ["bridge", "add"]])
def test_a_damaged_file_is_told_of_in_one_line(words: list[str], home: Path) -> None:
    typed("bridge", "add", given=OBFS4)
    (home / "zond" / "bridges").write_bytes(b"damaged")
    done = typed(*words, given=VANILLA)
    assert 1 == done.exit_code
    assert 1 == len(done.stderr.splitlines())
    assert "add your bridges again" in done.stderr


def test_a_bridge_that_is_kept_is_not_measured_where_controls_are_told(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("bridge", "add", given=OBFS4)
    listed = home / "mine.csv"
    listed.write_text("tor://93.184.216.77:4443\ntor://93.184.216.77:9001\n")
    choice = chosen([str(listed)], ["tor://93.184.216.77:4443"], Config())
    assert ["tor://93.184.216.77:9001"] == [target.url for target in choice.targets]
    assert [("--url", 0), ("mine", 0)] == [row[:2] for row in choice.refused]
    assert not any("93.184" in reason for _, _, reason in choice.refused)
    assert "93.184" not in capsys.readouterr().err


def test_a_bridge_that_everybody_knows_is_no_secret(home: Path) -> None:
    (public, *_) = Shelf().book("tor-bridges").targets()[0]
    typed("bridge", "add", given=f"obfs4 {public.hostname}:{public.port}")
    assert public.url in {t.url for t in chosen(["tor-bridges"], [], Config()).targets}
