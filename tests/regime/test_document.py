"""The page about the regime is the one that its data give."""

from __future__ import annotations

from pathlib import Path

from analysis.regime.document import main, text

PAGE = Path(__file__).parents[2] / "docs" / "regime.md"


def test_the_page_is_current() -> None:
    assert 0 == main([str(PAGE), "belarus", "--check"]), (
        "python -m analysis.regime.document docs/regime.md belarus"
    )


def test_a_page_that_is_not_current_is_told(tmp_path: Path) -> None:
    page = tmp_path / "regime.md"
    assert 0 == main([str(page), "belarus"])
    page.write_text(page.read_text() + "more")
    assert 1 == main([str(page), "belarus", "--check"])


def test_the_page_says_that_consistency_is_no_attribution() -> None:
    assert "Consistency is not attribution" in text("belarus")
