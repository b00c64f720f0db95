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
    """A URL from a list, with where it came from. A service's has the service's scheme.

    *url* is normalised (see `testlists.url`) and *written* what the list says, empty
    where that is the same. *category* is Citizen Lab's category code, *risk* how
    dangerous asking for it may be to the person who measures (``low``, ``medium``,
    ``high``). *date_added* (as written), *source* and *notes* are the list's, and so are
    *attributes*: what a nettest must know of a service's endpoint beside its URL, as a
    relay's fingerprint, by the name of the list's column.
    """

    url: str
    category: str = ""
    risk: Risk = "low"
    list_name: str = ""
    written: str = ""
    date_added: str = ""
    source: str = ""
    notes: str = ""
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def hostname(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def port(self) -> int | None:
        """The port that the URL names, None where it names none."""
        return urlsplit(self.url).port

    def attribute(self, name: str) -> str:
        """The list's word under *name*, empty where it has none."""
        return dict(self.attributes).get(name, "")


def target_from_url(url: str, *, list_name: str = "") -> Target:
    """The target of a URL that somebody typed. Raises `testlists.url.BadURL`, which says why."""
    normal = normalise(url)
    return Target(
        url=normal,
        risk=RISK_UNSAID,
        list_name=list_name,
        written="" if normal == url else url,
    )
