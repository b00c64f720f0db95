"""The row of one measurement: every question asked once, the answers written side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from analysis import fingerprints, signers
from analysis.observations import Observation
from analysis.observe.connections import Contrasts, certificate_kind, note_contrasts
from analysis.observe.ladder import climbed, heed_holds, latest, principal
from analysis.observe.lone import clear_columns, lone_columns
from analysis.observe.matches import Matches, find_matches
from analysis.observe.names import NameFacts, name_facts
from analysis.observe.over_run import first_url, page_marks
from analysis.observe.packets import packet_columns
from analysis.observe.pages import PageFacts, likeness, may_be_block_page, page_facts
from analysis.observe.paths import Names, Path, contradictions, passed, walk
from analysis.observe.quic import note_quic
from analysis.observe.sight import (
    LAYERS,
    Sight,
    answered,
    arrange,
    is_literal,
    place,
    public,
)
from analysis.observe.speed import speed_columns
from analysis.observe.surroundings import local_columns, surroundings
from analysis.observe.whence import whence
from probe.evidence import (
    PROBE,
    CanaryCheck,
    ControlQuery,
    HTTPExchange,
    Measurement,
    Run,
    TLSHandshake,
)
from probe.wire.page import SKETCH_SIZE

_LEADS_ON = ("true", "none", "unclear")


def observe(
    measurement: Measurement,
    run: Run,
    canaries: Sequence[CanaryCheck],
    *,
    unreliable: Collection[str] = (),
    repeated: Collection[str] = (),
    forger: str = "",
    follow_ups: Sequence[Measurement] = (),
    quic_elsewhere: str = "",
) -> Observation:
    """The row of *measurement*, with what its *follow_ups* say.

    *canaries* are those of the whole run, *unreliable* the controls to leave out,
    *repeated* the marks of pages that several sites of the run show, *forger* who signs
    for everybody here (see `over_run`).
    """
    around = surroundings(measurement, run, canaries)
    if signers.kind_of(forger) == "state":
        forger = ""  # no program of the user's: what he forges is forged
    queries = [e for e in measurement.evidence if isinstance(e, ControlQuery)]
    asked = dict.fromkeys(e.control for e in queries)
    answering = {e.control for e in queries if e.failure is None}
    controls = [
        arrange(measurement.evidence, name, without_ipv6=False)
        for name in asked
        if name in answering and name not in unreliable
    ]
    controls = [c for c in controls if c.dns or c.endpoints or c.pages]
    here = arrange(measurement.evidence, PROBE, without_ipv6=not around.ipv6)
    climbs = [climbed(measurement, follow_up) for follow_up in latest(follow_ups)]
    heed_holds(here, climbs)
    scene = _Scene(measurement, here, controls, repeated, forger, lone=bool(run.source))
    surrounded = Observation(
        run_id=run.id,
        measurement_id=measurement.id,
        url=measurement.url,
        category=measurement.category,
        nettest=measurement.nettest,
        measured_at=measurement.started_at,
        probe_cc=run.probe_cc,
        probe_asn=run.probe_asn,
        measured=bool(here.dns or here.endpoints or here.pages),
        run_ended=run.ended,
        controls=len(controls),
        controls_asked=len(asked),
        controls_unreliable=sum(1 for name in answering if name in unreliable),
        captive_portal=bool(run.captive_portal),
        home_lost="home" in around.lost,
        domestic_lost="domestic" in around.lost,
        domestic_alive="domestic" in around.alive,
        foreign_lost="foreign" in around.lost,
        resolver_dead=around.resolver_dead,
        resolver_alive=around.resolver_alive,
        quic_elsewhere=quic_elsewhere,
        hello_unlike=_hello_unlike(measurement),
        **local_columns(run, forger),
        **whence(run, measurement),
    )
    row = msgspec.structs.replace(
        scene.fill(surrounded), **scene.lone(run), **speed_columns(measurement, follow_ups)
    )
    climb = principal(climbs, row)
    if climb is None:
        return row
    row = msgspec.structs.replace(row, **climb.row())
    packets = packet_columns(
        climb.evidence, climb.results, climb.layer, asn=run.probe_asn,
        nearer=0 < row.hop_high < row.path_length,
    )  # fmt: skip
    return msgspec.structs.replace(row, **packets)


def unmeasured(run: Run, url: str, category: str) -> Observation:
    """The row of a target that was planned and not measured."""
    return Observation(
        run_id=run.id,
        url=url,
        category=category,
        probe_cc=run.probe_cc,
        probe_asn=run.probe_asn,
        run_ended=run.ended,
        captive_portal=bool(run.captive_portal),
        **whence(run),
    )


@dataclass(frozen=True)
class _Chain:
    """One path, cut at a redirect that nobody vouches for, beside each control's."""

    path: Path
    page: PageFacts
    theirs: list[Path]
    behind: tuple[str, ...]  # URLs after the cut


class _Scene:
    """The target, its twin, and what everybody saw of both."""

    def __init__(
        self,
        measurement: Measurement,
        here: Sight,
        controls: Sequence[Sight],
        repeated: Collection[str],
        forger: str,
        *,
        lone: bool,
    ) -> None:
        self.here, self.controls, self.repeated = here, controls, repeated
        self.forger, self.lone_control = forger, lone
        self.asn = _asn(measurement)
        self.names: Names = cache(self._names)
        start = first_url(measurement)
        self.twin_url = _twin(measurement, start)
        path = walk(here, start, self.names)
        twin = walk(here, self.twin_url, self.names) if self.twin_url else Path(hops=("",))
        self.main = self._chain(path, twin)
        self.twin = self._chain(twin, path)

    def _names(self, host: str) -> NameFacts:
        return name_facts(
            host, self.here, self.controls, asn=self.asn,
            page_vouched=self._page_vouched(host), lone=self.lone_control,
        )

    def _page_vouched(self, host: str) -> frozenset[str]:
        """Addresses where a page in the clear was the one that a control got."""

        def is_theirs(page: HTTPExchange) -> bool:
            return any(
                theirs.page is not None and likeness(page, theirs.page) in ("same", "similar")
                for theirs in (walk(c, page.url) for c in self.controls if c.pages.get(page.url))
            )

        return frozenset(
            page.ip
            for url, pages in self.here.pages.items()
            if place(url).host == host and not place(url).tls
            for page in pages
            if answered(page) and page.location is None and is_theirs(page)
        )

    def _chain(self, path: Path, other: Path) -> _Chain:
        theirs = [walk(c, path.hops[0]) for c in self.controls]
        facts = page_facts(path, other, self.controls, theirs)
        if facts.unvouched_at is None and path.exchanges:
            # Where the way is vouched for, what controls get at its end compares as well.
            # Never before: a control that is asked for the block page gets it, too.
            ends = [walk(c, path.last) for c in self.controls if c.pages.get(path.last)]
            facts = page_facts(path, other, self.controls, [*theirs, *ends])
        if facts.unvouched_at is None:
            return _Chain(path, facts, theirs, ())
        kept = facts.unvouched_at + 1
        cut = msgspec.structs.replace(
            path, hops=path.hops[:kept], exchanges=path.exchanges[:kept], end="redirect",
            how="unvouched", ip=path.exchanges[kept - 1].ip, page=None, certified=False,
        )
        return _Chain(cut, facts, theirs, path.hops[kept:])

    def fill(self, row: Observation) -> Observation:
        path = self.main.path
        contrasts = Contrasts()
        for url in dict.fromkeys((*path.hops, *([self.twin_url] if self.twin_url else []))):
            note_contrasts(
                contrasts, url, self.names(place(url).host), self.here, self.controls,
                self.forger,
            )
        for host in dict.fromkeys(place(url).host for url in (*path.hops, *self.twin.path.hops)):
            note_quic(contrasts, host, self.names(host), self.here, self.controls)
        found = find_matches(
            path, self.main.behind, (*path.hops, *self.twin.path.hops), self.here, self.controls,
            self.main.theirs, self.names,
        )
        columns: dict[str, object] = {
            **self._name_columns(),
            **self._path_columns(),
            **self._page_columns(found),
            **{what: n for what, n in contrasts.seen.items() if what in row.__struct_fields__},
            "tls_forged": contrasts.forged,
            **_fingerprint_columns(found),
        }
        if contrasts.seen.get("tls_reset"):
            columns["fingerprint_symptom"] = _ids(
                f.id
                for f in fingerprints.of_field("tls_reset")
                if f"AS{row.probe_asn}" in f.scope.split()
            )
        return msgspec.structs.replace(row, **columns)

    def lone(self, run: Run) -> dict[str, object]:
        """Columns for where there is one control by design (`analysis.observe.lone`)."""
        path = self.main.path
        hosts = list(dict.fromkeys(place(url).host for url in path.hops))
        return {
            **clear_columns(hosts, self.here, self.controls, self.names, self.asn, run.probe_asn),
            **lone_columns(run, path, self.main.theirs, self.here, self.controls, self.names),
        }

    def _name_columns(self) -> dict[str, object]:
        hosts = dict.fromkeys(place(url).host for url in self.main.path.hops)
        facts = [self.names(host) for host in hosts]
        at = next((f for f in facts if f.kind not in _LEADS_ON), None)
        at = at or next((f for f in facts if f.exists_nowhere), facts[-1])
        return {
            "dns_own": at.kind,
            "dns_controls": at.controls,
            "dns_witnesses": at.witnesses,
            "dns_proof": at.proof,
            "dns_injected": sum(f.injected for f in facts),
            "dns_all_injected": at.all_injected,
            "dns_intercepted": sum(f.intercepted for f in facts),
            "dns_ghost": any(f.ghost for f in facts),
            "dns_exists_nowhere": at.exists_nowhere,
            "dns_at_home": at.at_home,
            "dns_in_network": at.in_network,
        }

    def _path_columns(self) -> dict[str, object]:
        path, how, signer = self.main.path, self.main.path.how, ""
        at = place(path.last)
        facts = self.names(at.host)
        if path.end == "certificate":
            reached = self.here.reached(at.host, at.port)[path.ip]
            how = certificate_kind(
                at.host, path.ip, at.port, reached, self.controls, self.forger
            )
            signer = signers.kind_of(reached.issuer)
        if path.end in (*LAYERS, "dns", "http"):
            results = [passed(c, path.last, path.end) for c in self.controls]
        elif path.end == "redirect":
            # What controls say of the same chain: it ends in a page, or leads nowhere.
            ends = [p.end for p in self.main.theirs]
            results = [{"page": True, "redirect": False}.get(end) for end in ends]
            if path.how in ("loop", "many"):
                # A helper that follows by itself fails in a way that has no name.
                lost = [p.end == "http" and p.how == "other" for p in self.main.theirs]
                results = [False if no else r for no, r in zip(lost, results, strict=True)]
        else:
            results = []
        return {
            "path_end": path.end,
            "path_how": how,
            "path_signer": signer,
            "path_cut": path.end == "http"
            and any(p.failure and p.status for p in self.here.pages.get(path.last, ())),
            "path_depth": len(path.hops) - 1,
            "path_ip": path.ip,
            "path_contradicted": contradictions(path, facts, self.controls),
            "path_elsewhere": results.count(True),
            "path_shared": results.count(False),
            "path_certified": path.certified,
            "path_status": (path.page.status or 0) if path.page is not None else 0,
            "path_genuine": path.ip in facts.genuine,
        }

    def _page_columns(self, found: Matches) -> dict[str, object]:
        main, twin = self.main, self.twin
        status = main.path.page.status if main.path.page is not None else None
        blockpages = [
            (chain.page.differing, chain.page.twin_backs)
            for chain in (main, twin)
            if self._unlike_theirs(chain) and not (chain is main and found.platform)
        ]
        redirects = [
            (chain.page.unseen, chain.page.twin_backs)
            for chain in (main, twin)
            if chain.path.how == "unvouched" and not chain.page.richer
        ]
        return {
            "page_match": main.page.match,
            "page_compared": main.page.compared,
            "page_differing": main.page.differing,
            "page_controls_agree": main.page.agree,
            "page_twin": main.page.twin,
            "page_twin_backs": main.page.twin_backs,
            "page_richer": main.page.richer,
            "page_origin": main.page.origin,
            "page_replaced": main.page.replaced and self._in_the_clear(main),
            "page_bare": main.page.bare and self._in_the_clear(main),
            "page_own": main.path.page is not None and self._is_own(main.path.page),
            "page_status_shared": main.page.statuses.count(status or 0) if (status or 0) >= 400
            else 0,
            "page_status_good": sum(1 for s in main.page.statuses if s < 400),
            "redirect_private": _leads_inside(main, self.controls),
            "redirect_unseen": main.page.unseen if main.path.how == "unvouched" else 0,
            "http_blockpage": max((n for n, _ in blockpages), default=0),
            "http_blockpage_twin": any(backs and n for n, backs in blockpages),
            "http_redirect": max((n for n, _ in redirects), default=0),
            "http_redirect_twin": any(backs and n for n, backs in redirects),
            "http_altered": any(
                chain.page.altered and self._in_the_clear(chain) for chain in (main, twin)
            ),
        }

    def _in_the_clear(self, chain: _Chain) -> bool:
        """Whether the chain ends at a page in the clear from an address that is the site's."""
        path = chain.path
        if path.end != "page" or path.page is None or path.page.tls:
            return False
        return path.ip in self.names(place(path.last).host).genuine

    def _is_own(self, page: HTTPExchange) -> bool:
        """Whether *page* has text of some length and a title, and no other site shows it."""
        return (
            bool(page.title)
            and len(bytes.fromhex(page.sketch)) >= 4 * SKETCH_SIZE
            and not any(mark in self.repeated for mark in page_marks(page))
        )

    def _unlike_theirs(self, chain: _Chain) -> bool:
        page = chain.path.page
        return (
            self._in_the_clear(chain)
            and page is not None
            and may_be_block_page(page)
            and chain.page.match == "differs"
            and chain.page.agree
            and not chain.page.richer
            and chain.page.twin not in ("same", "similar")
        )


def _leads_inside(chain: _Chain, controls: Sequence[Sight]) -> bool:
    """Whether the last answer, in the clear, redirects to a private address, and no control's."""
    last = chain.path.page if chain.path.end == "redirect" else None
    last = last or (chain.path.exchanges[-1] if chain.path.exchanges else None)
    if last is None or last.tls or last.location is None:
        return False
    host = place(last.location).host
    sent = {e.location for control in controls for e in control.pages.get(last.url, ())}
    return is_literal(host) and not public(host) and last.location not in sent


def _hello_unlike(measurement: Measurement) -> bool:
    """Whether every control that shook hands said hello as another program than we did."""
    hellos: dict[bool, set[str]] = {True: set(), False: set()}
    for e in measurement.evidence:
        if isinstance(e, TLSHandshake) and (e.vantage == PROBE or e.failure is None):
            hellos[e.vantage == PROBE].add(e.hello)
    ours, theirs = hellos[True], hellos[False]
    return bool(ours and theirs) and not ours & theirs and "" not in ours | theirs


def _asn(measurement: Measurement) -> Callable[[str], int]:
    def asn(ip: str) -> int:
        info = measurement.addresses.get(ip)
        return info.asn if info is not None else 0

    return asn


def _twin(measurement: Measurement, start: str) -> str:
    """The URL beside *start* with the other scheme, if it was measured."""
    here = [e.url for e in measurement.evidence if e.vantage == PROBE and e.depth == 0]
    at = place(start)
    return next(
        (url for url in here if url and place(url).host == at.host and place(url).tls != at.tls),
        "",
    )


def _ids(found: Iterable[str]) -> str:
    return ",".join(sorted(set(found)))


def _fingerprint_columns(found: Matches) -> dict[str, object]:
    return {
        "fingerprint_redirect": _ids(found.redirect),
        "fingerprint_page": _ids(found.page),
        "fingerprint_certificate": _ids(found.certificate),
        "fingerprint_dns": _ids(found.dns),
        "fingerprint_forged": _ids(found.forged),
        "fingerprint_path": _ids(found.path),
        "fingerprint_platform": _ids(found.platform),
    }

