"""One thing to measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from testlists.url import normalise

Risk = Literal["low", "medium", "high"]

RISKS: tuple[Risk, ...] = ("low", "medium", "high")  # in rising order

# Of a list that does not say: neither harmless, which nobody has checked, nor
# dangerous, which would leave the user's own list unmeasured.
RISK_UNSAID: Risk = "medium"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL from a list, with where it came from.

    *url* is normalised (see `testlists.url`) and *written* what the list says, empty
    where that is the same. *category* is Citizen Lab's category code, *risk* how
    dangerous asking for it may be to the person who measures (``low``, ``medium``,
    ``high``). *date_added* (as written), *source* and *notes* are the list's.
    """

    url: str
    category: str = ""
    risk: Risk = "low"
    list_name: str = ""
    written: str = ""
    date_added: str = ""
    source: str = ""
    notes: str = ""

    @property
    def hostname(self) -> str:
        return urlsplit(self.url).hostname or ""


def target_from_url(url: str, *, list_name: str = "") -> Target:
    """The target of a URL that somebody typed. Raises `testlists.url.BadURL`, which says why."""
    normal = normalise(url)
    return Target(
        url=normal,
        risk=RISK_UNSAID,
        list_name=list_name,
        written="" if normal == url else url,
    )
