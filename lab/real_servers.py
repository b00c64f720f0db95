"""The same sites and names behind servers that are not ours: nginx and unbound.

What our probe finds at our own servers might be only that the two agree. So the sites
are also served by nginx and the zone by unbound, from the same descriptions, wherever
these two can do what is described; the rest is handed back for our own servers.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import nginx, unbound
from lab.certificates import Authorities
from lab.country import Country, LabError
from lab.resolvers import Resolver, Zone
from lab.sites import Site
from lab.world import Place

_PATIENCE = 60.0  # seconds for a server to come up


def missing() -> str | None:
    """None where both servers are installed, else one line saying what to do."""
    absent = [name for name in ("nginx", "unbound") if _program(name) is None]
    if not absent:
        return None
    return f"{' and '.join(absent)} not installed: run `sudo apt-get install {' '.join(absent)}`"


class RealServers:
    """A context manager inside *country*'s: starts servers there, each with a folder in *folder*.

    They are killed with the country and with the program that built it. One that has
    ended before is a LabError at the end: a dead server must not look like a blocked site.
    """

    def __init__(self, country: Country, folder: Path, authorities: Authorities) -> None:
        self._country = country
        self._folder = folder
        self._authorities = authorities
        self._running: list[tuple[subprocess.Popen[bytes], Path]] = []

    def __enter__(self) -> Self:
        why = missing()
        if why is not None:
            raise LabError(why)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ended = [_obituary(*pair) for pair in self._running if pair[0].poll() is not None]
        if ended:
            raise LabError("\n".join(ended)) from error

    def serve_sites(self, place: Place, sites: Iterable[Site]) -> list[Site]:
        """Serve by nginx what it can serve of *sites*; the others."""
        plain, special = nginx.divided(sites)
        if any(site.listeners() for site in plain):
            folder = self._folder / f"nginx-{place}"
            config = nginx.write(folder, plain, self._authorities)
            argv = ["nginx", "-p", folder, "-c", config, "-e", folder / "error.log"]
            self._start(place, [*map(str, argv)], folder / "nginx.pid", folder / "error.log")
        return special

    def serve_names(
        self, place: Place, resolvers: Iterable[Resolver], zone: Zone
    ) -> tuple[Resolver, ...]:
        """Serve *zone* by an unbound for each of *resolvers*; those that unbound cannot be.

        It is never silent, and some builds of it do not speak DoH.
        """
        left = []
        for resolver in resolvers:
            if resolver.silent or (resolver.names and not _speaks_doh()):
                left.append(resolver)
                continue
            folder = self._folder / f"unbound-{resolver.name}"
            config = unbound.write(folder, resolver, zone, self._authorities)
            argv, log = ["unbound", "-d", "-c", str(config)], folder / "unbound.log"
            process = self._start(place, argv, folder / "unbound.pid", log)
            _await(process, log, functools.partial(_has_begun, log))
        return tuple(left)

    def _start(
        self, place: Place, argv: Sequence[str], pid: Path, log: Path
    ) -> subprocess.Popen[bytes]:
        pid.unlink(missing_ok=True)
        log.unlink(missing_ok=True)  # of a server that was here before
        program = _program(argv[0])
        assert program is not None
        process = self._country.command(
            place,
            [program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _await(process, log, pid.exists)
        self._running.append((process, log))
        return process


def _await(process: subprocess.Popen[bytes], log: Path, done: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not done():
        if process.poll() is not None or time.monotonic() > end:
            raise LabError(_obituary(process, log))
        time.sleep(0.01)


def _has_begun(log: Path) -> bool:
    return "start of service" in _text(log)


def _obituary(process: subprocess.Popen[bytes], log: Path) -> str:
    how = "does not come up" if process.poll() is None else f"ended with {process.returncode}"
    return f"{process.args!r} {how}:\n{_text(log)[-2000:]}"


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


@functools.cache
def _speaks_doh() -> bool:
    program = _program("unbound")
    if program is None:
        return False
    told = subprocess.run([program, "-V"], capture_output=True, text=True, check=False)  # noqa: S603
    return "nghttp2" in told.stdout


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
