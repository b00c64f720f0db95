"""Where the CPU of a run goes: whose code its main thread is in, by the profiler.

A profiler makes every call dearer, and small ones most, so the shares are a guide to what is
worth mending and no measure; how much a run takes is measured without it (`bench.full_list`).
"""

from __future__ import annotations

import pstats
from collections import defaultdict
from pathlib import Path

ROWS = 14

_WAITING = "<method 'poll' of 'select.epoll' objects>"  # is no work
# By the first that is in a function's file, or name where it has no file.
_WHOSE = (
    ("trio", "trio: tasks, deadlines, sockets"),
    ("httpcore2", "httpcore2: HTTP connections and their pool"),
    ("httpx2", "httpx2: questions to the controls"),
    ("h11", "h11: HTTP/1.1"),
    ("h2", "h2, hpack, hyperframe: HTTP/2"),
    ("hpack", "h2, hpack, hyperframe: HTTP/2"),
    ("hyperframe", "h2, hpack, hyperframe: HTTP/2"),
    ("dns", "dnspython: answers of resolvers"),
    ("utls", "utls: handshakes as a browser's, TLS to the sites"),
    ("OpenSSL", "certificates: pyOpenSSL, cryptography, service-identity"),
    ("cryptography", "certificates: pyOpenSSL, cryptography, service-identity"),
    ("service_identity", "certificates: pyOpenSSL, cryptography, service-identity"),
)
_PACKAGES = ("probe", "testlists", "analysis")
_OURS = "zond's own code"
_SOCKETS = "the kernel: sockets"
_CONTROLS = "ssl: TLS to the controls"
_IMPORTS = "imports"
_REST = "the standard library and the rest"


def shares(profile: Path, *, ours: Path) -> list[tuple[str, float]]:
    """Who took which share (0 to 1) of the work in *profile*, the most first; *ours* is the
    directory of zond's packages where they are not installed. What is built in counts for who
    called it."""
    functions = _functions(profile)

    def python(function: _Function) -> str:
        """The file of who called what is built in, over others that are built in (`map`)."""
        for _ in range(10):
            callers = functions[function][4]
            if function[0] != "~" or not callers:
                break
            function = max(callers, key=lambda caller: callers[caller][2])
        return function[0]

    took: defaultdict[str, float] = defaultdict(float)
    for (file, _, name), (_, _, own, _, callers) in functions.items():
        if name == _WAITING:
            continue
        if "_socket.socket" in name or "socket.close" in name:
            took[_SOCKETS] += own
        elif file != "~" or not callers:
            took[_whose(file, ours)] += own
        else:
            for caller, (_, _, part, _) in callers.items():
                took[_whose(python(caller), ours)] += part
    whole = sum(took.values())
    first = sorted(took.items(), key=lambda each: -each[1])[:ROWS]
    return [(who, seconds / whole) for who, seconds in first]


def table(found: list[tuple[str, float]], targets: int) -> str:
    """*found* in Markdown."""
    lines = [
        f"`python -m bench.full_list --targets {targets} --profile`, the main thread:",
        "", "| whose code | share |", "|---|--:|",
    ]  # fmt: skip
    return "\n".join(lines + [f"| {who} | {100 * share:.0f} % |" for who, share in found])


_Function = tuple[str, int, str]
_Figures = tuple[int, int, float, float]


def _functions(
    profile: Path,
) -> dict[_Function, tuple[int, int, float, float, dict[_Function, _Figures]]]:
    return dict(pstats.Stats(str(profile)).stats)  # type: ignore[attr-defined]


def _whose(file: str, ours: Path) -> str:
    package = file.partition("site-packages/")[2].partition("/")[0]
    if package in _PACKAGES or (not package and file.startswith(f"{ours}/")):
        return _OURS
    if "importlib" in file:
        return _IMPORTS
    if file.endswith("/ssl.py"):
        return _CONTROLS
    return next((said for name, said in _WHOSE if name == package), _REST)
