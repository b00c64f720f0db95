from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_table_of_the_rungs_is_current() -> None:
    script, page = ROOT / "scripts" / "ladder_table.py", ROOT / "docs" / "diagnosis.md"
    done = subprocess.run([sys.executable, script, page, "--check"], capture_output=True, text=True)
    assert 0 == done.returncode, done.stdout + done.stderr
