from __future__ import annotations

from pathlib import Path

import pytest

from analysis import question
from analysis.rules import RULES

WRITTEN = Path(question.__file__).parent / "data" / "question.sql"


def test_what_is_written_down_is_what_the_rules_say() -> None:
    assert WRITTEN.read_text(encoding="utf-8") == question.made(), "run python -m analysis.question"


def test_a_question_by_other_rules_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question, "RULES", RULES[:3])
    monkeypatch.setattr(question, "RULES_VERSION", "of tomorrow")
    asked = question.question.__wrapped__()
    assert asked.startswith("-- Written by python -m analysis.question; rules of tomorrow\n")
    assert RULES[2].id in asked
    assert len(asked) < WRITTEN.stat().st_size / 2
