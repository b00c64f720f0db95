"""The list of what zond is made of has every dependency that is locked, with its hashes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_locked_dependency_is_in_it(tmp_path: Path) -> None:
    out = tmp_path / "zond.cdx.json"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["sh", ROOT / "scripts/sbom", "--out", out], check=True, env={**os.environ, "PATH": path}
    )
    said = json.loads(out.read_text())
    listed = {(part["name"], part["version"]) for part in said["components"]}
    lock = (ROOT / "requirements.lock").read_text()
    assert set(re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)) == listed
    assert ("CycloneDX", "zond") == (said["bomFormat"], said["metadata"]["component"]["name"])
    hashed = [
        part for part in said["components"]
        if any(reference.get("hashes") for reference in part.get("externalReferences", []))
    ]  # fmt: skip
    assert len(listed) == len(hashed)
