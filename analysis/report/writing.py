"""Writing a report: one file, or one file and a folder of pages behind it.

Rule: the first page stays small whatever there is to tell. What does not fit is on pages of its
own where there is a folder; where there is none it is counted, and said how to have it. Files are
whole or not there, and of a folder's only those that a report writes are ever removed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from functools import partial
from heapq import nsmallest
from itertools import islice
from pathlib import Path

from analysis.dataset.manifest import DatasetError
from analysis.report.cells import sites
from analysis.report.evidence import Proof, in_order, proofs
from analysis.report.gather import Facts
from analysis.report.inert import PageSeen
from analysis.report.overview import MOST_COLUMNS, MOST_EVENTS, in_time, overview
from analysis.report.page import Pages
from analysis.report.shown import (
    Row,
    Site,
    anchor,
    by_host,
    fields,
    in_view,
    packed,
    row,
    site,
)
from analysis.report.tell import Teller
from probe.store import Store

MOST_CELLS = 20_000        # in the first page's table
PER_PAGE = 10_000          # cells of a page in the folder
EVENTS_PER_PAGE = 300
MOST_TOLD = 600            # sites told one by one in a single file
MOST_PROVED = 400          # sites whose evidence is shown
IN_VIEW = 500_000          # bytes of chains in view in a single file
PACKED = 1_800_000         # bytes of packed ones
MOST_PAGES = 30            # of those that came in place of sites, in a single file
OURS = re.compile(r"(site-[0-9a-f]{12}|sites-\d{4,}|events-\d{4,})\.html")


def take(folder: Path) -> None:
    """Make *folder*, which is for pages of a report alone; raises `DatasetError` where there are
    other things in it, and `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    strange = next((p for p in folder.iterdir() if not OURS.fullmatch(p.name)), None)
    if strange is not None:
        raise DatasetError(f"{folder} holds what is no page of a report: {strange.name}")


class Writer:
    """Writes the report of *facts* to the file *out*; where there is a *folder*, which `take`
    made, it has a page for each site that there is something to tell of, and the list of all."""

    def __init__(self, facts: Facts, tell: Teller, out: Path, folder: Path | None = None) -> None:
        self._facts, self._tell, self._out, self._folder = facts, tell, out, folder
        self._asns = {n.asn for n in facts.networks}
        columns = facts.networks[:MOST_COLUMNS]
        self._pages = Pages(
            tell, facts.rules_version, networks=columns,
            fields=fields([n.asn for n in columns], tell.words),
        )  # fmt: skip
        self._per_row = max(1, len(columns))
        self._events = by_host(facts.events)
        self._written: list[Path] = []
        # Of what one person measured only he himself reads, until he passes it on.
        personal = not facts.dataset and not tell.words.days_only
        self._opener = partial(os.open, mode=0o600 if personal else 0o666)

    def write(self) -> list[Path]:
        """Write all of it; the files, the first page first. Raises `OSError`, `StoreError`."""
        rows = nsmallest(MOST_CELLS // self._per_row, self._rows(), key=lambda r: r.rank)
        proved = self._proofs(rows)
        if self._folder is None:
            self._single(rows, proved)
        else:
            self._first_and_folder(rows, proved, self._folder)
        return [self._out, *self._written]

    def _rows(self) -> Iterator[Row]:
        """Each site with its cells in the country, in order of names."""
        for host, found in sites(self._facts.table):
            cells = [c for c in found if c.probe_asn in self._asns]
            if cells:
                yield row(host, cells)

    def _proofs(self, rows: Iterable[Row]) -> list[Proof]:
        """What the findings on *rows* rest on, one of each kind before the second of any."""
        if self._facts.store is None:
            return []
        wanted = in_order(c for r in rows for c in r.on.values())[:MOST_PROVED]
        places = {(c.host, c.measurement_id): place for place, c in enumerate(wanted)}
        with Store(self._facts.store) as store:
            return sorted(proofs(store, wanted), key=lambda p: places[p.host, p.id])

    # One file

    def _single(self, rows: list[Row], proved: list[Proof]) -> None:
        told = [self._site(r) for r in islice((r for r in rows if r.told), MOST_TOLD)]
        known = {s.host: s for s in told}
        pages = self._with_proofs(known, proved)
        w = self._tell.words
        self._write(
            self._out, "overview.html.jinja", **overview(self._facts, self._tell), rows=rows,
            sites=told, pages=pages, list_pages=(), event_pages=(), site_pages=0,
            left_out=self._facts.hosts - len(rows),
            not_told=sum(r.told for r in rows) - len(told),
            link=lambda host: f"#{anchor(host)}" if host in known else "",
            page_link=lambda id: f"#page-{id}",
            how_to=w.gettext("The evidence is told by"),
        )  # fmt: skip

    def _with_proofs(self, by: dict[str, Site], proved: Iterable[Proof]) -> list[PageSeen]:
        """Put the proofs to their sites: in view as long as there is room, then packed, then
        not at all; the pages that came."""
        room, more = IN_VIEW, PACKED
        pages: dict[str, PageSeen] = {}
        for proof in proved:
            if proof.host not in by:
                continue
            drawn = in_view(proof) if room > 0 else packed(proof)
            room, more = (room - drawn.size, more) if room > 0 else (room, more - drawn.size)
            if more < 0:
                break
            by[proof.host].proofs.append(drawn)
            for page in drawn.pages:
                if len(pages) < MOST_PAGES:
                    pages.setdefault(page.id, page)
        return list(pages.values())

    # A folder

    def _first_and_folder(self, rows: list[Row], proved: list[Proof], folder: Path) -> None:
        told = self._site_pages(folder, proved)
        lists = self._list_pages(folder, told)
        events = self._event_pages(folder)
        up = f"{folder.name}/"
        self._write(
            self._out, "overview.html.jinja", **overview(self._facts, self._tell), rows=rows,
            sites=(), pages=(), site_pages=len(told), left_out=0, not_told=0,
            list_pages=[(up + name, first, last) for name, first, last in lists],
            event_pages=[up + name for name in events],
            link=lambda host: f"{up}{anchor(host)}.html" if host in told else "",
            page_link=lambda id: f"#page-{id}", how_to="",
        )  # fmt: skip
        written = {path.name for path in self._written}
        for path in folder.iterdir():
            if path.name not in written and OURS.fullmatch(path.name):
                path.unlink()

    def _site_pages(self, folder: Path, proved: Iterable[Proof]) -> set[str]:
        """A page for each site with something to tell; which those are."""
        of: dict[str, list[Proof]] = {}
        for proof in proved:
            of.setdefault(proof.host, []).append(proof)
        told: set[str] = set()
        for r in self._rows():
            if not r.told and r.host not in self._events:
                continue
            told.add(r.host)
            found = self._site(r)
            found.proofs.extend(map(in_view, of.get(r.host, ())))
            pages = {p.id: p for proof in found.proofs for p in proof.pages}
            self._page(
                folder / f"{found.anchor}.html", "site.html.jinja", site=found,
                pages=list(pages.values()), page_link=lambda id: f"#page-{id}", how_to="",
            )  # fmt: skip
        return told

    def _list_pages(self, folder: Path, told: set[str]) -> list[tuple[str, str, str]]:
        """The list of all sites, page by page: names of the file, of its first and last site."""
        found: list[tuple[str, str, str]] = []
        rows = self._rows()
        per = max(1, PER_PAGE // self._per_row)
        some = list(islice(rows, per))
        while some:
            number, following = len(found) + 1, list(islice(rows, per))
            name = f"sites-{number:04}.html"
            self._page(
                folder / name, "list.html.jinja", rows=some,
                before=found[-1][0] if found else "",
                after=f"sites-{number + 1:04}.html" if following else "",
                link=lambda host: f"{anchor(host)}.html" if host in told else "",
            )  # fmt: skip
            found.append((name, some[0].host, some[-1].host))
            some = following
        return found

    def _event_pages(self, folder: Path) -> list[str]:
        """The events that the first page has no room for."""
        rest = in_time(self._facts.events)[MOST_EVENTS:]
        names: list[str] = []
        for start in range(0, len(rest), EVENTS_PER_PAGE):
            names.append(f"events-{len(names) + 1:04}.html")
            told = [
                self._tell.event(e, self._facts.findings.get(e.id))
                for e in rest[start : start + EVENTS_PER_PAGE]
            ]
            self._page(folder / names[-1], "events.html.jinja", events=told,
                       first=MOST_EVENTS + start + 1)  # fmt: skip
        return names

    def _site(self, found: Row) -> Site:
        return site(found, in_time(self._events.get(found.host, ())), self._tell)

    def _page(self, path: Path, template: str, **facts: object) -> None:
        self._write(path, template, home=f"../{self._out.name}", **facts)
        self._written.append(path)

    def _write(self, path: Path, template: str, **facts: object) -> None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open(temporary, "w", encoding="utf-8", opener=self._opener) as file:
                file.writelines(self._pages.render(template, **facts))
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
