"""How what is missing is installed: out of zond's own folder, never by its name.

No package index has zond from us. Whoever registers the name in one would run on the machines
of all who were told to install it from there.
"""

from __future__ import annotations


def install(extras: str = "all") -> str:
    """What the user is to do for *extras*, with commas between them."""
    return f"pip install '.[{extras}]' in zond's folder"
