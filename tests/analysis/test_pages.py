from __future__ import annotations

from analysis.observe.pages import likeness
from probe.evidence import HTTPExchange
from probe.wire.page import sketch


def page(body: bytes, *, truncated: bool = False) -> HTTPExchange:
    return HTTPExchange(
        ip="93.184.216.34", port=80, status=200, body_length=len(body), body_truncated=truncated,
        body_sha256=f"{hash(body):x}", sketch=sketch(body),
    )  # fmt: skip


def test_a_page_without_end_or_words_is_no_other_page_where_it_was_cut() -> None:
    short, long = page(b"a" * 9_000, truncated=True), page(b"a" * 50_000, truncated=True)
    assert "unknown" == likeness(short, long)


def test_pages_that_came_whole_or_have_words_differ() -> None:
    assert "differs" == likeness(page(b"a" * 9_000), page(b"b" * 50_000))
    words = [b" ".join(b"%s%d" % (w, i) for i in range(500)) for w in (b"a", b"b")]
    assert "differs" == likeness(*(page(body, truncated=True) for body in words))
