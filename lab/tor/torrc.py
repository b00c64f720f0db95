"""The private network's torrc files: what each daemon is told.

The periods are as short as ``tor`` allows (TestingTorNetwork; tor's src/feature/dirauth,
``MIN_VOTE_INTERVAL_TESTING`` and its like), so that a consensus stands within seconds. Nobody
measures bandwidth or reachability here, so all are believed to have both, as chutney does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.tor.plan import Daemon

FIRST_VOTES, VOTES = 5, 10  # seconds between votes: until there is a consensus, and then
_DELAY = 2  # seconds for votes, and for signatures, to get around


@dataclass(frozen=True)
class Authority:
    """What everybody must know of an authority: its *v3ident*, its relay's *fingerprint*."""

    daemon: Daemon
    v3ident: str
    fingerprint: str

    @property
    def line(self) -> str:
        d = self.daemon
        six = f" ipv6=[{d.address6}]:{d.or_port}" if d.address6 else ""
        return (
            f"DirAuthority {d.name} orport={d.or_port} v3ident={self.v3ident}{six} "
            f"{d.address}:{d.dir_port} {self.fingerprint}"
        )


def network(authorities: Sequence[Authority]) -> str:
    """What every daemon and client of the network needs, to be in this one and no other."""
    return "".join(f"{line}\n" for line in ("TestingTorNetwork 1", *(a.line for a in authorities)))


def torrc(daemon: Daemon, folder: Path, authorities: Sequence[Authority], program: str) -> str:
    """The configuration of *daemon*, which keeps all it has in *folder*.

    *program* is that of its pluggable transport.
    """
    return network(authorities) + "".join(f"{line}\n" for line in _lines(daemon, folder, program))


def _lines(daemon: Daemon, folder: Path, program: str) -> Iterator[str]:
    yield from (
        f"DataDirectory {folder}",
        f"Log notice file {folder}/log",
        f"PidFile {folder}/pid",
        f"Nickname {daemon.name}",
        "SocksPort 0",
        f"Address {daemon.address}",
        f"OutboundBindAddress {daemon.address}",
        f"ORPort {daemon.address}:{daemon.or_port}",
        "AssumeReachable 1",
        "ContactInfo lab",
        "DirCache 1",
        "NumCPUs 1",
        "MaxMemInQueues 256 MB",
        "ShutdownWaitLength 0",
        "ExitRelay 1" if daemon.exit else "ExitRelay 0",
    )
    if daemon.exit:
        yield "ExitPolicy accept *:*"
    if daemon.address6:
        yield f"ORPort [{daemon.address6}]:{daemon.or_port}"
        yield f"OutboundBindAddress [{daemon.address6}]"
    if daemon.dir_port:
        yield f"DirPort {daemon.address}:{daemon.dir_port}"
    match daemon.kind:
        case "authority":
            yield from (
                "AuthoritativeDirectory 1",
                "V3AuthoritativeDirectory 1",
                f"TestingV3AuthInitialVotingInterval {FIRST_VOTES}",
                f"TestingV3AuthInitialVoteDelay {_DELAY}",
                f"TestingV3AuthInitialDistDelay {_DELAY}",
                f"V3AuthVotingInterval {VOTES}",
                f"V3AuthVoteDelay {_DELAY}",
                f"V3AuthDistDelay {_DELAY}",
                "V3AuthNIntervalsValid 3",
                "TestingDirAuthVoteExit *",
                "TestingDirAuthVoteGuard *",
                "TestingDirAuthVoteHSDir *",
                "AuthDirHasIPv6Connectivity 1",
            )
        case "bridge":
            yield "BridgeRelay 1"
            yield "PublishServerDescriptor 0"
    if daemon.transport:
        yield from (
            f"ServerTransportPlugin {daemon.transport} exec {program}",
            f"ServerTransportListenAddr {daemon.transport} {daemon.address}:{daemon.pt_port}",
            "ExtORPort auto",
        )
