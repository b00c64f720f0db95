"""A database through OONI's format and back: exported, imported, judged again.

Rule: only the ordinary commands are used, as a researcher would who was handed the file. What
OONI's own fields would say to him without our extension is judged beside it, since a reader
that does not know ``x_zond`` has nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.country import LabError
from lab.stage import ZOND, judged, verdicts

# A scrubbed time is moved within its minute, and a line of an imported run names its document.
ABOUT_THE_DOCUMENT = frozenset({"measured_at", "document", "file", "source"})

Lines = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class RoundTrip:
    """Verdicts by URL on what was measured: *before* of the database, *after* of what came
    back, *bare* of OONI's fields alone. A target that was only planned has no document. *lost*
    and *gained* are findings on the run as a whole."""

    before: Lines
    after: Lines
    bare: Lines
    lost: frozenset[str]
    gained: frozenset[str]

    def changed(self) -> dict[str, list[str]]:
        """By URL what differs *after*; every field counts but what is about the document."""
        return {
            url: differing
            for url in self.before.keys() | self.after.keys()
            if (differing := _differing(self.before.get(url, {}), self.after.get(url, {})))
        }


def round_trip(db: Path, folder: Path) -> RoundTrip:
    """Take *db* there and back, by files in the new *folder*. Raises `LabError`."""
    folder.mkdir()
    config = folder / "zond.toml"
    config.write_text("[upload]\npersonal = true\n")  # no world's site is on a carried list
    out, back = folder / "documents.jsonl", folder / "back.db"
    _zond(config, "export", "--db", db, "--format", "ooni", "--out", out)
    if not out.stat().st_size:  # nothing was measured, so that there is nothing to judge
        return RoundTrip(
            before={}, after={}, bare={}, lost=judged(db)[1], gained=frozenset()
        )
    _zond(config, "import", out, "--db", back)
    stripped, bare = folder / "stripped.jsonl", folder / "bare.db"
    with open(out, encoding="utf-8") as documents, open(stripped, "w", encoding="utf-8") as plain:
        for line in documents:
            plain.write(json.dumps(_stripped(json.loads(line))) + "\n")
    _zond(config, "import", stripped, "--db", bare)
    (before, was), (after, is_) = judged(db), judged(back)
    measured = {url: line for url, line in before.items() if line["measured_at"]}
    return RoundTrip(
        before=measured, after=after, bare=verdicts(bare),
        lost=was - is_, gained=is_ - was,
    )  # fmt: skip


def stronger(after: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether *after* makes an accusation that *before* did not."""
    if after["outcome"] == "blocked" and before["outcome"] != "blocked":
        return True
    return not set(after["mechanisms"]) <= set(before["mechanisms"])


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    keys = (before.keys() | after.keys()) - ABOUT_THE_DOCUMENT
    return sorted(key for key in keys if before.get(key) != after.get(key))


def _stripped(document: dict[str, Any]) -> dict[str, Any]:
    """*document* without what only zond writes."""
    keys = document["test_keys"]
    del keys["x_zond"]
    for request in keys["requests"] or ():
        for name in [n for n in request["response"] if n.startswith("x_zond")]:
            del request["response"][name]
    return document


def _zond(config: Path, *arguments: str | Path) -> None:
    done = subprocess.run(  # noqa: S603
        [ZOND, *arguments], capture_output=True, text=True, check=False,
        env=os.environ | {"ZOND_CONFIG": str(config)},
    )  # fmt: skip
    if done.returncode:
        raise LabError(f"zond {arguments[0]}: {done.stderr}")
