#!/usr/bin/env python3
"""Build the table of address holders that the package carries, ``probe/data/asn.mmdb``.

Not part of the installed program: needs ``mmdb_writer``. The sources are CSV files
without a header, given as arguments, since which of them may be given away is a
decision that is written down in ``probe/data/README.md``, not here:

- holders: first address, last address, AS number, holder
- countries: first address, last address, ISO 3166 code

Addresses are text or whole numbers; ranges are inclusive and sorted. What is cut
for size: routes longer than a /24 or a /48, which hardly any network accepts, and
holders' names beyond 80 characters (40 would save 3 % and lose "Beltelecom", the
last word of its name).

    python scripts/build_asn_table.py --built 2026-06-17 \\
        --holders asn-ipv4.csv asn-ipv6.csv --countries country-ipv4.csv country-ipv6.csv \\
        --attribution "Route Views, DB-IP.com, NRO" --out probe/data/asn.mmdb
"""

from __future__ import annotations

import argparse
import csv
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, NamedTuple

from mmdb_writer import MMDBWriter, SearchTreeLeaf, SearchTreeNode

MAX_HOLDER = 80  # characters
LONGEST = {4: 24, 6: 48}  # bits of prefix kept
BITS = {4: 32, 6: 128}
V4_IN_V6 = 96  # bits of zeros in front of an IPv4 address in a database of both

Child = SearchTreeNode | SearchTreeLeaf | None


class Range(NamedTuple):
    """From *first* to *last*, both included; *facts* are the columns behind."""

    first: int
    last: int
    facts: tuple[str, ...]


class DatedWriter(MMDBWriter):
    """Puts the date of the data into the database, where the library puts the present moment."""

    def __init__(self, built: date, **options: Any) -> None:
        super().__init__(**options)
        self._built = int(datetime.combine(built, time(), UTC).timestamp())

    def _build_meta(self) -> dict[str, Any]:
        return {**super()._build_meta(), "build_epoch": self._built}


def main() -> int:
    options = _arguments().parse_args()
    holders, countries = read(options.holders), read(options.countries)
    trees = Trees()
    roots = {v: trees.build(overlay(holders[v], countries[v]), v) for v in (4, 6)}
    writer = DatedWriter(
        options.built,
        ip_version=6,
        ipv4_compatible=True,
        database_type="zond-asn",
        languages=["en"],
        description={"en": f"AS, holder and country of addresses. Data: {options.attribution}"},
    )
    writer.tree = trees.joined(roots[4], roots[6])
    writer.to_db_file(str(options.out))
    print(f"{options.out}: {options.out.stat().st_size:,} bytes, {len(trees.nodes):,} nodes")
    return 0


def read(paths: Iterable[Path]) -> dict[int, list[Range]]:
    """The ranges of all files by IP version."""
    ranges: dict[int, list[Range]] = {4: [], 6: []}
    for path in paths:
        with path.open(newline="", encoding="utf-8") as file:
            for first, last, *facts in csv.reader(file):
                start, end = _address(first), _address(last)
                ranges[start.version].append(Range(int(start), int(end), tuple(facts)))
    for found in ranges.values():
        found.sort()
    return ranges


def overlay(holders: list[Range], countries: list[Range]) -> Iterator[Range]:
    """*holders* cut where the country changes, with the country as a third fact."""
    at = 0
    for first, last, facts in holders:
        while at < len(countries) and countries[at].last < first:
            at += 1
        position, index = first, at
        while index < len(countries) and countries[index].first <= last:
            country = countries[index]
            if position < country.first:
                yield Range(position, country.first - 1, (*facts, ""))
            begin = max(position, country.first)
            yield Range(begin, min(last, country.last), (*facts, *country.facts))
            position, index = country.last + 1, index + 1
        if position <= last:
            yield Range(position, last, (*facts, ""))


class Trees:
    """Search trees in which equal parts exist once: a third smaller than one plain tree."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[int, int], SearchTreeNode] = {}
        self._leaves: dict[tuple[str, ...], SearchTreeLeaf] = {}

    def build(self, ranges: Iterable[Range], version: int) -> Child:
        """The tree of *ranges*, cut at the longest prefix kept for this IP *version*."""
        found = list(ranges)
        starts = [r.first for r in found]
        bits, longest = BITS[version], LONGEST[version]

        def node(low: int, length: int, i: int, j: int) -> Child:
            if i == j:
                return None
            high = low + (1 << (bits - length)) - 1
            if length == longest or (i + 1 == j and _covers(found[i], low, high)):
                # Of several holders in one prefix of the longest kind, the largest share.
                return self._leaf(max(found[i:j], key=lambda r: _share(r, low, high)).facts)
            middle = low + (1 << (bits - length - 1))
            k = bisect_left(starts, middle, i, j)
            over = k - 1 if k > i and found[k - 1].last >= middle else k
            return self._node(node(low, length + 1, i, k), node(middle, length + 1, over, j))

        return node(0, 0, 0, len(found))

    def joined(self, v4: Child, v6: Child) -> SearchTreeNode:
        """*v6* with *v4* at ::/96, where readers look for IPv4 addresses."""
        spine: list[SearchTreeNode] = []
        node = v6
        for _ in range(V4_IN_V6):
            if node is not None and not isinstance(node, SearchTreeNode):
                raise ValueError("the IPv6 ranges cover ::/96, which stands for IPv4")
            spine.append(node or SearchTreeNode())
            node = spine[-1].left
        child = SearchTreeNode(v4, spine.pop().right)
        while spine:
            child = SearchTreeNode(child, spine.pop().right)
        return child

    def _node(self, left: Child, right: Child) -> Child:
        if left is right and not isinstance(left, SearchTreeNode):
            return left
        key = (id(left), id(right))  # children are shared too, so that the same is equal
        return self.nodes.setdefault(key, SearchTreeNode(left, right))

    def _leaf(self, facts: tuple[str, ...]) -> SearchTreeLeaf:
        asn, holder, cc = facts
        if facts not in self._leaves:
            row: dict[str, str | int] = {"autonomous_system_number": int(asn)}
            if name := shortened(holder):
                row["autonomous_system_organization"] = name
            if cc:
                row["country"] = cc
            self._leaves[facts] = SearchTreeLeaf(row)
        return self._leaves[facts]


def shortened(holder: str) -> str:
    """*holder* in at most `MAX_HOLDER` characters, cut between words where possible."""
    name = " ".join(holder.split())
    if len(name) <= MAX_HOLDER:
        return name
    cut = name[: MAX_HOLDER + 1].rpartition(" ")[0]
    return (cut if len(cut) > MAX_HOLDER // 2 else name[:MAX_HOLDER]).rstrip(" ,-")


def _address(text: str) -> IPv4Address | IPv6Address:
    return ip_address(int(text) if text.isdigit() else text)


def _covers(found: Range, low: int, high: int) -> bool:
    return found.first <= low and high <= found.last


def _share(found: Range, low: int, high: int) -> int:
    return min(found.last, high) - max(found.first, low)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--holders", type=Path, nargs="+", required=True)
    parser.add_argument("--countries", type=Path, nargs="+", required=True)
    parser.add_argument("--built", type=date.fromisoformat, required=True, help="YYYY-MM-DD")
    parser.add_argument("--attribution", required=True, help="whom the data's licences name")
    parser.add_argument("--out", type=Path, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
