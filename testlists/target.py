"""One thing to measure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL from a list, with where it came from.

    *category* is Citizen Lab's category code, *risk* how dangerous asking for it
    may be to the person who measures (``low``, ``medium``, ``high``).
    """

    url: str
    category: str = ""
    risk: str = "low"
    list_name: str = ""

    @property
    def hostname(self) -> str:
        return urlsplit(self.url).hostname or ""
