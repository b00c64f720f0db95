"""Everything about this machine and its user that must not leave: found in one place.

Rule: what is not known cannot be found in a body that echoes it, so this asks the machine
for all that it can tell, anew each time. It is kept in memory and written down nowhere:
addresses that only a control can tell (behind a NAT) are taken out of the evidence before
it is stored (`probe.scrubbing.echo`), since when it leaves, days later, nobody knows them
any more.
"""

from __future__ import annotations

import ctypes
import getpass
import locale
import os
import socket
import struct
import sys
import uuid
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import msgspec

from probe.surroundings.environment import gateways
from probe.surroundings.resolvers import system_resolvers

SIOCGIFADDR = 0x8915  # netdevice(7)
SIOCGIWESSID = 0x8B1B  # linux/wireless.h
MAX_FILE = 1 << 20  # bytes read of a file of the system
MAX_ESSID = 32  # bytes, IEEE 802.11


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What must not leave.

    *addresses* are IPv4 and IPv6 ones, in any form that `ipaddress` reads, of this machine,
    of the household's devices and of its line as the world sees it. *macs* are those of the
    interfaces, *names* what this machine, its user, the home directory and the Wi-Fi are
    called. *zone* (``Europe/Minsk``) and *locale* (``be_BY.UTF-8``) are settings.
    """

    addresses: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    zone: str = ""
    locale: str = ""


def collect(addresses: Iterable[str] = (), *, root: Path = Path("/")) -> Known:
    """What this machine tells of itself, and the *addresses* that others told us.

    *root* is where ``proc``, ``sys`` and ``etc`` are. What the system does not tell is left
    out: there is no part of it that every system has.
    """
    return Known(
        addresses=tuple(
            dict.fromkeys(ip for ip in (*addresses, *_addresses(root)) if is_telling(ip))
        ),
        macs=tuple(dict.fromkeys(_macs(root))),
        names=tuple(dict.fromkeys(name for name in _names(root) if name)),
        zone=_zone(root),
        locale=_locale(),
    )


def is_telling(text: str) -> bool:
    """Whether *text* is an address, and not one that every machine has."""
    try:
        ip = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return not (ip.is_loopback or ip.is_unspecified or ip.is_multicast)


def _addresses(root: Path) -> Iterable[str]:
    for line in _lines(root / "proc/net/if_inet6"):
        with suppress(ValueError, IndexError, OSError):
            yield socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0]))
    yield from _local_ipv4()
    # The table of neighbours: the other devices at home.
    for line in _lines(root / "proc/net/arp")[1:]:
        yield line.split()[0] if line.split() else ""
    yield from gateways(str(root / "proc/net"))
    resolv = root / "etc/resolv.conf"
    yield from (ip for ip in system_resolvers(resolv) if not _is_global(ip))


def _local_ipv4() -> Iterable[str]:
    for name in _interfaces():
        reply = _asked(SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        if reply:
            yield socket.inet_ntoa(reply[20:24])


def _interfaces() -> Iterable[str]:
    with suppress(OSError):
        yield from (name for _, name in socket.if_nameindex())


def _asked(request: int, argument: bytes) -> bytes:
    """What Linux answers to *request* about an interface; nothing where it does not."""
    if not sys.platform.startswith("linux"):
        return b""
    import fcntl  # which not every system has

    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return fcntl.ioctl(sock, request, argument)
    return b""


def _macs(root: Path) -> Iterable[str]:
    for path in sorted((root / "sys/class/net").glob("*/address")):
        found = "".join(_lines(path)[:1]).strip().lower()
        if len(found) == 17 and found not in ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"):
            yield found
    for line in _lines(root / "proc/net/arp")[1:]:
        words = line.split()
        if len(words) > 3 and len(words[3]) == 17 and words[3] != "00:00:00:00:00:00":
            yield words[3].lower()
    if root == Path("/"):
        number = uuid.getnode()
        if not number >> 40 & 1:  # else Python made it up (RFC 9562, 6.10)
            yield number.to_bytes(6, "big").hex(":")


def _names(root: Path) -> Iterable[str]:
    with suppress(OSError):
        yield socket.gethostname()
        yield socket.gethostname().partition(".")[0]
    with suppress(OSError, KeyError):
        yield getpass.getuser()
    with suppress(RuntimeError):
        yield str(Path.home())
    yield from _real_name()
    for line in _lines(root / "etc/machine-id"):
        yield line.strip()
    yield from _wifi()


def _real_name() -> Iterable[str]:
    with suppress(ImportError, KeyError):
        import pwd  # which not every system has

        found = pwd.getpwuid(os.getuid()).pw_gecos.partition(",")[0].strip()
        if " " in found:  # a person's; one word is a role
            yield found


def _wifi() -> Iterable[str]:
    for name in _interfaces():
        space = ctypes.create_string_buffer(MAX_ESSID + 1)
        where = struct.pack("16sPHH", name.encode()[:15], ctypes.addressof(space), MAX_ESSID, 0)
        if _asked(SIOCGIWESSID, where):
            yield space.value.decode("utf-8", "replace")


def _zone(root: Path) -> str:
    if named := os.environ.get("TZ", "").lstrip(":"):
        return named if "/" in named else ""
    for line in _lines(root / "etc/timezone"):
        return line.strip()
    with suppress(OSError):
        _, found, name = os.readlink(root / "etc/localtime").partition("zoneinfo/")
        return name if found else ""
    return ""


def _locale() -> str:
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if named := os.environ.get(variable):
            return named
    name, encoding = locale.getlocale()
    return f"{name}.{encoding}" if name and encoding else ""


def _is_global(text: str) -> bool:
    return ip_address(text.partition("%")[0]).is_global


def _lines(path: Path) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(MAX_FILE).splitlines()
    except OSError:
        return []
