"""Writing a report: one file, or one file and a folder of pages behind it.

Rule: the first page stays small whatever there is to tell (`MOST`): what does not fit is on
pages of its own where there is a folder, and is counted where there is none. Files are whole or
not there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from analysis.report.cells import sites
from analysis.report.evidence import TOLD, in_order, proofs
from analysis.report.gather import Facts
from analysis.report.inert import PageSeen
from analysis.report.overview import MOST_COLUMNS, overview
from analysis.report.page import Pages
from analysis.report.shown import Row, Site, anchor, by_host, row, shown, site
from analysis.report.tell import Teller
from probe.store import Store

MOST_CELLS = 40_000          # in the first page's table
MOST_SITES = 1500            # told one by one in a single file
MOST_EVIDENCE = 2_200_000    # bytes of chains in a single file
MOST_PAGES = 40              # pages that came in place of sites, in a single file
MOST_PROVED = 400            # sites whose evidence is read
PER_LIST = 500               # sites on one page of the list


class Writer:
    """Writes the report of *facts* to *out*; with *folder*, pages of sites go there."""

    def __init__(self, facts: Facts, tell: Teller, out: Path, folder: Path | None) -> None:
        self._facts, self._tell, self._out, self._folder = facts, tell, out, folder
        self._pages = Pages(tell, facts.rules_version)
        self._asns = [n.asn for n in facts.networks]
        self._events = by_host(facts.events)

    def write(self) -> list[Path]:
        """Write all of it; the files, the first page first. Raises `OSError`, `StoreError`."""
        rows = self._rows()
        told = self._told(rows)
        written = [self._out]
        known = {s.host for s in told}
        context = overview(self._facts, self._tell) | {
            "rows": rows, "rows_left_out": self._left_out(len(rows)), "list_pages": [],
            "sites": told, "pages": [], "site_pages": "", "warning": "", "told_elsewhere": "",
            "link": lambda host: f"#{anchor(host)}" if host in known else "",
            "page_link": lambda id: f"#page-{id}",
        }  # fmt: skip
        context["pages"] = self._prove(told)
        self._write(self._out, self._pages.render("overview.html.jinja", **context))
        return written

    def _all(self) -> Iterator[Row]:
        """Each site with its cells in the country."""
        wanted = set(self._asns)
        for host, found in sites(self._facts.table):
            cells = [c for c in found if c.probe_asn in wanted]
            if cells:
                yield row(host, cells)

    def _rows(self) -> list[Row]:
        """The rows of the first page: what is held comes first."""
        most = MOST_CELLS // max(1, min(len(self._asns), MOST_COLUMNS))
        return sorted(self._all(), key=lambda r: r.rank)[:most]

    def _told(self, rows: Iterable[Row]) -> list[Site]:
        """The sites that have something to tell beside their row."""
        some = (r for r in rows if any(c.state in TOLD for c in r.on.values()))
        return [
            site(r.host, list(r.on.values()), self._events.get(r.host, ()), self._tell)
            for r in islice(some, MOST_SITES)
        ]

    def _prove(self, told: list[Site]) -> list[PageSeen]:
        """Put the evidence to the sites, as much as there is room for; the pages that came."""
        if self._facts.store is None:
            return []
        by = {s.host: s for s in told}
        wanted = in_order(c for s in told for c in s.cells)[:MOST_PROVED]
        places = {(c.host, c.measurement_id): place for place, c in enumerate(wanted)}
        with Store(self._facts.store) as store:
            found = sorted(
                proofs(store, wanted),
                key=lambda p: places.get((p.host, p.id), len(places)),
            )
        size, pages = 0, dict[str, PageSeen]()
        for proof in found:
            drawn = shown(proof)
            size += len(drawn.chain)
            if size > MOST_EVIDENCE:
                break
            by[proof.host].proofs.append(drawn)
            pages |= {p.id: p for p in drawn.pages if p.id in pages or len(pages) < MOST_PAGES}
        return list(pages.values())

    def _left_out(self, shown: int) -> str:
        w = self._tell.words
        left = self._facts.hosts - shown
        if left <= 0:
            return ""
        return w.ngettext(
            "%(num)s more site is not in this table.", "%(num)s more sites are not in this table.",
            left,
        ) % {"num": w.number(left)}  # fmt: skip

    def _write(self, path: Path, pieces: Iterator[str]) -> None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with temporary.open("w", encoding="utf-8") as file:
            for piece in pieces:
                file.write(piece)
        os.replace(temporary, path)
