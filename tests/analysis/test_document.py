from __future__ import annotations

from pathlib import Path

from analysis.document import main

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def test_page_of_the_rules_is_current() -> None:
    assert main([str(PAGE), "--check"]) == 0


def test_edited_page_is_found_out(tmp_path: Path) -> None:
    copy = tmp_path / "rules.md"
    copy.write_text(PAGE.read_text(encoding="utf-8") + "and more\n", encoding="utf-8")
    assert main([str(copy), "--check"]) == 1
    assert main([str(copy)]) == 0
    assert main([str(copy), "--check"]) == 0
