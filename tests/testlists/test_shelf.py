"""Where lists are kept: releases are whole, newer and signed, or they are not there."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import minisign
import pytest

from testlists import Shelf
from testlists.release import (
    MAX_RELEASE,
    BadRelease,
    Version,
    comment,
    make,
    opened,
)
from testlists.shelf import ShelfError, carried_key, carried_version

NEXT, AFTER = Version(date(2027, 1, 1)), Version(date(2027, 1, 1), 1)
HEAD = "url,category_code,category_description,date_added,source,notes,risk,risk_reason\n"
ONE = (HEAD + "https://one.example.com/,NEWS,News Media,2027-01-01,own,why,low,ordinary\n").encode()
MINE = b"https://mine.example.com/\n"
KEYS = minisign.KeyPair.generate()
PUBLIC = bytes(KEYS.public_key).decode()


def signed(archive: bytes, version: Version, keys: minisign.KeyPair = KEYS) -> bytes:
    return bytes(keys.secret_key.sign(archive, trusted_comment=comment(version)))


def release(
    version: Version = NEXT, lists: Mapping[str, bytes] | None = None
) -> tuple[bytes, bytes, str]:
    archive = make(lists or {"by": ONE, "sequel": ONE}, version)
    return archive, signed(archive, version), PUBLIC


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "lists")


def again(shelf: Shelf) -> Shelf:
    """As another process finds it."""
    return Shelf(shelf._directory)


def test_a_release_takes_the_place_of_the_carried_lists_that_it_has(shelf: Shelf) -> None:
    before = shelf.book("global")
    shelf.install(*release())
    for seen in (shelf, again(shelf)):
        book = seen.book("by")
        assert ("release", NEXT, ONE) == (book.kind, book.version, book.content)
        assert before == seen.book("global")
        assert "release" == seen.book("sequel").kind
        assert seen.is_public_name("sequel")
        assert {"https://one.example.com/", "https://charter97.org/"} <= seen.public_urls


def test_a_release_that_is_not_newer_is_refused(shelf: Shelf) -> None:
    shelf.install(*release(AFTER))
    for version in (AFTER, NEXT, carried_version(), Version(date(2020, 1, 1))):
        with pytest.raises(BadRelease, match=r"is not newer than 2027-01-01\.1"):
            again(shelf).install(*release(version))


def test_a_release_older_than_what_zond_carries_is_passed_over(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.install(*release(NEXT))
    monkeypatch.setattr("testlists.shelf.carried_version", lambda: AFTER)
    assert ("carried", AFTER) == (again(shelf).book("by").kind, again(shelf).version)


def test_the_release_before_is_kept_and_one_can_go_back_to_it(shelf: Shelf) -> None:
    later = Version(date(2027, 2, 1))
    for version in (NEXT, AFTER, later):
        shelf.install(*release(version))
    assert AFTER == shelf.go_back() == again(shelf).version
    assert carried_version() == shelf.go_back()
    with pytest.raises(ShelfError, match="the lists that zond carries"):
        shelf.go_back()


@pytest.mark.parametrize("file", ["lists.zip", "lists.zip.minisig", "key.pub"])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_release_is_as_if_it_were_not_there(
    shelf: Shelf, file: str, damage: str
) -> None:
    shelf.install(*release())
    assert shelf._directory is not None
    path = shelf._directory / "releases" / str(NEXT) / file
    content = path.read_bytes()
    flipped = bytes([*content[:90], content[90] ^ 1, *content[91:]])
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(flipped if damage == "changed" else content[: len(content) // 2])
    assert ("carried", carried_version()) == (again(shelf).book("by").kind, again(shelf).version)
    again(shelf).install(*release())  # and it can be mended
    assert "release" == again(shelf).book("by").kind


def test_only_who_holds_the_key_makes_a_release(shelf: Shelf) -> None:
    archive, signature, _ = release()
    stranger = minisign.KeyPair.generate()
    for bad_archive, bad_signature, key, why in (
        (archive, signed(archive, NEXT, stranger), PUBLIC, "incompatible key"),
        (archive, signature, carried_key(), "incompatible key"),
        (archive + b" ", signature, PUBLIC, "verification failed"),
        (archive, b"", PUBLIC, "signature is not good"),
        (archive, b"\xff" * 400, PUBLIC, "signature is not good"),
        (archive, signature, "nonsense", "not a public key"),
        (archive, signed(archive, AFTER), PUBLIC, "signed as 'zond lists 2027-01-01.1'"),
        (b" " * (MAX_RELEASE + 1), signature, PUBLIC, "larger than"),
    ):
        with pytest.raises(BadRelease, match=why):
            shelf.install(bad_archive, bad_signature, key)
    assert "carried" == shelf.book("by").kind


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("archive", "why"),
    [
        (b"no archive", "not an archive"),
        (zipped({"by.csv": ONE}), "no version: ''"),
        (zipped({"VERSION": b"soon", "by.csv": ONE}), "no version: 'soon'"),
        (zipped({"VERSION": b"2027-02-30", "by.csv": ONE}), "no version"),
        (zipped({"VERSION": b"2027-01-01"}), "no list in it"),
        (zipped({"VERSION": b"2027-01-01", "../by.csv": ONE}), "not a list: '../by.csv'"),
        (zipped({"VERSION": b"2027-01-01", "by.sh": ONE}), "not a list: 'by.sh'"),
        (zipped({"VERSION": b"2027-01-01", "by.csv": b" " * MAX_RELEASE}), "more lists than"),
        (zipped({f"a{n}.csv": b"" for n in range(300)}), "more lists than"),
    ],
)
def test_what_is_signed_and_no_release_is_refused_too(archive: bytes, why: str) -> None:
    with pytest.raises(BadRelease, match=why):
        opened(archive, signed(archive, NEXT), PUBLIC)


def test_a_release_is_the_same_bytes_from_the_same_lists() -> None:
    assert make({"a": b"1", "b": b"2"}, NEXT) == make({"b": b"2", "a": b"1"}, NEXT)


def test_versions_are_ordered_by_day_and_number() -> None:
    texts = ["2026-11-22", "2026-11-22.1", "2026-11-22.2", "2026-11-22.10", "2026-12-01"]
    assert texts == [str(v) for v in sorted(map(Version.parse, reversed(texts)))]


def test_the_tool_that_everybody_has_agrees_with_us(tmp_path: Path) -> None:
    """minisign signs, we verify; anybody can check a release without zond."""
    archive, public = tmp_path / "lists.zip", tmp_path / "pub"
    archive.write_bytes(make({"by": ONE}, NEXT))
    tool = ["minisign", "-s", str(tmp_path / "secret")]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    for step in (
        [*tool, "-G", "-W", "-p", str(public)],
        [*tool, "-S", "-m", str(archive), "-t", comment(NEXT)],
    ):
        subprocess.run(step, check=True, capture_output=True, env=environment)
    signature = archive.with_name("lists.zip.minisig").read_bytes()
    release = opened(archive.read_bytes(), signature, public.read_text())
    assert (NEXT, {"by": ONE}) == (release.version, dict(release.lists))


def test_an_own_list_is_found_by_its_name_and_is_not_public(shelf: Shelf) -> None:
    path = shelf.keep("own", "mine", MINE)
    assert 0o600 == path.stat().st_mode & 0o777
    book = again(shelf).book("mine")
    assert ("own", False) == (book.kind, book.public)
    assert ["mine"] == [t.list_name for t in book.targets()[0]]
    assert not again(shelf).is_public_name("mine")
    assert "https://mine.example.com/" not in again(shelf).public_urls


def test_an_own_list_takes_no_name_of_another(shelf: Shelf) -> None:
    shelf.keep("citizenlab", "citizenlab-by", ONE)
    for name in ("by", "citizenlab-by", "../by", "By", "", "a b", "x" * 60):
        with pytest.raises(ShelfError):
            shelf.keep("own", name, MINE)


def test_a_release_takes_no_name_from_an_own_list(shelf: Shelf) -> None:
    shelf.keep("own", "sequel", MINE)
    with pytest.raises(BadRelease, match="a list 'sequel', and so have you"):
        shelf.install(*release())
    assert MINE == again(shelf).book("sequel").content


def test_a_release_that_edits_a_panel_is_refused(shelf: Shelf) -> None:
    with pytest.raises(BadRelease, match="by-panel-2026 is a panel, and never changes"):
        shelf.install(*release(lists={"by-panel-2026": ONE}))
    panel = Shelf().book("by-panel-2026").content
    assert "by-panel-2026" in shelf.install(*release(lists={"by-panel-2026": panel})).lists


def test_only_the_users_lists_can_be_removed(shelf: Shelf) -> None:
    shelf.keep("own", "mine", MINE)
    shelf.remove("mine")
    assert "mine" not in again(shelf).names()
    with pytest.raises(ShelfError, match="not yours to remove"):
        shelf.remove("by")
    with pytest.raises(KeyError, match="no list named 'mine'"):
        shelf.remove("mine")


def test_without_a_directory_there_are_the_carried_lists() -> None:
    assert "by" in Shelf().names()
    with pytest.raises(ShelfError):
        Shelf().keep("own", "mine", MINE)
