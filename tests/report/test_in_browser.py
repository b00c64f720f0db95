"""The report as a reader has it: in Chromium, from disk, without any network."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from analysis.report.gather import Facts
from tests.report.browser import opened, unfold, violations
from tests.report.making import written

PHONE = {"width": 360, "height": 740}


@pytest.fixture(params=["history_page", "run_page"])
def page_file(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


def test_nothing_is_asked_for_and_nothing_goes_wrong(browser: Browser, page_file: Path) -> None:
    with opened(browser, page_file) as (page, seen):
        unfold(page)
        page.wait_for_timeout(200)
        assert [] == seen.console
        assert [] == seen.beyond(page, page_file)


def test_nobody_is_shut_out(browser: Browser, page_file: Path) -> None:
    with opened(browser, page_file) as (page, _seen):
        unfold(page)
        assert [] == violations(page)


def test_a_telephone_need_not_scroll_sideways(browser: Browser, page_file: Path) -> None:
    with opened(browser, page_file, viewport=PHONE) as (page, _seen):
        unfold(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("language", ["be", "ru"])
def test_no_language_is_too_wide(
    browser: Browser, run_facts: Facts, tmp_path: Path, language: str
) -> None:
    out = written(run_facts, tmp_path / "report.html", language=language)
    with opened(browser, out, viewport=PHONE) as (page, _seen):
        unfold(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert "\N{REPLACEMENT CHARACTER}" not in page.inner_text("main")


def test_it_says_the_same_without_a_script(browser: Browser, run_page: Path) -> None:
    with opened(browser, run_page, java_script_enabled=False) as (page, seen):
        text = page.inner_text("main")
        assert "3 of 8 sites are blocked on Beltelecom (AS6697)." in text
        assert "the encrypted connection is cut when the site is named" in text
        assert not page.locator(".tools").is_visible()
        site = page.locator("details.site", has_text="reset.example")
        site.locator("summary").first.click()
        for part in ("The evidence", "what was seen", "from here"):
            site.locator("summary", has_text=part).first.click()
        assert "TLS with 93.184.215.14:443 for reset.example" in site.inner_text()
        assert [] == seen.console


def test_states_look_different_without_colour(browser: Browser, run_page: Path) -> None:
    with opened(browser, run_page) as (page, _seen):
        signs = page.eval_on_selector_all(
            "#matrix td.state", "(all) => all.map((td) => [td.className, td.innerText.trim()])"
        )
    by_state = {tuple(sign.split(maxsplit=1)) for _name, sign in signs}
    assert {
        ("✕", "blocked"), ("◐", "partly blocked"), ("✓", "open"), ("↓", "down for everybody"),
        ("⊘", "refused by the site"), ("?", "not decided"), ("–", "not measured"),
    } == by_state  # fmt: skip


def test_the_table_is_filtered_and_sorted_by_keyboard(browser: Browser, run_page: Path) -> None:
    shown = "(all) => all.filter((r) => !r.hidden).map((r) => r.cells[0].innerText)"
    with opened(browser, run_page) as (page, _seen):
        page.get_by_label("Find a site").fill("reset")
        assert page.eval_on_selector_all("#matrix tbody tr", shown) == [
            "reset-too.example", "reset.example",
        ]  # fmt: skip
        assert page.locator(".tools output").inner_text() == "2 / 9"
        page.get_by_label("Find a site").fill("")
        page.get_by_label("Show only").select_option("not_measured")
        assert ["never.example"] == page.eval_on_selector_all("#matrix tbody tr", shown)
        page.get_by_label("Show only").select_option("")
        head = page.locator("#matrix th button").first
        head.focus()
        page.keyboard.press("Enter")
        assert "ascending" == page.locator("#matrix th").first.get_attribute("aria-sort")
        names = page.eval_on_selector_all("#matrix tbody tr", shown)
        assert sorted(names) == names
        page.locator("#matrix th button").nth(1).click()
        assert "never.example" == page.eval_on_selector_all("#matrix tbody tr", shown)[-1]


def test_a_site_in_the_table_leads_to_what_is_known_of_it(
    browser: Browser, run_page: Path
) -> None:
    with opened(browser, run_page) as (page, _seen):
        page.locator("#matrix a", has_text="replaced.example").click()
        site = page.locator("details.site", has_text="replaced.example")
        assert site.get_attribute("open") is not None
        site.locator("a", has_text="Доступ ограничен").first.click()
        came = page.locator(".came").first
        assert "By decision of the authority." in came.inner_text()
        came.locator("summary").click()
        frame = page.frame_locator("iframe").first
        assert "Access restricted" == frame.locator("h1").inner_text()
        colour = frame.locator("h1").evaluate("(h) => getComputedStyle(h).color")
        assert "rgb(153, 0, 0)" == colour


def test_packed_evidence_is_shown_as_text(
    browser: Browser, run_facts: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.report.writing.IN_VIEW", 1)
    out = written(run_facts, tmp_path / "report.html")
    with opened(browser, out) as (page, seen):
        packed = page.locator("details[data-packed]")
        assert packed.count() > 2
        unfold(page)
        page.locator("details[data-packed] pre").first.wait_for()
        page.wait_for_function("document.querySelectorAll('details[data-packed] p').length == 0")
        text = "".join(page.locator("details[data-packed] pre").all_inner_texts())
        assert "TLS with 93.184.215.14:443 for reset" in text
        assert [] == seen.console


def test_it_prints(browser: Browser, run_page: Path, tmp_path: Path) -> None:
    with opened(browser, run_page) as (page, _seen):
        page.emulate_media(media="print")
        assert not page.locator(".tools").is_visible()
        assert not page.locator("nav").first.is_visible()
        assert page.locator("h1").is_visible()
        page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
