"""Lists: what is read, what is refused, and that a bad line costs only itself."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import testlists
from testlists import RISKS, Problem, Target, parse
from testlists.parsing import MAX_BYTES
from testlists.url import SERVICES

HEADING = "url,category_code,category_description,date_added,source,notes,risk\n"


def record(url: str, category: str = "NEWS", risk: str = "high") -> str:
    return f'{url},{category},News Media,2026-11-22,me,"a note, with a comma",{risk}\n'


def problems_of(content: str | bytes) -> list[Problem]:
    return parse(content, "x")[1]


def test_a_record_becomes_a_target_with_all_that_the_list_says() -> None:
    expected = Target(
        url="https://example.com/",
        category="NEWS",
        risk="high",
        list_name="by",
        date_added="2026-11-22",
        source="me",
        notes="a note, with a comma",
    )
    assert ([expected], []) == parse(HEADING + record("https://example.com/"), "by")


def test_citizen_labs_columns_without_ours_are_of_medium_risk() -> None:
    content = (
        "url,category_code,category_description,date_added,source,notes\n"
        "https://example.com/,NEWS,News Media,2014-04-15,citizenlab,\n"
    )
    targets, problems = parse(content, "x")
    assert (["medium"], []) == ([t.risk for t in targets], problems)


def test_columns_may_come_in_another_order_and_with_strangers_among_them() -> None:
    targets, problems = parse("note,URL,Category_Code\nhm,https://example.com/,news\n", "x")
    assert ([("https://example.com/", "NEWS")], []) == (
        [(t.url, t.category) for t in targets],
        problems,
    )


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_byte_order_mark_and_line_ends_make_no_difference(mark: bytes, end: str) -> None:
    content = (HEADING + record("https://example.com/")).replace("\n", end)
    targets, problems = parse(mark + content.encode(), "x")
    assert (["https://example.com/"], []) == ([t.url for t in targets], problems)


def test_a_plain_list_may_hold_comments_and_empty_lines() -> None:
    content = "# mine\n\nhttps://example.com/  # why not\n  http://example.org/x#top\n"
    targets, problems = parse(content, "x")
    assert (["https://example.com/", "http://example.org/x"], []) == (
        [t.url for t in targets],
        problems,
    )


def test_records_without_a_heading_are_not_taken_for_urls_with_commas() -> None:
    found = problems_of("https://example.com/,NEWS,News,2014-04-15,me,\n")
    assert [Problem(1, "columns, but the list has no heading that names them")] == found


def test_streams_of_text_and_of_bytes_are_read() -> None:
    assert parse("https://example.com/", "x") == parse(io.StringIO("https://example.com/"), "x")
    assert parse("https://example.com/", "x") == parse(io.BytesIO(b"https://example.com/"), "x")


def test_a_list_that_is_too_large_is_refused_as_a_whole() -> None:
    assert ([], [0]) == (
        parse(b"#" * (MAX_BYTES + 1), "x")[0],
        [p.line for p in problems_of(b"#" * (MAX_BYTES + 1))],
    )


BAD_LINES = {
    "https://example.org/,NEWS": "2 columns where the heading has 7",
    record("https://example.org/", category="NOPE"): "unknown category 'NOPE'",
    record("https://example.org/", risk="deadly"): (
        "unknown risk 'deadly'; it is one of low, medium, high"
    ),
    record("https://"): "no host in the URL",
    record("ftp://example.org/"): (
        "scheme 'ftp'; measured are http, https, and " + ", ".join(sorted(SERVICES))
    ),
    record("example.org"): "no scheme; write https://example.org/",
    record("https://192.168.1.1/"): "192.168.1.1 is no address on the public Internet",
    record("https://example.com:443"): "https://example.com/ is already on line 2",
    record("https://example.org/\x1b[2J"): "control characters in the line",
    'https://example.org/,"NEWS,a,b,c,d,e': "broken CSV: unexpected end of data",
    record("https://example.org/" + "a" * 20_000): "line of 20078 characters; at most 16384",
}


@pytest.mark.parametrize(("bad", "reason"), BAD_LINES.items(), ids=BAD_LINES.values())
def test_a_bad_line_is_one_problem_and_the_rest_is_read(bad: str, reason: str) -> None:
    content = (
        HEADING
        + record("https://example.com/")
        + bad.rstrip("\n")
        + "\n"
        + record("https://last.example.net/")
    )
    targets, problems = parse(content, "x")
    assert [Problem(3, reason)] == problems
    assert ["https://example.com/", "https://last.example.net/"] == [t.url for t in targets]


def test_a_line_that_is_not_utf8_is_a_problem_of_its_own() -> None:
    content = b"https://example.com/\nhttps://\xff\xfe.example/\nhttps://example.org/\n"
    targets, problems = parse(content, "x")
    assert [Problem(2, "not UTF-8")] == problems
    assert 2 == len(targets)


def test_a_problem_names_its_line_for_people() -> None:
    assert "line 3: no host in the URL" == str(Problem(3, "no host in the URL"))
    assert "too large" == str(Problem(0, "too large"))


def check_sane(content: str | bytes) -> None:
    targets, problems = parse(content, "x")
    urls = [t.url for t in targets]
    assert len(urls) == len(set(urls))
    for target in targets:
        assert target.url.isascii()
        assert target.url.startswith(("http://", "https://"))
        assert target.hostname
        assert target.risk in RISKS
        assert not set(target.notes + target.source) & set("\x00\n\r\x1b")
    assert all(problem.reason for problem in problems)


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=400))
def test_no_bytes_raise_an_exception(content: bytes) -> None:
    check_sane(content)
    check_sane(HEADING.encode() + content)


PIECES = st.sampled_from(
    (
        *("url,risk\n", "url", ",", '"', "\n", "\r", "#", " ", "NEWS", "high", "\ufeff", "\x00"),
        *("http://", "https://", "[", "]", "::1", "@", ":", "443", "/", "\\", "%", "?", "-", "."),
        *("127.1", "0x7f.1", "a.b", "xn--", "бел", "💩", "ß", "\uff11", "\u3002", "\u2100"),
        *("\u202e", "\ud800"),
    )
)


@settings(deadline=None)
@given(st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_no_combination_of_pieces_raises_an_exception(content: str) -> None:
    check_sane(content)
    check_sane(HEADING + content)


def test_a_file_is_named_after_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(b"\xef\xbb\xbfhttps://example.com/\n")
    targets, problems = testlists.load(path)
    assert (["mine"], []) == ([t.list_name for t in targets], problems)
