"""What would let a stranger's bytes run as code is nowhere, and no comment can allow it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = {
    "S102": "exec('x')",
    "S301": "import pickle\npickle.loads(b'')",
    "S302": "import marshal\nmarshal.loads(b'')",
    "S306": "import tempfile\ntempfile.mktemp()",
    "S307": "eval('x')",
    "S323": "import ssl\nssl._create_unverified_context()",
    "S501": "import httpx\nhttpx.get('https://x/', verify=False)",
    "S506": "import yaml\nyaml.load('')",
    "S602": "import subprocess\nsubprocess.run('x ' + y, shell=True)",
    "S604": "run('x', shell=True)",
    "S605": "import os\nos.system('x ' + y)",
    "S701": "import jinja2\njinja2.Environment(autoescape=False)",
}


def found(*paths: Path) -> set[str]:
    """``place: rule`` of each breach in *paths*, whatever a ``noqa`` there says."""
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--ignore-noqa", "--no-cache"]
    done = subprocess.run(
        [*ruff, "--output-format=concise", f"--select={','.join(RULES)}", *paths],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return {line for line in done.stdout.splitlines() if ": S" in line}


def test_nothing_runs_what_was_read() -> None:
    scripts = [path for path in (ROOT / "scripts").rglob("*") if path.is_file() and python(path)]
    assert ROOT / "scripts/lock" not in scripts
    assert ROOT / "scripts/build-single-file" in scripts
    folders = [ROOT / name for name in ("probe", "analysis", "testlists", "lab")]
    assert set() == found(*folders, *scripts)


@pytest.mark.parametrize("lock", sorted(ROOT.glob("*.lock")), ids=lambda path: path.name)
def test_each_locked_package_is_pinned_and_hashed(lock: Path) -> None:
    """And comes from an index: a URL, a folder or a repository could change under its name."""
    wanted = lock.read_text().replace("\\\n", " ").splitlines()
    packages = [line for line in wanted if line.strip() and not line.lstrip().startswith("#")]
    assert packages
    for line in packages:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z0-9,_-]+\])?==\S+ ", line), line[:80]
        assert re.search(r" --hash=sha256:[0-9a-f]{64}\b", line), line[:80]
        assert " @ " not in line and "://" not in line, line[:80]


def python(path: Path) -> bool:
    return path.suffix == ".py" or path.read_bytes().startswith(b"#!/usr/bin/env python")


@pytest.mark.parametrize("rule", RULES)
def test_the_search_would_find_it(rule: str, tmp_path: Path) -> None:
    for name in ("sample.py", "sample"):  # as scripts/ has them
        (tmp_path / name).write_text(RULES[rule] + "  # noqa\n")
        assert any(f": {rule} " in line for line in found(tmp_path / name))


def test_nobody_is_told_to_install_it_by_its_name() -> None:
    """No index has it from us: see `probe.extras`."""
    by_name = re.compile(r"\binstall +(-\S+ +)*['\"]?zond\b")
    assert by_name.search("pip install -U 'zond[all]'")
    sources = [path for part in ("probe", "analysis") for path in (ROOT / part).rglob("*.py")]
    assert [] == [str(path) for path in sources if by_name.search(path.read_text())]
