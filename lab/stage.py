"""A country with its cast: sites, resolvers and controls running, ready to be measured.

Whatever is measured here is measured by the ordinary programs: ``zond control serve`` at
the two foreign vantage points, ``zond run`` at home, ``zond verdicts`` on the database.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from lab.certificates import ORDINARY, Authorities
from lab.country import Country, LabError
from lab.middlebox import merged
from lab.real_servers import RealServers
from lab.resolvers import OWN, PUBLIC, Name, Resolver, Zone, run_resolvers
from lab.score import Result, result
from lab.serving import run_sites
from lab.sites import Site
from lab.topology import BELTELECOM, Household, place_of
from lab.wire import WireSettings
from lab.world import Censor, Place, Wire, World
from lab.worlds import fixtures

ZOND = Path(sys.executable).with_name("zond")
CONTROLS = (
    (Place.CONTROL_1, "control-1.zond.example", Country.control_addresses[0]),
    (Place.CONTROL_2, "control-2.zond.example", Country.control_addresses[1]),
)
_PATIENCE = 60.0  # seconds for a control to come up

# One-way seconds of each wire: about 44 ms there and back to a foreign site.
DELAYS = {
    Wire.LINE: 0.004, Wire.UPLINK_1: 0.002, Wire.UPLINK_2: 0.002, Wire.BORDER_1: 0.006,
    Wire.BORDER_2: 0.006, Wire.PEERING: 0.002, Wire.HOSTING: 0.010, Wire.TRANSIT: 0.004,
    Wire.AWAY_1: 0.004, Wire.AWAY_2: 0.006,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How the country is today, apart from the worlds in it.

    *controls*: which of the two run; both are in the configuration. *distance*
    stretches all delays. *wires* replaces settings of wires; *censors*, *zone* and
    *sites* add to those of the worlds. *own_resolver_silent*: the operator's resolver
    answers nobody. *roots*: names of the authorities in the device's store, all
    trusted ones by default. *config*: lines of `zond.toml`, before its tables.
    *real_servers*: nginx and unbound stand in for ours wherever they can. *household*:
    whose customer the volunteer is. *icmp_ratelimit*: see `Country`.
    """

    seed: int = 0
    controls: tuple[bool, bool] = (True, True)
    distance: float = 1.0
    ipv6: bool | Literal["broken"] = True
    wires: Mapping[Wire, WireSettings] | None = None
    censors: Mapping[Wire, tuple[Callable[[], Censor], ...]] | None = None
    sites: tuple[Site, ...] = ()
    zone: tuple[Name, ...] = ()
    own_resolver_silent: bool = False
    roots: tuple[str, ...] = ()
    config: str = ""
    real_servers: bool = False
    household: Household = BELTELECOM
    icmp_ratelimit: int | None = None


class Stage:
    """A context manager: the country of *worlds*, with everything in it running.

    *folder* takes what the programs need on disk: certificates, configuration, the list.
    """

    def __init__(
        self, worlds: Sequence[World], folder: Path, setting: Setting | None = None
    ) -> None:
        self.worlds = tuple(worlds)
        self.folder = folder
        self.setting = setting or Setting()
        self._stack = ExitStack()
        self.authorities = Authorities()
        self.country = Country(
            self._wires(), ipv6=self.setting.ipv6, seed=self.setting.seed,
            icmp_ratelimit=self.setting.icmp_ratelimit, household=self.setting.household,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._stack.enter_context(self.country)
            self._start_servers()
            self._write_files()
            for (place, name, addresses), runs in zip(
                CONTROLS, self.setting.controls, strict=True
            ):
                if runs:
                    self._start_control(place, name, addresses[0])
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def list_file(self) -> Path:
        return self.folder / "list.csv"

    def zond(
        self, *arguments: str | os.PathLike[str], place: Place = Place.HOME,
        before: Sequence[str] = (), env: Mapping[str, str] | None = None, **popen: Any,
    ) -> subprocess.Popen[Any]:
        """Start ``zond ARGUMENTS`` as an ordinary program in *place*.

        *before* goes in front of it on the command line (`lab.clock.wrong_clock`).
        """
        return self.country.command(
            place, [*before, ZOND, *arguments], env=self.environment(**(env or {})), **popen
        )

    def environment(self, **more: str) -> dict[str, str]:
        keep = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TERM", "COLUMNS")}
        home = {
            "HOME": str(self.folder), "SSL_CERT_FILE": str(self.folder / "roots.pem"),
            "ZOND_CONFIG": str(self.folder / "zond.toml"), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        return keep | home | more

    def start_run(self, db: Path, *arguments: str, **popen: Any) -> subprocess.Popen[str]:
        """Start ``zond run`` over the list of the worlds."""
        return self.zond(
            "run", "--yes", "--no-upload", "--list", self.list_file, "--db", db, *arguments,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen,
        )  # fmt: skip

    def run(self, db: Path, *arguments: str, **popen: Any) -> subprocess.CompletedProcess[str]:
        """``zond run`` over the list of the worlds, to its end."""
        process = self.start_run(db, *arguments, **popen)
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def results(self, db: Path, variation: str = "") -> list[Result]:
        """The verdicts on the worlds in *db*, each beside its truth."""
        lines = verdicts(db)
        return [
            result(world.name, world.truth, lines.get(ascii_url(world.url)), variation)
            for world in self.worlds
        ]

    def _wires(self) -> dict[Wire, WireSettings]:
        makers: dict[Wire, list[Callable[[], Censor]]] = {wire: [] for wire in Wire}
        for censors in (*(w.censors for w in self.worlds), self.setting.censors or {}):
            for wire, made in censors.items():
                makers[wire] += made
        special = self.setting.wires or {}
        return {
            wire: replace(
                special.get(wire, WireSettings(delay=DELAYS[wire] * self.setting.distance)),
                censors=merged(makers[wire]),
            )
            for wire in Wire
        }

    def _start_servers(self) -> None:
        sites = [*fixtures.SITES, *self.setting.sites]
        names = [*fixtures.ZONE, *self.setting.zone]
        for world in self.worlds:
            sites += [site for site in world.sites if isinstance(site, Site)]
            names += [name for name in world.zone if isinstance(name, Name)]
        names += [Name(name=name, addresses=addresses) for _, name, addresses in CONTROLS]
        # A site that another world or the surroundings also bring is there once.
        sites = list(dict.fromkeys(sites))
        real = None
        if self.setting.real_servers:
            real = self._stack.enter_context(
                RealServers(self.country, self.folder / "servers", self.authorities)
            )
        for place in (Place.ABROAD, Place.DOMESTIC):
            here = [part for site in sites for part in _part(site, place)]
            here = real.serve_sites(place, here) if real else here
            self.country.start(place, run_sites, here, self.authorities)
        zone = self.zone = Zone(dict.fromkeys(names))
        own = Resolver(
            name=OWN, addresses=self.country.resolver_addresses,
            silent=self.setting.own_resolver_silent,
        )  # fmt: skip
        for place, resolvers in ((Place.RESOLVERS, PUBLIC), (Place.OPERATOR, (own,))):
            left = real.serve_names(place, resolvers, zone) if real else resolvers
            self.country.start(place, run_resolvers, left, zone, self.authorities)

    def _write_files(self) -> None:
        # The controls keep the whole store, whatever the device at home has lost.
        (self.folder / "all-roots.pem").write_bytes(self.authorities.store())
        (self.folder / "roots.pem").write_bytes(self.authorities.store(*self.setting.roots))
        controls = "".join(
            f'[[controls]]\nname = "{name.partition(".")[0]}"\nurl = "https://{name}/"\n'
            for _, name, _ in CONTROLS
        )
        (self.folder / "zond.toml").write_text(f"{self.setting.config}\n{controls}")
        self.list_file.write_text("".join(f"{world.url}\n" for world in self.worlds))
        for _, name, _ in CONTROLS:
            chain, key = self.authorities.chain(ORDINARY, (name,))
            (self.folder / f"{name}.pem").write_bytes(chain)
            (self.folder / f"{name}.key").write_bytes(key)

    def _start_control(self, place: Place, name: str, address: str) -> None:
        process = self.zond(
            "control", "serve", "--listen", f"{address}:443",
            "--tls-cert", self.folder / f"{name}.pem", "--tls-key", self.folder / f"{name}.key",
            place=place, env={"SSL_CERT_FILE": str(self.folder / "all-roots.pem")},
            resolv_conf=PUBLIC[0].addresses[:1], stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        line = first_line(process.stderr)
        if "https://" not in line:
            process.kill()
            raise LabError(f"{name} did not start: {line}")


def verdicts(db: Path) -> dict[str, dict[str, Any]]:
    """What ``zond verdicts`` says of *db*, by URL."""
    return judged(db)[0]


def judged(db: Path) -> tuple[dict[str, dict[str, Any]], frozenset[str]]:
    """What ``zond verdicts`` says of *db*, by URL, and what of the run as a whole."""
    done = subprocess.run(  # noqa: S603
        [ZOND, "verdicts", "--db", db, "--format", "jsonl", "--findings"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise LabError(f"zond verdicts: {done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return (
        {ascii_url(line["url"]): line for line in lines if "url" in line},
        frozenset(line["finding"] for line in lines if line.get("kind") == "run"),
    )


def ascii_url(url: str) -> str:
    """*url* as the probe keeps it; what lies beside a service's endpoint is no target."""
    from testlists import BadURL, target_from_url

    try:
        return target_from_url(url).url
    except BadURL:
        return url


def first_line(stream: IO[str]) -> str:
    """The first line that comes; what comes later is read and dropped, so that no pipe fills."""
    lines: list[str] = []
    came = threading.Event()

    def drain() -> None:
        with stream:
            for line in stream:
                if not lines:
                    lines.append(line)
                    came.set()
        came.set()

    threading.Thread(target=drain, daemon=True).start()
    came.wait(_PATIENCE)
    return lines[0] if lines else ""


def _part(site: Site, place: Place) -> tuple[Site, ...]:
    """*site* with those of its addresses that are routed to *place*; none if it has none."""
    addresses = tuple(text for text in site.addresses if place_of(text) is place)
    return (replace(site, addresses=addresses),) if addresses else ()
