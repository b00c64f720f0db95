"""Where things are kept when nobody says where: the platform's own places."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def data_directory() -> Path:
    """For the database and what was consented to."""
    return Path(platformdirs.user_data_dir("zond", appauthor=False))


def database() -> Path:
    return data_directory() / "zond.db"


def identity() -> Path:
    return data_directory() / "identity"


def lists() -> Path:
    """For lists that are newer than those of the package, imported, or the user's own."""
    return data_directory() / "lists"


def config_file() -> Path:
    return Path(platformdirs.user_config_dir("zond", appauthor=False)) / "zond.toml"
