"""What is the project's to publish: the lists that come with zond or with a signed release of it.

Rule: everything else that is measured is the user's own interest, and leaves only if the user
says so (`probe.scrubbing.scrub`): an own list, an imported one, a URL given by hand.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from probe import places
from testlists import Shelf


def is_public_target(url: str) -> bool:
    """Whether *url*, as targets name it, is on a list of the project's."""
    return url in _shelf(places.lists()).public_urls


def is_public_list(name: str) -> bool:
    """Whether *name* is that of a list of the project's."""
    return _shelf(places.lists()).is_public_name(name)


@cache
def _shelf(directory: Path) -> Shelf:
    return Shelf(directory)
