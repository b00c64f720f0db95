"""What the services consist of, and by whom their certificates are signed: data, not code.

``data/services.csv`` says, for each nettest that measures a service and not a site, which
parts the service has, by what they are known in the evidence, and which of them it needs.
``data/service_authorities.csv`` lists authorities that services have of their own, and the
version of the nettest that first knew them: an older one finds each good certificate bad.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Literal, cast, get_args

# By what a part is known: host names, addresses without one, addresses that were tried for a
# name, relays of a class, a resolver, a client's bootstrap, a server that says back what
# reached it, an endpoint of which a nettest of ours has a record of the whole.
Target = Literal["host", "address", "tried", "relay", "resolver", "bootstrap", "echo", "reach"]
# The service is gone without it (*yes*); without all of those that are *any*; not (*no*). What
# is *ignored* tells nothing; of a *name* only that it resolves is measured; what is *beside*
# it, at its own port, speaks another protocol.
Needed = Literal["yes", "any", "no", "name", "ignored", "beside"]

UNJUDGED = "unjudged"  # the service of a nettest that no rule is for

_FILES = ("services.csv", "service_authorities.csv")


class ServicesError(ValueError):
    """The table of services cannot be read; the text says which line and why."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a service; the meaning of the fields is in ``data/README.md``."""

    nettest: str
    service: str
    category: str
    part: str
    target: Target
    pattern: str
    needed: Needed
    independent: bool
    source: str


@dataclass(frozen=True, kw_only=True)
class Authority:
    """An authority of the service's own, by the SHA-256 of its certificate."""

    nettest: str
    sha256: str
    name: str
    known_since: tuple[int, ...]
    source: str


def load(text: str) -> tuple[Part, ...]:
    """Read *text* (CSV). Raises `ServicesError`."""
    found = []
    for number, row in enumerate(csv.DictReader(text.splitlines(), strict=True), 2):
        if None in row or not all(row.values()):
            raise ServicesError(f"services, line {number}: wrong number of columns")
        if row["needed"] not in get_args(Needed) or row["independent"] not in ("yes", "no"):
            raise ServicesError(f"services, line {number}: needed or independent is no such word")
        named = "." in row["target"]
        if not named and row["target"] not in get_args(Target):
            raise ServicesError(f"services, line {number}: no target {row['target']!r}")
        found.append(
            Part(
                nettest=row["nettest"], service=row["service"], category=row["category"],
                part=row["part"], target="host" if named else cast(Target, row["target"]),
                pattern=row["target"] if named else "", needed=cast(Needed, row["needed"]),
                independent=row["independent"] == "yes", source=row["source"],
            )
        )
    return tuple(found)


def source_text() -> str:
    """Both tables: part of the rules' version."""
    data = files("analysis") / "data"
    return "\n".join((data / name).read_text(encoding="utf-8") for name in _FILES)


@cache
def known() -> dict[str, tuple[Part, ...]]:
    """The parts by nettest."""
    table = load((files("analysis") / "data" / _FILES[0]).read_text(encoding="utf-8"))
    return {
        nettest: tuple(part for part in table if part.nettest == nettest)
        for nettest in dict.fromkeys(part.nettest for part in table)
    }


@cache
def authorities() -> dict[tuple[str, str], Authority]:
    """The services' own authorities, by nettest and SHA-256 of the certificate."""
    text = (files("analysis") / "data" / _FILES[1]).read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), strict=True)
    return {
        (row["nettest"], row["sha256"]): Authority(
            nettest=row["nettest"], sha256=row["sha256"], name=row["name"],
            known_since=version(row["known_since"]), source=row["source"],
        )
        for row in rows
    }


def part_of_host(nettest: str, host: str) -> Part | None:
    """The part that *host* belongs to, by the narrowest pattern; None: none."""
    fitting = [
        part for part in known().get(nettest, ())
        if part.target == "host" and fnmatchcase(host.lower(), part.pattern)
    ]
    return min(fitting, key=lambda part: ("*" in part.pattern, -len(part.pattern)), default=None)


def part_of(nettest: str, target: Target, name: str = "", service: str = "") -> Part | None:
    """The part of *nettest* that is known by *target*; of several by its *name*, else the last.

    With *service*, one of that service's: a nettest of ours may be for more than one.
    """
    fitting = [
        part for part in known().get(nettest, ())
        if part.target == target and service in ("", part.service)
    ]
    named = [part for part in fitting if part.part == name]
    return next(iter(named or fitting[-1:]), None)


def version(text: str) -> tuple[int, ...]:
    """``0.2.2`` as numbers, to compare; empty for what is no version."""
    numbers = text.split(".")
    if not all(n.isascii() and n.isdecimal() and len(n) <= 6 for n in numbers):
        return ()
    return tuple(map(int, numbers))
