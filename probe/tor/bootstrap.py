"""Bring the real ``tor`` up from here and watch how far it comes: one `Bootstrap`.

It is another program with its own door to the network, so all else about it is bounded here:
its time, its memory, its files, what is read of its log. However this ends it is killed with
its transport, and its folder is removed; where we are killed ourselves it ends by itself
(``__OwningControllerProcess``).
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import trio

from probe.evidence import Bootstrap
from probe.failure import Failure
from probe.net import Traffic
from probe.tor.bootstrap_log import Progress
from probe.tor.bootstrap_torrc import torrc
from probe.tor.bridges import VANILLA, Bridge
from probe.tor.private_folder import private_folder
from probe.tor.ways import PROGRAMS, Ways, spelled
from probe.trace import Trace

ABSENT = "absent"  # the stage of a client that did not run here: nothing was measured

MAX_MEMORY = 768 << 20  # bytes of data that a process may have
MAX_FILE = 128 << 20  # bytes; a consensus and the descriptors are some 20 MB
MAX_LINE = 4096
_NOT_FOR_IT = ("ZOND_", "TOR_", "XDG_")
_MARGIN = 5.0  # seconds before the target's deadline in which to end in order


async def bootstrap(
    trace: Trace,
    url: str,
    transport: str,
    ways: Ways,
    *,
    ipv4: bool,
    ipv6: bool,
    public: Sequence[Bridge] = (),
) -> None:
    """Bring a client up by *transport* (one of `WAYS`), on record under *url*.

    *public* are bridges that everybody knows, for who has none of their own. What is missing
    on this machine is on record as well, with the stage `ABSENT`.
    """
    t0 = trace.now()
    bridges, whose = ((), "") if transport == VANILLA else ways.bridges_for(transport, public)
    facts: dict[str, object] = {"url": url, "transport": transport, "rendezvous": whose}
    if missing := _missing(transport, ways, bridges):
        facts |= {"failure": Failure.UNKNOWN, "detail": missing, "stage": ABSENT}
        trace.append(Bootstrap, t0, facts)
        return
    limit = min(ways.seconds, trio.current_effective_deadline() - trio.current_time() - _MARGIN)
    progress = Progress()
    with private_folder() as folder:
        text = torrc(
            folder, owner=os.getpid(), ipv4=ipv4, ipv6=ipv6, network=ways.network,
            transport=spelled(transport), program=_program(transport, ways),
            bridges=bridges,
        )  # fmt: skip
        seconds = await _watch(
            ways.program("tor"), text, folder, max(limit, 0.0), progress, ways.traffic
        )
    facts |= {
        "progress": progress.percent,
        "stage": progress.stage,
        "limit": round(limit, 3),
        "tool": f"tor {progress.version}".rstrip(),
        "troubles": tuple(progress.troubles),
    }
    if progress.done:
        facts["seconds"] = round(seconds or 0.0, 3)
    elif seconds is None or progress.transport_failed:  # a program that does not run says nothing
        facts |= {"failure": Failure.UNKNOWN, "detail": progress.complaint, "stage": ABSENT}
    else:
        facts |= {"failure": Failure.TIMEOUT, "detail": progress.complaint}
    trace.append(Bootstrap, t0, facts)


def _missing(transport: str, ways: Ways, bridges: Sequence[Bridge]) -> str:
    """What is not on this machine, and what to do about it; empty: nothing."""
    if not ways.program("tor"):
        return "tor is not installed; on Debian: apt-get install tor"
    if transport == VANILLA:
        return ""
    if not _program(transport, ways):
        return f"no program for {transport} is installed: {' or '.join(PROGRAMS[transport])}"
    if not bridges:
        return f"no bridge for {transport} is known: zond tor bridge add takes what you were given"
    return ""


def _program(transport: str, ways: Ways) -> str:
    return ways.program(*PROGRAMS.get(transport, ()))


async def _watch(
    tor: str, text: str, folder: Path, limit: float, progress: Progress, traffic: Traffic
) -> float | None:
    """Run *tor* until it is up or *limit* is over; seconds, None if it ended by itself before."""
    try:
        # A session of its own: Ctrl-C in the terminal is for us, who end it in order.
        process = await trio.lowlevel.open_process(
            [tor, "-f", "-", "--defaults-torrc", os.devnull],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, env=_environment(folder), cwd=folder,
        )  # fmt: skip
    except OSError:
        return None
    began = trio.current_time()
    try:
        _confine(process.pid)
        assert process.stdin is not None and process.stdout is not None
        with trio.move_on_after(limit):
            with suppress(trio.BrokenResourceError):  # it ended at once, and says why
                await process.stdin.send_all(text.encode())
            await process.stdin.aclose()
            await _listen(process.stdout, progress)
            if not progress.done:
                await process.wait()
                return None
        seconds = trio.current_time() - began
    finally:
        traffic.count(_read_and_written(process.pid))
        with trio.CancelScope(shield=True):
            await _end(process)
    return seconds


async def _listen(stream: trio.abc.ReceiveStream, progress: Progress) -> None:
    """Read the log until the client is up or has ended."""
    pending = b""
    async for chunk in stream:
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            progress.take(line[:MAX_LINE].decode(errors="replace"))
        pending = pending[:MAX_LINE]
        if progress.done:
            return


async def _end(process: trio.Process) -> None:
    """Kill it with its transport: both are one session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            await stream.aclose()


def _read_and_written(pid: int) -> int:
    """Bytes that a process has read and written, its few files among them: no less than it sent.

    Nothing else tells of another program's traffic without privileges (proc(5), ``io``).
    """
    with suppress(OSError, ValueError, KeyError):
        text = Path(f"/proc/{pid}/io").read_text()
        fields = dict(line.split(": ") for line in text.splitlines())
        return int(fields["rchar"]) + int(fields["wchar"])
    return 0


def _confine(pid: int) -> None:
    if not hasattr(resource, "prlimit"):
        return  # not Linux
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (MAX_FILE, MAX_FILE))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def _environment(folder: Path) -> dict[str, str]:
    """The machine's, without settings of ours, proxies, and a home with the user's files."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(_NOT_FOR_IT) and not name.lower().endswith("_proxy")
    }
    return kept | {"HOME": str(folder), "LANG": "C"}
