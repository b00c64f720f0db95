"""The seam: which nettests' documents can be read, one file each.

A reader is a function from a `Document` to its parts, one for each target. It may raise
`Unreadable`, and what msgspec raises for values of the wrong type; nothing else.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from functools import cache

from probe.formats.ooni.document import Document, Part

Reader = Callable[[Document], Iterable[Part]]

_REGISTRY: dict[str, Reader] = {}


def reader(test_name: str) -> Callable[[Reader], Reader]:
    """Register the decorated function as the reader of documents of *test_name*."""

    def register(read: Reader) -> Reader:
        if test_name in _REGISTRY:
            raise ValueError(f"two readers are for {test_name!r}")
        _REGISTRY[test_name] = read
        return read

    return register


@cache
def readers() -> dict[str, Reader]:
    """Every reader by ``test_name``; imports the modules of this package once."""
    package = importlib.import_module("probe.formats.ooni")
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    return dict(sorted(_REGISTRY.items()))
