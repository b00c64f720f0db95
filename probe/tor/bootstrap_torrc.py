"""The torrc of a client that is brought up to be watched: everything said, nothing inherited.

It is given to ``tor`` on its standard input and the system's files are not read, so that a
bridge's line is on no disk and nothing is measured that somebody else has set. The client
opens no port to anybody, starts no program but the one transport, keeps addresses out of its
log, and ends when we do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from probe.tor.bridges import VANILLA, Bridge

MAX_FILE = 100_000  # bytes
# What a file may say of the network to come into: another one than the public (a private
# test network), or how this line reaches it. Nothing that opens a port or starts a program.
NETWORK_KEYS = frozenset(
    {
        "dirauthority", "alternatedirauthority", "alternatebridgeauthority", "fallbackdir",
        "usedefaultfallbackdirs", "testingtornetwork", "reachableaddresses", "fascistfirewall",
        "socks4proxy", "socks5proxy", "socks5proxyusername", "socks5proxypassword",
        "httpsproxy", "httpsproxyauthenticator",
    }
)  # fmt: skip
_LINE = re.compile(r"([A-Za-z0-9]{3,40})[ \t]+([ !$-&(-[\]-~]{1,1000})", re.ASCII)


class BadNetwork(ValueError):
    """The file of the network cannot be used; the message says where and why."""


def read_network(path: Path) -> tuple[str, ...]:
    """The torrc lines of a file that say which network to come into. Raises `BadNetwork`."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as exc:
        raise BadNetwork(f"the file of the Tor network cannot be read: {path}") from exc
    if len(content) > MAX_FILE:
        raise BadNetwork(f"the file of the Tor network is longer than {MAX_FILE} bytes")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        option = _LINE.fullmatch(line.strip())
        if option is None:
            raise BadNetwork(f"the file of the Tor network, line {number}: no option of a torrc")
        if option[1].lower() not in NETWORK_KEYS:
            raise BadNetwork(f"the file of the Tor network, line {number}: {option[1]} is not for")
        found.append(f"{option[1]} {option[2]}")
    return tuple(found)


def torrc(
    folder: Path,
    *,
    owner: int,
    ipv4: bool,
    ipv6: bool,
    network: Sequence[str] = (),
    transport: str = VANILLA,
    program: str = "",
    bridges: Sequence[Bridge] = (),
) -> str:
    """The text. *folder* takes the client's files, *owner* is the process it ends with.

    *program* is the *transport*'s, *bridges* are those to use; without any it is relays.
    """
    lines = _lines(folder, owner, ipv4, ipv6, transport, program, bridges)
    return "".join(f"{line}\n" for line in (*network, *lines))


def _lines(
    folder: Path, owner: int, ipv4: bool, ipv6: bool, transport: str, program: str,
    bridges: Sequence[Bridge],
) -> Iterator[str]:  # fmt: skip
    yield from (
        f"DataDirectory {folder}",
        "ClientOnly 1",
        "SocksPort 0",
        "ControlPort 0",
        "SafeLogging 1",
        # Why connections fail is told at "info" and in this one domain.
        "Log [~control]notice [control]info stdout",
        "AvoidDiskWrites 1",
        "GeoIPFile /dev/null",  # megabytes to read for what no client of ours asks
        "GeoIPv6File /dev/null",
        "DisableDebuggerAttachment 1",
        "MaxMemInQueues 64 MB",
        "NumCPUs 1",
        "ShutdownWaitLength 0",
        f"__OwningControllerProcess {owner}",
        f"ClientUseIPv4 {int(ipv4)}",
        f"ClientUseIPv6 {int(ipv6)}",
    )
    if transport == VANILLA or not program:
        yield "NoExec 1"
    else:
        yield f"ClientTransportPlugin {transport} exec {program}"
    if bridges:
        yield "UseBridges 1"
        yield from (f"Bridge {bridge.line}" for bridge in bridges)
