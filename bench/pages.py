"""A table of a page in ``docs/`` that a benchmark writes anew, between two marks."""

from __future__ import annotations

import re
from pathlib import Path


def put(page: Path, name: str, text: str) -> None:
    """Replace what lies between ``<!-- NAME -->`` and ``<!-- /NAME -->`` in *page* by *text*.

    Raises ValueError where the marks are not there, once each and in this order.
    """
    whole = page.read_text(encoding="utf-8")
    pattern = rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)"
    found, count = re.subn(pattern, lambda m: f"{m[1]}{text}\n{m[2]}", whole, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{page} has no place for {name!r}")
    page.write_text(found, encoding="utf-8")
