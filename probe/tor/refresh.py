"""A consensus from whoever has one: relays by a tunnel first, as ``tor`` begins; then authorities.

What comes is believed for its signatures, so directories are asked until one gives a consensus
that enough authorities have signed and that is in force. Where only old ones come it is likely
our own clock that is wrong, and that is what is said.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime

from probe.net import Network
from probe.tor.consensus import (
    MAX_CERTIFICATES,
    MAX_CONSENSUS,
    BadConsensus,
    Consensus,
    read_consensus,
    read_keys,
)
from probe.tor.directory import Directory, NoDocument, fetch
from testlists.target import Target

KEYS, CONSENSUS = "/tor/keys/all.z", "/tor/status-vote/current/consensus.z"
MOST_RELAYS = 8  # asked before the authorities are
AUTHORITY = "or_port_dirauth"


class NoConsensus(Exception):
    """There is none to be had. The message is one line."""


def directories(authorities: Iterable[Target], relays: Iterable[Target]) -> list[Directory]:
    """Whom to ask, in that order: some *relays*, drawn anew each time, then the *authorities*."""
    known = [d for t in relays if t.port and (d := _tunnel(t)).fingerprint]
    chosen = random.SystemRandom().sample(known, min(MOST_RELAYS, len(known)))
    first = [t for t in authorities if t.port]
    tunnels = [_tunnel(target) for target in first]
    ports = [
        Directory(name=_name(t), ip=t.hostname, dir_port=int(t.attribute("dir_port")))
        for t in first
        if t.attribute("dir_port").isdecimal()
    ]
    return [*chosen, *tunnels, *ports]


def known_authorities(targets: Iterable[Target]) -> frozenset[str]:
    """The identities (v3ident) that may sign a consensus, of a list of authorities."""
    return frozenset(v.upper() for t in targets if (v := t.attribute("v3ident")))


async def gather(
    net: Network,
    asked: Sequence[Directory],
    authorities: Collection[str],
    *,
    now: float,
    usable: Callable[[str], bool],
    note: Callable[[str], None],
    any_date: bool = False,
) -> Consensus:
    """The first consensus of *asked* that *authorities* have signed and that is in force *now*.

    *any_date*: or is not. Only *usable* addresses are asked; *note* is told of each that does
    not help. Raises `NoConsensus`.
    """
    stale: Consensus | None = None
    for directory in asked:
        if not usable(directory.ip):
            continue
        try:
            keys = read_keys(await fetch(net, directory, KEYS, max_bytes=MAX_CERTIFICATES))
            text = await fetch(net, directory, CONSENSUS, max_bytes=MAX_CONSENSUS)
            consensus = read_consensus(text, keys, authorities)
        except NoDocument as exc:
            note(str(exc))
            continue
        except BadConsensus as exc:
            note(f"{directory.name}: {exc}")
            continue
        if any_date or consensus.in_force(now):
            return consensus
        stale = consensus
        note(f"{directory.name}: {not_in_force(consensus, now)}")
    if stale is not None:
        raise NoConsensus(not_in_force(stale, now))
    raise NoConsensus("no directory of Tor gave a consensus; have you one in a file? (--from-file)")


def not_in_force(consensus: Consensus, now: float) -> str:
    """The words for a consensus of another day than *now*: one of the two is wrong."""
    since, until, clock = (
        f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
        for at in (consensus.valid_after, consensus.valid_until, now)
    )
    return (
        f"the consensus holds from {since} to {until} UTC, and this machine's clock says {clock}:"
        " one of them is wrong"
    )


def _tunnel(target: Target) -> Directory:
    return Directory(
        name=_name(target), ip=target.hostname, or_port=target.port or 0,
        fingerprint=target.attribute("fingerprint"), ed25519=target.attribute("ed25519"),
    )  # fmt: skip


def _name(target: Target) -> str:
    return target.attribute("nickname") or target.hostname
