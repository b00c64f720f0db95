"""The ways into Tor that there are from this machine: programs, bridges, a network.

A bridge that somebody was given is theirs to keep secret: it is read from a file that they
name, held in memory, and in no record.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from probe import places
from probe.config import ConfigError, Tor
from probe.net import Traffic
from probe.tor.bootstrap_torrc import BadNetwork, read_network
from probe.tor.bridges import VANILLA, BadBridges, Bridge, read
from probe.tor.keeping import Keeping, KeepingError, Kept

# The programs that speak a transport, in the order of preference.
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "obfs4": ("lyrebird", "obfs4proxy"),
    "snowflake": ("snowflake-client",),
    "webtunnel": ("webtunnel-client", "lyrebird"),
    "meek": ("lyrebird", "obfs4proxy"),
}
WAYS = (VANILLA, *PROGRAMS)
_SPELLED = {"meek": "meek_lite"}  # as bridge lines and these programs call it
_MORE_PLACES = "/usr/local/bin:/usr/bin:/usr/local/sbin:/usr/sbin"


@dataclass(frozen=True, kw_only=True)
class Ways:
    """By what means a client can be brought up here.

    *seconds* is how long one may take. *bridges* are the user's own, and go before those that
    everybody knows, which the list brings as a target's attributes; *kept* are those of them
    that are kept sealed, with their names. *network* are lines of a
    torrc that name another Tor network than the public one, or how this line reaches it.
    *programs* says where a program is, by its name, and *traffic* counts what clients send.
    """

    seconds: float = Tor().seconds
    bridges: tuple[Bridge, ...] = ()
    kept: tuple[Kept, ...] = ()
    network: tuple[str, ...] = ()
    programs: Mapping[str, str] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)

    def program(self, *names: str) -> str:
        """The path of the first of *names* that is on this machine; empty: none is."""
        for name in names:
            said = self.programs.get(name, name)
            if found := shutil.which(said) or shutil.which(said, path=_MORE_PLACES):
                return found
        return ""

    def bridges_for(
        self, transport: str, public: Sequence[Bridge] = ()
    ) -> tuple[tuple[Bridge, ...], str]:
        """Bridges for *transport*, and whose: ``"own"`` or ``"public"``; empty where none are."""
        for whose, bridges in (("own", self.bridges), ("public", public)):
            fitting = tuple(b for b in bridges if b.transport == spelled(transport))
            if fitting:
                return fitting, whose
        return (), ""


def spelled(transport: str) -> str:
    """*transport* as bridge lines call it."""
    return _SPELLED.get(transport, transport)


def ways_of(settings: Tor, traffic: Traffic | None = None) -> Ways:
    """The ways that *settings* name. Raises `ConfigError`."""
    kept: tuple[Kept, ...] = ()
    with suppress(KeepingError):  # `zond tor bridge list` says why; all else can be measured
        kept = Keeping(places.bridges()).all()
    try:
        named = read(Path(settings.bridges).expanduser()) if settings.bridges else ()
        return Ways(
            seconds=settings.seconds,
            bridges=tuple(dict.fromkeys((*named, *(each.bridge for each in kept)))),
            kept=kept,
            network=read_network(Path(settings.network).expanduser()) if settings.network else (),
            programs=settings.programs,
            traffic=traffic or Traffic(),
        )
    except (BadBridges, BadNetwork) as exc:
        raise ConfigError(f"tor: {exc}") from exc
