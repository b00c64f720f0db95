"""The private Tor network, running: authorities, relays and bridges, all of them real ``tor``.

It lives in the network namespace of the foreign sites, which has no way out, and its
daemons are killed with the country. One that has ended unasked is a LabError: a dead relay
must not look like a blocked one, unless it is meant to (`TorNetwork.kill`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.country import Country, LabError
from lab.tor import keys, torrc
from lab.tor.plan import SMALL, Daemon, by_kind
from lab.world import Place

PROGRAMS = {"tor": "tor", "tor-gencert": "tor", "obfs4proxy": "obfs4proxy"}  # Debian's packages
PLACE = Place.ABROAD
_PATIENCE = 120.0  # seconds for a consensus that has everybody
_POLL = 0.1

_ROUTER = re.compile(r"^r (\S+) .*?\n(?:[^rs].*\n)*?s (.*)$", re.MULTILINE)


def missing() -> str | None:
    """None where all programs are installed, else one line saying what to do."""
    absent = sorted({package for name, package in PROGRAMS.items() if shutil.which(name) is None})
    if not absent:
        return None
    return f"{' and '.join(absent)} not installed: run `sudo apt-get install {' '.join(absent)}`"


@dataclass(frozen=True)
class Identity:
    """By what a relay is known: *fingerprint* (SHA-1 of its RSA key, hex), *ed25519* (base64)."""

    fingerprint: str
    ed25519: str


class TorNetwork:
    """A context manager inside *country*'s; everything of it is in *folder*.

    Returns from `with` when the authorities' consensus calls every relay among *daemons*
    running. Raises LabError with the logs of what does not come up.
    """

    def __init__(self, country: Country, folder: Path, daemons: Sequence[Daemon] = SMALL) -> None:
        self.daemons = tuple(daemons)
        self.folder = folder
        self._country = country
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._authorities: list[torrc.Authority] = []

    def __enter__(self) -> Self:
        why = missing()
        if why is not None:
            raise LabError(why)
        self.folder.mkdir(parents=True, exist_ok=True)
        authorities = by_kind(self.daemons, "authority")
        self._authorities = keys.make(self._country, PLACE, authorities, self.folder)
        for daemon in by_kind(self.daemons, "authority", "relay"):
            self.start(daemon)
        self._await("a consensus of all", self._everybody_runs)
        # A bridge that came earlier would keep, and hand out, a consensus of a few.
        for daemon in by_kind(self.daemons, "bridge"):
            self.start(daemon)
        self._await("bridges that know the network", self._bridges_serve)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ended = [name for name, process in self._running.items() if process.poll() is not None]
        for process in self._running.values():
            process.kill()
            process.wait()
        if ended:
            raise LabError("\n".join(map(self._obituary, ended))) from error

    def start(self, daemon: Daemon) -> None:
        """Start *daemon*; one that was here before has the keys that are in its folder."""
        folder = self.folder / daemon.name
        folder.mkdir(mode=0o700, exist_ok=True)
        config = self.folder / f"{daemon.name}.torrc"
        program = shutil.which("obfs4proxy") or ""
        config.write_text(torrc.torrc(daemon, folder, self._authorities, program))
        self._running[daemon.name] = self._country.command(
            PLACE, ["tor", "--hush", "-f", config, "--defaults-torrc", "/dev/null"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def process(self, daemon: Daemon) -> subprocess.Popen[bytes]:
        return self._running[daemon.name]

    def kill(self, daemon: Daemon) -> None:
        """The relay dies; its port refuses from now on."""
        process = self._running.pop(daemon.name)
        process.kill()
        process.wait()

    def renew(self, daemon: Daemon) -> None:
        """The relay comes back at its address with other keys: a stranger to who knew it."""
        self.kill(daemon)
        shutil.rmtree(self.folder / daemon.name)
        self.start(daemon)
        self._await(f"{daemon.name} to listen", lambda: self._said(daemon, "Bootstrapped 0%"))

    @property
    def torrc(self) -> str:
        """What a client needs in its own torrc to be in this network."""
        return torrc.network(self._authorities)

    def identity(self, daemon: Daemon) -> Identity:
        folder = self.folder / daemon.name
        fingerprint = (folder / "fingerprint").read_text().split()[-1]
        return Identity(fingerprint, (folder / "fingerprint-ed25519").read_text().split()[-1])

    def bridge_line(self, daemon: Daemon) -> str:
        """The line by which a client uses the bridge *daemon*; empty while it is not up."""
        folder = self.folder / daemon.name
        if not self._said(daemon, "Bootstrapped 0%"):  # by then it has its keys
            return ""
        fingerprint = self.identity(daemon).fingerprint
        if not daemon.transport:
            return f"{daemon.address}:{daemon.or_port} {fingerprint}"
        told = folder / "pt_state" / "obfs4_bridgeline.txt"
        found = re.search(r"(cert=\S+ iat-mode=\d)", told.read_text()) if told.exists() else None
        if found is None:
            return ""
        return f"{daemon.transport} {daemon.address}:{daemon.pt_port} {fingerprint} {found[1]}"

    def consensus(self) -> str:
        """The consensus in force, as the first authority has it; empty before there is one."""
        path = self.folder / self._authorities[0].daemon.name / "cached-consensus"
        return path.read_text(errors="replace") if path.exists() else ""

    def _everybody_runs(self) -> bool:
        listed = dict(_ROUTER.findall(self.consensus()))
        wanted = by_kind(self.daemons, "authority", "relay")
        return all("Running" in listed.get(daemon.name, "").split() for daemon in wanted)

    def _bridges_serve(self) -> bool:
        # A bridge answers before it has what its users will ask it for; they then wait long.
        return all(
            self.bridge_line(bridge) and self._said(bridge, "Bootstrapped 100%")
            for bridge in by_kind(self.daemons, "bridge")
        )

    def _said(self, daemon: Daemon, text: str) -> bool:
        log = self.folder / daemon.name / "log"
        return log.exists() and text in log.read_text(errors="replace")

    def _await(self, what: str, done: Callable[[], bool]) -> None:
        end = time.monotonic() + _PATIENCE
        while not done():
            ended = [n for n, process in self._running.items() if process.poll() is not None]
            if ended or time.monotonic() > end:
                names = ended or list(self._running)
                raise LabError(f"waiting for {what}:\n" + "\n".join(map(self._obituary, names)))
            time.sleep(_POLL)

    def _obituary(self, name: str) -> str:
        log = self.folder / name / "log"
        text = log.read_text(errors="replace") if log.exists() else "no log"
        return f"{name}: {text[-1500:]}"
