"""`zond lists` as a person types it: what is shown, kept, refused, and with which status."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import minisign
import pytest
from click.testing import CliRunner, Result

from probe import places
from probe.cli import zond
from probe.scrubbing.public import _shelf, is_public_list, is_public_target
from testlists import Shelf
from testlists.release import Version, comment, make

HEAD = "url,category_code,category_description,date_added,source,notes,risk,risk_reason\n"
ONE = HEAD + "https://one.example.com/,NEWS,News Media,2027-01-01,own,why,high,opposition\n"
THEIRS = "url,category_code,category_description,date_added,source,notes\n"
KEYS = minisign.KeyPair.generate()


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    _shelf.cache_clear()


def lists(*arguments: object) -> Result:
    return CliRunner().invoke(zond, ["lists", *map(str, arguments)])


def refused(*arguments: object) -> str:
    """The one line that the command ends with."""
    result = lists(*arguments)
    assert result.exit_code in (1, 2), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    return line


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pub"
    path.write_bytes(bytes(KEYS.public_key))
    return path


@pytest.fixture
def released(tmp_path: Path) -> Path:
    archive = make({"by": ONE.encode()}, version := Version(date(2027, 1, 1)))
    path = tmp_path / "lists.zip"
    path.write_bytes(archive)
    signature = KEYS.secret_key.sign(archive, trusted_comment=comment(version))
    path.with_name("lists.zip.minisig").write_bytes(bytes(signature))
    return path


def test_the_lists_are_shown_with_whose_they_are() -> None:
    lists("add", "mine", "https://mine.example.com/")
    shown = [json.loads(line) for line in lists("show", "--json").stdout.splitlines()]
    rows = {row["name"]: row for row in shown}
    assert (156, "came with zond") == (rows["by"]["targets"], rows["by"]["whose"])
    assert (1, "yours; stays here") == (rows["mine"]["medium"], rows["mine"]["whose"])
    assert "by-panel-2026" in lists("show").stdout


def test_a_list_is_shown_up_to_a_risk() -> None:
    every = lists("show", "by", "--json").stdout.splitlines()
    low = lists("show", "by", "--json", "--max-risk", "low").stdout.splitlines()
    assert 156 == len(every) > len(low) > 0
    assert {"low"} == {json.loads(line)["risk"] for line in low}


def test_a_risk_is_shown_with_its_reason() -> None:
    result = lists("show", "by", "--json")
    rows = {(row := json.loads(line))["url"]: row for line in result.stdout.splitlines()}
    assert ("extremist", "official") == (
        rows["https://charter97.org/"]["risk_reason"], rows["https://1xbet.by/"]["risk_reason"],
    )  # fmt: skip
    assert all(row["risk_reason"] for row in rows.values())
    assert "extremist: Declared extremist" in lists("show", "by").stderr
    assert "neutral" not in lists("show", "tor-bridges").stderr


def test_the_carried_lists_are_valid_and_a_bad_one_is_told_line_by_line(tmp_path: Path) -> None:
    assert 0 == lists("validate").exit_code
    bad = tmp_path / "bad.csv"
    bad.write_text(HEAD + "https://example.com,NEWS,News,yesterday,me,x,low,ordinary\n")
    result = lists("validate", bad)
    assert 1 == result.exit_code
    assert 3 == len(result.stdout.splitlines())
    assert f"{bad}, line 2: no path: a bare host ends in a slash" in result.stdout
    told = [json.loads(line) for line in lists("validate", bad, "--json").stdout.splitlines()]
    assert [(str(bad), 2)] * 3 == [(row["list"], row["line"]) for row in told]


def test_what_is_added_is_measured_by_its_name_and_does_not_leave(tmp_path: Path) -> None:
    assert 0 == lists("add", "mine", "https://mine.example.com", "--risk", "high").exit_code
    assert 0 == lists("add", "mine", "https://b.example.com/", "--category", "news").exit_code
    assert 0 == lists("add", "mine", "https://mine.example.com/").exit_code  # and is there already
    found = {t.url: (t.risk, t.category) for t in Shelf(places.lists()).book("mine").targets()[0]}
    assert {
        "https://mine.example.com/": ("high", ""),
        "https://b.example.com/": ("medium", "NEWS"),
    } == found
    assert not is_public_target("https://mine.example.com/") and not is_public_list("mine")
    assert is_public_target("https://charter97.org/") and is_public_list("by")


def test_a_file_is_added_without_the_lines_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("https://a.example.com/\nnonsense\n")
    result = lists("add", "mine", "--file", tmp_path / "some.txt")
    assert 5 == result.exit_code
    assert "line 2: no http:// or https:// URL" in result.stderr
    assert 1 == len(Shelf(places.lists()).book("mine").targets()[0])


def test_nothing_of_an_own_list_is_lost_when_more_is_added(tmp_path: Path) -> None:
    mine = places.lists() / "own" / "mine.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("https://a.example.com/\nsomething written by hand\n")
    assert "mend the list first: line 2" in refused("add", "mine", "https://b.example.com/")
    assert "something written by hand" in mine.read_text()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("add", "mine"), "nothing to add"),
        (("add", "by", "https://a.example.com/"), "there is another list named 'by'"),
        (("add", "../x", "https://a.example.com/"), "is no name of a list"),
        (("add", "mine", "ftp://a.example.com/"), "scheme 'ftp'"),
        (("add", "mine", "https://192.168.1.1/"), "no address on the public Internet"),
        (("add", "mine", "https://a.example.com/", "--category", "X"), "no category 'X'"),
        (("add", "mine", "https://a.example.com/", "--note", "a\\b"), "and no backslash"),
        (("show", "nowhere"), "no list named 'nowhere'; there are: "),
        (("validate", "nowhere"), "nowhere: No such file or directory; lists that there are"),
        (("remove", "by"), "not yours to remove"),
        (("remove", "nowhere"), "no list named 'nowhere'"),
        (("update",), "either the file or URL of a release, or --go-back"),
        (("update", "--go-back"), "no release is in use"),
        (("update", "nowhere.zip"), "nowhere.zip"),
        (("update", "http://lists.example.com/x.zip"), "over https only"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], why: str) -> None:
    assert why in refused(*arguments)


def test_lists_of_citizen_labs_are_kept_apart_with_their_licence(tmp_path: Path) -> None:
    file = tmp_path / "by.csv"
    file.write_text(
        THEIRS
        + "https://charter97.org/,NEWS,News Media,2014-04-15,citizenlab,\n"
        + "https://www.gambling.example.com/,GMB,Gambling,2014-04-15,citizenlab,\n"
        + "broken\n"
        + "https://www.facebook.com/a.friend,NEWS,News Media,2014-04-15,citizenlab,\n"
        + "https://ont.by/,NEWS,News Media,2014-04-15,citizenlab,\n"
        + "https://charter97.org/games,GAME,Gaming,2014-04-15,citizenlab,\n"
    )
    result = lists("import", file)
    assert 5 == result.exit_code and "line 4" in result.stderr
    kept = places.lists() / "citizenlab" / "citizenlab-by.csv"
    assert "CC BY-NC-SA 4.0" in kept.read_text().splitlines()[1]
    found, problems = Shelf(places.lists()).book("citizenlab-by").targets()
    risks = [("high", "NEWS"), ("low", "GMB"), ("high", "NEWS"), ("low", "NEWS"), ("high", "GAME")]
    assert risks == [(t.risk, t.category) for t in found]
    assert [] == problems
    assert 0 == lists("validate", "citizenlab-by").exit_code
    assert not is_public_target("https://www.gambling.example.com/")


@pytest.mark.parametrize("content", [b"", b"https://a.example/\n", HEAD.encode(), b"\xff\x00" * 9])
def test_what_is_no_list_of_theirs_is_not_imported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    assert "x.csv: no list of Citizen Lab's" in refused("import", tmp_path / "x.csv")


def test_a_release_is_taken_its_changes_are_told_and_it_can_be_left(
    released: Path, key: Path
) -> None:
    result = lists("update", released, "--key", key)
    assert 0 == result.exit_code, result.output
    assert "by: 1 new\n  https://one.example.com/ (high risk)\nby: 156 gone" in result.stdout
    assert "a signed release" in lists("show").stdout
    assert "not newer than 2027-01-01" in refused("update", released, "--key", key)
    assert 0 == lists("update", "--go-back").exit_code
    assert "a signed release" not in lists("show").stdout


def test_a_release_that_the_project_did_not_sign_is_refused(released: Path) -> None:
    assert "the signature is not good" in refused("update", released)


def test_a_release_without_its_signature_is_refused(released: Path, key: Path) -> None:
    released.with_name("lists.zip.minisig").unlink()
    assert "lists.zip.minisig" in refused("update", released, "--key", key)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    class Folder(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

        def do_GET(self) -> None:
            if self.path == "/moved.zip":
                self.send_response(302)
                self.send_header("Location", "/lists.zip")
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Folder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_release_is_fetched_from_a_server(released: Path, key: Path, served: str) -> None:
    result = lists("update", f"{served}/lists.zip", "--key", key)
    assert (0, True) == (result.exit_code, "lists of 2027-01-01 are in use" in result.stderr)


@pytest.mark.parametrize("path", ["nowhere.zip", "moved.zip"])
def test_a_server_that_has_no_release_is_one_line(served: str, path: str) -> None:
    assert f"{served}/{path}" in refused("update", f"{served}/{path}")


def test_a_server_is_asked_only_by_the_ways_that_the_user_chose(
    released: Path, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOND_UPLOAD__WAYS", '["proxy"]')
    monkeypatch.setenv("ZOND_UPLOAD__PROXY", "http://127.0.0.1:1/")
    assert "to 127.0.0.1:1 failed" in refused("update", f"{served}/lists.zip")


def test_a_run_finds_a_list_by_its_name() -> None:
    result = CliRunner().invoke(zond, ["run", "--list", "nowhere", "--yes"])
    assert (2, True) == (result.exit_code, "by-panel-2026" in result.stderr)
