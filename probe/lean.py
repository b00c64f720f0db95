"""What libraries import at their start and a run never uses, left out: a small device's memory.

Two ways, neither of which changes what a library does. A module that is only named where it is
imported is *deferred* (`importlib.util.LazyLoader`): its code runs when something is asked of it.
One that a library itself does without where it is not installed is *hidden* while that library
is imported, and can be imported afterwards as ever.

Measured on Debian with CPython 3.11 (``python -m bench.memory``): 7 MB of a run's 81.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

# Each is imported by the library before it, for something that a run does not ask of it.
_DEFERRED = frozenset(
    {
        "OpenSSL.SSL",  # chains are verified by OpenSSL.crypto
        "service_identity.cryptography",  # names are compared by service_identity.hazmat
        "service_identity.pyopenssl",
        "sqlite_utils.recipes",  # dates for its command line, by dateutil
        "truststore",  # httpcore2, for Windows and macOS
    }
)
_HIDDEN = (
    "anyio",  # httpcore2, beside trio
    "multiprocessing",  # maxminddb, for a lock where there is no pread
)
_LIBRARIES = ("httpcore2", "maxminddb", "service_identity", "OpenSSL.crypto", "probe.schema")


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Within it, *names* cannot be imported, except for what was imported before."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules |= dict.fromkeys(absent)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def import_libraries() -> None:
    """Import those libraries that drag the most along, without it.

    To be called before anything else imports them; later it changes nothing.
    """
    with _deferring(), hidden(*_HIDDEN):
        for name in _LIBRARIES:
            import_module(name)


@contextmanager
def scapy_alone() -> Iterator[None]:
    """Within it scapy is imported without its table of who made which network card, 16 MB, and
    without its cache: that would be pickles, read from and left in the user's home."""
    table = ModuleType("scapy.libs.manuf")
    table.DATA = ""  # type: ignore[attr-defined]
    absent = table.__name__ not in sys.modules
    if absent:
        sys.modules[table.__name__] = table
    cache = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = os.devnull  # in which nothing is found, and nothing made
    try:
        yield
    finally:
        del os.environ["XDG_CACHE_HOME"]
        if cache is not None:
            os.environ["XDG_CACHE_HOME"] = cache
        if absent:
            del sys.modules[table.__name__]


class _Deferring(PathFinder):
    @classmethod
    def find_spec(
        cls,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in _DEFERRED:
            return None
        spec = super().find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


@contextmanager
def _deferring() -> Iterator[None]:
    sys.meta_path.insert(0, _Deferring)
    try:
        yield
    finally:
        sys.meta_path.remove(_Deferring)
