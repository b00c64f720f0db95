"""What a run is set to do: `zond.toml`, then ``ZOND_…`` variables, then flags; later wins.

Rule: one struct is the definition of every setting, and what it does not know is
refused with one line that names the place. A misspelt key that is silently ignored
may be the one that was to keep somebody safe (``proxy``).

A variable is the key in capitals, ``__`` where the file has a table:
``ZOND_PROXY=socks5h://127.0.0.1:9050``, ``ZOND_LIMITS__CONCURRENCY=10``. Its value is
read as TOML where it is TOML, else as text.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from probe import encryption, places

PREFIX = "ZOND_"
# What is needed before the file is read, or belongs into no file.
POINTERS = frozenset({"ZOND_CONFIG", "ZOND_LANG", "ZOND_NAME", *encryption.VARIABLES})
MAX_FILE = 1_000_000  # bytes

HttpURL = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/]+")]
Positive = Annotated[float, msgspec.Meta(gt=0)]

# OONI's public test helpers, asked only by those who choose to: they learn which
# sites are measured and from where, and belong to somebody else.
OONI_HELPERS = tuple(f"https://{n}.th.ooni.org/" for n in range(4))


class ConfigError(Exception):
    """A setting is wrong. The message is one line for the user, naming the place."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class ControlServer(_Section, frozen=True, kw_only=True):
    """A control vantage point: what it is called in the evidence, and where it answers."""

    name: str
    url: HttpURL

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


class Canaries(_Section, frozen=True, kw_only=True):
    """Sites that always answer, on port 443, on this side of the border and beyond it."""

    domestic: tuple[str, ...] = ("www.belta.by", "www.mail.by")
    foreign: tuple[str, ...] = ("www.wikipedia.org", "www.debian.org")


class PortalCheck(_Section, frozen=True, kw_only=True):
    """A page with a known answer. *body* is how it begins; spaces at its ends do not count."""

    url: Annotated[str, msgspec.Meta(pattern=r"^http://[^\s/]+")]
    status: int
    body: str = ""


PORTAL_CHECKS = (
    PortalCheck(url="http://connectivitycheck.gstatic.com/generate_204", status=204),
    PortalCheck(url="http://detectportal.firefox.com/success.txt", status=200, body="success"),
    PortalCheck(
        url="http://www.msftconnecttest.com/connecttest.txt",
        status=200,
        body="Microsoft Connect Test",
    ),
)


class NamedResolver(_Section, frozen=True, kw_only=True):
    """An encrypted resolver: *name* (DoT) or *url* (DoH), and the address it is reached at."""

    address: str
    name: str = ""
    url: str = ""


class ResolverChoice(_Section, frozen=True, kw_only=True):
    """Resolvers to compare with. What is None is as
    `probe.surroundings.resolvers.Resolvers` has it.

    *own* replaces what ``/etc/resolv.conf`` says. *whoami* is a name whose address is
    that of the resolver which asked for it; empty: nobody is asked who he is.
    """

    own: tuple[str, ...] | None = None
    whoami: str = "whoami.akamai.net"
    public: tuple[str, ...] | None = None
    dot: tuple[NamedResolver, ...] | None = None
    doh: tuple[NamedResolver, ...] | None = None


class Limits(_Section, frozen=True, kw_only=True):
    """How much at once, how fast, how long. Rates are per second (see `probe.pacing`).

    *concurrency* targets are open at once; one takes *target_seconds* at most. A line
    that stays dead for *offline_seconds* ends the run.
    """

    concurrency: Annotated[int, msgspec.Meta(ge=1, le=500)] = 30
    target_seconds: Positive = 120.0
    offline_seconds: Positive = 120.0
    canary_seconds: Positive = 10.0
    connections_per_second: Positive = 60.0
    per_address: Positive = 4.0
    per_network: Positive = 10.0
    per_resolver: Positive = 20.0
    datagrams_per_second: Positive = 200.0
    datagrams_per_resolver: Positive = 120.0


class Ladder(_Section, frozen=True, kw_only=True):
    """How far, how fast and against what a target that differs is followed up (`probe.ladder`).

    *neutral* are sites that have nothing to do with any target, at whose addresses the
    accused name is tried: never a canary or a control, which a name tried there could
    take along for as long as residual blocking lasts. *harmless* is a name that nobody
    blocks and no server knows. At most *run_targets* are followed up, *concurrency* at a
    time, all within *run_seconds*; one takes *target_seconds* and *target_connections* at
    most. Residual blocking is waited for *residual_seconds* at most; *pause* seconds
    lie between two connections to one address and port.
    """

    neutral: tuple[str, ...] = (
        "www.gnu.org", "www.iana.org", "www.python.org", "www.kernel.org", "www.eff.org",
        "www.gutenberg.org",
    )  # fmt: skip
    harmless: str = "www.example.org"
    run_targets: Annotated[int, msgspec.Meta(ge=0)] = 100
    run_seconds: Positive = 1800.0
    target_seconds: Positive = 600.0
    target_connections: Annotated[int, msgspec.Meta(ge=1)] = 120
    residual_seconds: Positive = 200.0
    pause: Positive = 1.0
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=500)] = 20
    hops_per_second: Positive = 1.0


Way = Literal["direct", "proxy", "tor", "file"]


class Upload(_Section, frozen=True, kw_only=True):
    """How measurements reach the shared dataset (`probe.upload.sending`); nothing leaves unasked.

    *collector* is its URL, *key* its public key, with which batches are sealed. *ways* are
    tried in this order and no other: straight, through *proxy* (or else the controls' one),
    through *tor*'s SOCKS port, into *file* to be carried. None: through the proxy where one
    is set, else straight. *max_bytes_per_day* bounds what is sent within 24 hours, tries
    that failed included, and *seconds* how long one upload may take. *bodies*, *personal*,
    *home_resolvers* and *controls* say what may leave beside the rest
    (`probe.scrubbing.scrub.Choices`).
    """

    collector: HttpURL | None = None
    key: str | None = None
    ways: tuple[Way, ...] | None = None
    proxy: str | None = None
    tor: str = "socks5h://127.0.0.1:9050"
    file: str | None = None
    max_bytes_per_day: Annotated[int, msgspec.Meta(ge=0)] | None = None
    seconds: Positive = 3600.0
    bodies: Literal["none", "suspected", "all"] = "suspected"
    personal: bool = False
    home_resolvers: bool = False
    controls: tuple[str, ...] = ()


class Budget(_Section, frozen=True, kw_only=True):
    """What measuring may use; None: as much as it takes (`probe.budget`, `probe.retention`).

    Bounds of a day hold over all runs of the last 24 hours, on one database: seconds of
    processor, bytes on the line (uploads have their own bound), bytes written to the disk.
    *memory_bytes* is this process's own. *database_bytes* is what the database may take: then
    the oldest that were delivered go first, and with *forget_unshared* those that never left
    as well; where nothing may go, nothing is measured. No run begins that would leave less
    than *reserve_bytes* of the disk free (0: nobody looks).
    """

    processor_seconds_per_day: Positive | None = None
    line_bytes_per_day: Annotated[int, msgspec.Meta(gt=0)] | None = None
    written_bytes_per_day: Annotated[int, msgspec.Meta(gt=0)] | None = None
    memory_bytes: Annotated[int, msgspec.Meta(gt=0)] | None = None
    database_bytes: Annotated[int, msgspec.Meta(ge=1_000_000)] | None = None
    forget_unshared: bool = False
    reserve_bytes: Annotated[int, msgspec.Meta(ge=0)] = 50_000_000


class Tor(_Section, frozen=True, kw_only=True):
    """How Tor is brought up and its relays are reached (`probe.tor`).

    *seconds* is how long a client may take to come up. *bridges* is a file of bridge lines
    that the user was given: they are kept secret. *network* is a file of torrc lines that
    name another Tor network than the public one, or the proxy of this line. *programs* says
    where a program is (``tor``, ``obfs4proxy``), by its name.
    """

    seconds: Positive = 110.0
    bridges: str | None = None
    network: str | None = None
    programs: dict[str, str] = {}


class Config(_Section, frozen=True, kw_only=True):
    """All settings. *lists* are files or names of lists that the package carries.

    *db* is the database, *asn_database* a MaxMind file to use in place of the carried
    table, *proxy* the way out to the controls (never used to measure). *hello* is whose
    ClientHello is sent, a browser's only where the package ``utls`` is installed. *follow_up* says
    whether targets that differ are followed up, *vpn_ok* whether to measure behind a VPN.
    Targets whose list calls them riskier than *max_risk* are left out; None: nothing of a
    list that was chosen, and what is of high risk of the list that is measured where none was.
    """

    db: str = ""
    lists: tuple[str, ...] = ()
    controls: tuple[ControlServer, ...] = ()
    ooni_helpers: bool = False
    proxy: str | None = None
    resolvers: ResolverChoice = ResolverChoice()
    canaries: Canaries = Canaries()
    portal_checks: tuple[PortalCheck, ...] = PORTAL_CHECKS
    limits: Limits = Limits()
    ladder: Ladder = Ladder()
    upload: Upload = Upload()
    budget: Budget = Budget()
    tor: Tor = Tor()
    asn_database: str | None = None
    hello: Literal["browser", "python"] = "browser"
    follow_up: bool = True
    vpn_ok: bool = False
    max_risk: Literal["low", "medium", "high"] | None = None

    @property
    def database(self) -> Path:
        return Path(self.db).expanduser() if self.db else places.database()

    @property
    def all_controls(self) -> tuple[ControlServer, ...]:
        """The controls to ask, OONI's helpers among them where they were chosen."""
        helpers = OONI_HELPERS if self.ooni_helpers else ()
        return self.controls + tuple(
            ControlServer(name=f"ooni-th-{n}", url=url) for n, url in enumerate(helpers)
        )


def load(path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Config:
    """The settings in force. Raises `ConfigError`.

    *path* must be there if it is given; else ``ZOND_CONFIG``, else the platform's
    place, where a file may be. *flags* have the form of the file.
    """
    named = path or (Path(p) if (p := environment.get("ZOND_CONFIG")) else None)
    settings: dict[str, Any] = {}
    layers = [_from_file(named or places.config_file(), required=named is not None)]
    layers += [_from_environment(environment), ("the arguments", dict(flags))]
    for source, layer in layers:
        _checked(source, layer)
        settings = _merged(settings, layer)
    config = _checked("the settings together", settings)
    kept_apart = {*config.canaries.domestic, *config.canaries.foreign}
    kept_apart |= {control.host for control in config.controls}
    if both := sorted(kept_apart & {*config.ladder.neutral}):
        # What is tried there would make the line, or a control, look dead.
        raise ConfigError(f"ladder.neutral: {both[0]} is a canary or a control")
    return config


def controls_from_urls(urls: tuple[str, ...]) -> list[dict[str, str]]:
    """Controls given by address alone, named by their order."""
    return [{"name": f"control-{n}", "url": url} for n, url in enumerate(urls, 1)]


def _from_file(path: Path, *, required: bool) -> tuple[str, dict[str, Any]]:
    path = path.expanduser()
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1)
    except FileNotFoundError as exc:
        if not required:
            return str(path), {}
        raise ConfigError(f"no configuration file at {path}") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror or exc}") from exc
    if len(text) > MAX_FILE:
        raise ConfigError(f"{path}: too big for a configuration file")
    try:
        return str(path), tomllib.loads(text.decode())
    except (ValueError, RecursionError) as exc:  # TOML of numbers without end, or nested so
        raise ConfigError(f"{path}: not TOML: {exc}") from exc


def _from_environment(environment: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    layer: dict[str, Any] = {}
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in POINTERS:
            continue
        *tables, key = name.removeprefix(PREFIX).lower().split("__")
        place = layer
        for table in tables:
            place = place.setdefault(table, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{name} contradicts another variable")
        place[key] = _toml_value(environment[name])
    return "the environment (ZOND_…)", layer


def _toml_value(text: str) -> Any:
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return read["value"] if set(read) == {"value"} else text


def _merged(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are joined, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, Mapping)
        merged[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _checked(source: str, layer: Mapping[str, Any]) -> Config:
    try:
        return msgspec.convert(layer, Config)
    except msgspec.ValidationError as exc:
        said, _, place = str(exc).partition(" - at `$")
        place = place.rstrip("`").lstrip(".")
        if said.startswith("Object contains unknown field"):
            key = ".".join(filter(None, (place, said.split("`")[1])))
            raise ConfigError(f"{source}: unknown key {key!r}") from exc
        if "matching regex" in said:
            said = "not a URL that can be used here"
        raise ConfigError(f"{source}: {place or 'value'}: {said[0].lower()}{said[1:]}") from exc
