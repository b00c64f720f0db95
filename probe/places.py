"""Where things are kept when nobody says where: the platform's own places.

They are called as the program is. Who starts it by a link of another name (``notes``) finds
no file, unit or process of the name ``zond``: docs/risks.md says what that hides, and what not.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

USUAL = "zond"
# What Python is called by where it was not started by a name of ours.
NO_NAMES = frozenset({"-c", "-m", "__main__.py", "python", "python3"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}", re.ASCII)


def called_by(started: str) -> str:
    """The name of the program that was started as *started*, a path or a word."""
    word = Path(started).name
    stem = re.sub(r"\.(?:exe|pyz|py)$", "", word)
    if word in NO_NAMES or stem.startswith(USUAL) or _NAME.fullmatch(stem) is None:
        return USUAL
    return stem


def name() -> str:
    """What this program is called; `probe.cli.main` sets the variable."""
    return called_by(os.environ.get("ZOND_NAME", USUAL))


def data_directory() -> Path:
    """For the database and what was consented to."""
    return Path(platformdirs.user_data_dir(name(), appauthor=False))


def database() -> Path:
    """For what was measured, where no setting says another place."""
    return data_directory() / f"{name()}.db"


def identity() -> Path:
    """For the secret that all pseudonyms are made from (`probe.upload.identity`)."""
    return data_directory() / "identity"


def lists() -> Path:
    """For lists that are newer than those of the package, imported, or the user's own."""
    return data_directory() / "lists"


def bridges() -> Path:
    """For bridges of Tor that the user was given, sealed; beside it their key
    (`probe.tor.keeping`)."""
    return data_directory() / "bridges"


def config_file() -> Path:
    """The user's settings; it need not be there."""
    return Path(platformdirs.user_config_dir(name(), appauthor=False)) / f"{name()}.toml"
