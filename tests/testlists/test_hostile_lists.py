"""Whatever bytes a list, a release or an import is made of: a line of reason, and nothing more."""

from __future__ import annotations

import io
import zipfile
from datetime import date

import minisign
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testlists import CATEGORIES, RISKS, Shelf, builtin_names, parse
from testlists.citizenlab import NotCitizenLab, converted, known_reasons
from testlists.lint import CITIZEN_LAB, OURS, lint
from testlists.own import NotAdded, grown
from testlists.release import VERSION_FILE, BadRelease, Version, comment, opened

TODAY = date(2026, 11, 22)
KEYS = minisign.KeyPair.generate()
PUBLIC = bytes(KEYS.public_key).decode()
KNOWN = known_reasons(Shelf().book(name).content for name in builtin_names())
PIECES = st.sampled_from((
    *("https://example.com/", "http://", "tor://192.99.11.54:9001", "[", "@", "é", "💩", "\ufeff"),
    *(",", '"', "\n", "\r", "\t", "\\", "#", "\x00", "\u2028", "\ud800", "2026-11-22", "9999-99-9"),
    *CATEGORIES, *CATEGORIES.values(), *RISKS, "=cmd|' /C calc'!A0",
))  # fmt: skip
LINES = st.lists(PIECES | st.text(max_size=3), max_size=30).map(",".join)


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@given(st.binary(max_size=300) | LINES.map(encoded))
def test_no_list_stops_the_checker(content: bytes) -> None:
    for heading in (b"", ",".join(OURS).encode() + b"\n"):
        for problem in lint(heading + content, "by-panel-2026", today=TODAY):
            assert problem.reason.isprintable()


@given(st.lists(LINES, max_size=6).map("\n".join))
def test_what_is_imported_is_a_list_whatever_was_in_the_file(lines: str) -> None:
    content = encoded(",".join(CITIZEN_LAB) + "\n" + lines)
    try:
        kept, problems = converted(content, "by\n# evil.csv", KNOWN, TODAY)
    except NotCitizenLab:
        return
    found, left = parse(kept, "citizenlab-by")
    assert found and not left
    assert [t.url for t in found] == [t.url for t in parse(content, "x")[0]]
    assert all(problem.reason for problem in problems)
    assert kept.startswith(b"# Test list of Citizen Lab") and b"\n# evil" not in kept


@given(st.lists(st.text(max_size=20) | PIECES, max_size=3), LINES.map(encoded), st.text(max_size=9))
def test_what_grows_is_a_list_that_can_grow_again(
    urls: list[str], taken: bytes, note: str
) -> None:
    try:
        content, added, _ = grown(b"", urls, taken, TODAY, note=note)
    except NotAdded:
        return
    found, left = parse(content, "mine")
    assert (added, []) == (len(found), left)
    assert (content, 0) == grown(content, [t.url for t in found], b"", TODAY)[:2]


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_release_is_taken_from_noise(archive: bytes, signature: bytes) -> None:
    with pytest.raises(BadRelease):
        opened(archive, signature, PUBLIC)


NAMES = st.text(min_size=1, max_size=12) | st.just(VERSION_FILE) | st.just("by.csv")


@given(st.dictionaries(NAMES, st.binary(max_size=40) | st.just(b"2026-11-22")))
def test_what_is_signed_may_hold_anything(files: dict[str, bytes]) -> None:
    buffer = io.BytesIO()
    try:
        with zipfile.ZipFile(buffer, "w") as made:
            for name, content in files.items():
                made.writestr(name, content)
    except (ValueError, IndexError):
        return  # not even an archive's names
    archive = buffer.getvalue()
    told = comment(Version(TODAY))
    signature = bytes(KEYS.secret_key.sign(archive, trusted_comment=told))
    try:
        release = opened(archive, signature, PUBLIC)
    except BadRelease as exc:
        assert len(str(exc).splitlines()) == 1
    else:
        assert Version(TODAY) == release.version and release.lists


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(VERSION_FILE, str(TODAY))
        for n in range(20):
            made.writestr(f"list{n}.csv", bytes(4 * 2**20))
    archive = buffer.getvalue()
    assert len(archive) < 100_000
    signature = bytes(KEYS.secret_key.sign(archive, trusted_comment=comment(Version(TODAY))))
    with pytest.raises(BadRelease, match="more lists than a release has"):
        opened(archive, signature, PUBLIC)
