"""What a newcomer sees first."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.stage import ZOND

pytestmark = pytest.mark.lab


def test_demo_measures_a_country_and_judges_it_as_it_was_built(tmp_path: Path) -> None:
    db = tmp_path / "demo.db"
    done = subprocess.run(
        [ZOND, "demo", "--targets", "12", "--db", db], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "12 of 12 verdicts are as this country was built" in done.stderr
    assert f"Database: {db}" in done.stderr
    assert "https://charter97.org/" in done.stdout and "tls.reset" in done.stdout
    assert db.exists()
