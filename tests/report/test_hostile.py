"""What strangers wrote cannot run, load, lead away or disguise itself: each door alone, and all."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from analysis.report.inert import MAX_TEXT, _page, plain
from probe.evidence import HTTPExchange
from tests.report.browser import Seen, opened, unfold
from tests.report.databases import BREAKOUTS, HUGE, PAGE_OF_TRAPS, TURNED

LIVE = "[href], [src], [action], form, input, link, base, svg, math, object, embed, iframe, script"


def _harmless(page: Page, seen: Seen, path: Path) -> None:
    unfold(page)
    page.wait_for_timeout(300)
    assert page.evaluate("window.owned") is None
    assert all(frame.evaluate("window.owned") is None for frame in page.frames[1:])
    assert "owned" != page.title()
    assert [] == seen.beyond(page, path)
    assert [] == seen.dialogs


def test_the_report_of_hostile_measurements_is_harmless(
    browser: Browser, hostile_page: Path
) -> None:
    with opened(browser, hostile_page) as (page, seen):
        _harmless(page, seen, hostile_page)
        # Not even the policy had anything to refuse.
        assert [] == seen.console


def test_escaping_alone_holds(browser: Browser, hostile_page: Path) -> None:
    """The same without the page's policy."""
    with opened(browser, hostile_page, bypass_csp=True) as (page, seen):
        _harmless(page, seen, hostile_page)
    text = hostile_page.read_text("utf-8")
    assert 1 == text.count("<script>") == text.count("</script>")
    assert not re.search(r'(href|src|action)="(?!#|https://)', text)
    assert not re.search(r"<[^>]*\son[a-z]+=", re.sub(r'srcdoc="[^"]*"', "", text))


def test_the_policy_alone_holds(browser: Browser, hostile_page: Path, tmp_path: Path) -> None:
    """Raw traps within a page of ours: nothing runs, nothing is fetched."""
    text = hostile_page.read_text("utf-8")
    traps = re.sub(r"<meta http-equiv=.refresh[^>]*>", "", PAGE_OF_TRAPS)  # which no policy stops
    raw = tmp_path / "raw.html"
    raw.write_text(text.replace("</main>", f"{traps}</main>"), "utf-8")
    with opened(browser, raw) as (page, seen):
        page.wait_for_timeout(300)
        assert page.evaluate("window.owned") is None
        assert [] == seen.beyond(page, raw)
        assert seen.refused
        assert any("Content Security Policy" in said for said in seen.console)


def test_the_frame_alone_holds(browser: Browser, tmp_path: Path) -> None:
    """The rebuilt page in a frame without sandbox, in a page without policy."""
    made = _page(HTTPExchange(ip="192.0.2.1", port=80), PAGE_OF_TRAPS.encode())
    path = tmp_path / "frame.html"
    path.write_text(f'<iframe srcdoc="{html.escape(made.frame)}">', "utf-8")
    with opened(browser, path, bypass_csp=True) as (page, seen):
        page.wait_for_timeout(300)
        assert [] == seen.beyond(page, path)
        assert page.evaluate("window.owned") is None
        frame = page.frames[1]
        assert 0 == frame.evaluate("(live) => document.querySelectorAll(live).length", LIVE)
        assert "Access restricted" == frame.evaluate("document.querySelector('h1').textContent")


def test_no_measured_address_is_a_link(browser: Browser, hostile_page: Path) -> None:
    with opened(browser, hostile_page) as (page, _seen):
        targets = "(all) => all.map((a) => a.getAttribute('href'))"
        links = page.eval_on_selector_all("a[href]", targets)
    assert [] == [to for to in links if not to.startswith("#")]


@pytest.mark.parametrize("text", [BREAKOUTS, TURNED, HUGE, "\ud800"])
def test_plain_text_is_bounded_and_turns_nothing(text: str) -> None:
    said = plain(text)
    assert len(said) <= MAX_TEXT + 1
    assert not re.search("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\x00-\x09\x0b-\x1f\ud800]", said)


def test_spaces_between_numbers_are_text() -> None:
    assert "12\u00a0130 99\u202f%" == plain("12\u00a0130 99\u202f%")


def test_marks_are_not_heaped() -> None:
    assert "a" + "\u0301" * 3 + "b" == plain("a" + "\u0301" * 50 + "b")
