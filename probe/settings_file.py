"""Changing a setting in the user's own file, which stays as they wrote it otherwise.

tomlkit keeps comments, order and spacing. It is imported here alone: who only reads
settings (`probe.config`) does with the standard library.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from probe import places
from probe.consent.agreement import keep


def in_force() -> Path:
    """The file that is read where no command names another."""
    named = os.environ.get("ZOND_CONFIG")
    return Path(named) if named else places.config_file()


def change(path: Path, settings: Mapping[str, Any]) -> None:
    """Set *settings*, in the form of the file, tables within it too; None takes one out.

    Raises OSError, and ValueError for a file that is not TOML.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as exc:
        raise ValueError(str(exc)) from exc
    _change(document, settings)
    keep(path, tomlkit.dumps(document).encode())


def _change(table: Any, settings: Mapping[str, Any]) -> None:
    import tomlkit

    for key, value in settings.items():
        if isinstance(value, Mapping):
            if key not in table:
                table[key] = tomlkit.table()
            _change(table[key], value)
        elif value is None:
            table.pop(key, None)
        else:
            table[key] = value
