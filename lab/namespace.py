"""Network namespaces, with root or without, that vanish with the processes in them.

A namespace lives by open files and by processes, never by a name in the file
system, so nothing stays behind even after ``kill -9``. Nothing in here is
imported from outside the standard library: `command_line` runs this very file as
a small launcher (``python -I -S``) that enters a namespace and becomes the program.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import gc
import json
import os
import signal
import struct
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1
_TUNSETIFF, _TUNSETPERSIST = 0x400454CA, 0x400454CB
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000

_ROUNDS = 100

_libc = ctypes.CDLL(None, use_errno=True)


class Namespace(NamedTuple):
    """Open files of a network namespace and, without root, of the user namespace over it."""

    network: int
    user: int | None


def unshare(kinds: int) -> None:
    """Move this process into new namespaces. Python has it from 3.12 on."""
    _checked("unshare", _libc.unshare(kinds))


def enter(namespace: Namespace) -> None:
    """Move this process, which must have one thread, into *namespace*."""
    if namespace.user is not None:
        _checked("setns", _libc.setns(namespace.user, CLONE_NEWUSER))
    _checked("setns", _libc.setns(namespace.network, CLONE_NEWNET))


def take_power() -> int | None:
    """Be allowed to make network namespaces; the user namespace if one was needed for that.

    Its one user is the user of before, seen from inside as root.
    """
    try:
        unshare(CLONE_NEWNET)
    except PermissionError:
        uid, gid = os.geteuid(), os.getegid()
        unshare(CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        return os.open("/proc/self/ns/user", os.O_RDONLY)
    return None


def new_network() -> int:
    """Move this process into a new network namespace; its open file."""
    unshare(CLONE_NEWNET)
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def open_tun(name: str) -> int:
    """The open file of a new TUN device, which is there for as long as the current namespace.

    Not for as long as the file: the kernel removes the devices of a dying namespace
    all at once and in its own time, but makes whoever closes a file wait for each.
    """
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
        fcntl.ioctl(file, _TUNSETPERSIST, 1)
    except BaseException:
        os.close(file)
        raise
    return file


def die_with(parent: int, by: signal.Signals = signal.SIGKILL) -> None:
    """Get the signal *by* when the thread of process *parent* that started us ends."""
    _checked("prctl", _libc.prctl(_PR_SET_PDEATHSIG, by, 0, 0, 0))
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def kill_all_in(networks: Iterable[int]) -> None:
    """Kill every process but ourselves in these network namespaces (inode numbers).

    A program's own children die with nobody, and would keep the namespace.
    """
    doomed = frozenset(networks)
    for _ in range(_ROUNDS):  # they may fork while we look
        found = [
            pid
            for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
            if pid != os.getpid() and _network_of(pid) in doomed
        ]
        if not found:
            return
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _network_of(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return None  # it has ended, or is somebody else's


def stand_in(files: Mapping[str, str]) -> None:
    """Put *files* (path, text) in the place of those that exist, for this process alone.

    The name service daemon's socket goes too: it would answer from the real network.
    """
    unshare(CLONE_NEWNS)
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", 0)  # noqa: S108  # a place that exists; ours, and gone below
    for number, (path, text) in enumerate(files.items()):
        source = Path(f"/tmp/{number}")  # noqa: S108
        source.write_text(text)
        if os.path.exists(path):
            _mount(str(source), os.path.realpath(path), "", _MS_BIND)
    _checked("umount2", _libc.umount2(b"/tmp", _MNT_DETACH))
    if os.path.isdir("/run/nscd"):
        _mount("tmpfs", "/run/nscd", "tmpfs", 0)


def explain_if_impossible() -> str | None:
    """None if a lab can be built here, else one line saying what to do. Found out by trying."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        step = "namespace"
        try:
            take_power()
            new_network()  # in the host's, the device is root's alone
            step = "tun"
            os.close(open_tun("try"))
            step = ""
        except OSError as error:
            os.write(writer, f"{step} {error.errno}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read(64)
    os.waitpid(child, 0)
    if not text:
        return None
    step, number = text.split()
    return _remedy(step, int(number))


def _remedy(step: str, number: int) -> str:
    why = os.strerror(number)
    if step == "tun":
        if number == errno.ENOENT:
            return (
                "the lab needs /dev/net/tun, which is not here: run `sudo modprobe tun`, or give "
                "the container `--device /dev/net/tun`"
            )
        if number == errno.EACCES:
            return (
                "the lab needs /dev/net/tun, which is not open to this user: run "
                "`sudo chmod 0666 /dev/net/tun`, or run this as root"
            )
    for setting, forbidding, allowing in (
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "10000"),
        ("user.max_net_namespaces", "0", "10000"),
    ):
        try:
            value = Path("/proc/sys", *setting.split(".")).read_text().strip()
        except OSError:
            continue  # this kernel has no such switch
        if value == forbidding:
            return (
                f"the lab needs user namespaces, which this system forbids ({why}): run "
                f"`sudo sysctl {setting}={allowing}`, or run this as root"
            )
    thing = "a TUN device" if step == "tun" else "a network namespace"
    return (
        f"the lab needs {thing} and the system refuses it ({why}): run this as root, "
        "or in a container with `--privileged`"
    )


def fork(body: Callable[[], None]) -> int:
    """Run *body* in a child that dies with us and reads nothing; its process id.

    *body* must not return before its work is done and must report its own errors.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    status = 1
    # What of the parent's is garbage is not ours to end: it may have threads that are not here.
    gc.freeze()
    try:
        die_with(parent)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started us
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        body()
        status = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def command_line(namespace: Namespace, files: Mapping[str, str], argv: Sequence[str]) -> list[str]:
    """The command that becomes *argv* inside *namespace*, with *files* standing in.

    Whoever runs it passes the open files of *namespace* on, and its exit status,
    signals and process id are those of *argv* itself.
    """
    order = json.dumps([namespace, files, os.getpid()])
    return [sys.executable, "-I", "-S", __file__, order, *argv]


def main() -> None:
    (network, user), files, parent = json.loads(sys.argv[1])
    argv = sys.argv[2:]
    die_with(parent)
    namespace = Namespace(network, user)
    enter(namespace)
    stand_in(files)
    for file in namespace:
        if file is not None:
            os.close(file)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would pass that on
    try:
        os.execvp(argv[0], argv)  # noqa: S606
    except OSError as error:
        sys.exit(f"{argv[0]}: {error.strerror}")


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    result = _libc.mount(source.encode(), target.encode(), kind.encode(), flags, None)
    _checked(f"mount on {target}", result)


def _checked(what: str, result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
