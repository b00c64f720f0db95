"""Test against control, in facts only: where do they differ? No I/O, no clock, no verdict.

These facts serve the screen while a run goes on, the choice of what to follow up, and
the choice of which bodies to keep. What they mean is for ``analysis`` to say, which
reads the evidence itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from probe.evidence import (
    PROBE,
    AnyEvidence,
    Bootstrap,
    CertificateCheck,
    ControlQuery,
    HTTPExchange,
    Reach,
    RelayLink,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.wire.page import similarity

SIMILAR = 0.5  # share of word triples; pages of one template lie above, of two sites near 0

Fact = str | bool | int | float | None


def final_page(evidence: Iterable[AnyEvidence], vantage: str, url: str) -> HTTPExchange | None:
    """The last page of the redirect chain that begins at *url*, as *vantage* saw it.

    None where the chain ended without an answer. Where a page was fetched at two
    addresses, the first one counts: that of the user's path.
    """
    pages: dict[str, HTTPExchange] = {}
    for e in evidence:
        if isinstance(e, HTTPExchange) and e.vantage == vantage:
            known = pages.get(e.url)
            if known is None or (known.failure is not None and e.failure is None):
                pages[e.url] = e
    seen: set[str] = set()
    at: str | None = url
    page: HTTPExchange | None = None
    while at is not None and at not in seen:
        seen.add(at)
        page = pages.get(at)
        at = page.location if page is not None else None
    return page if page is not None and page.status is not None and not page.failure else None


def first_failure(evidence: Iterable[AnyEvidence], vantage: str, url: str) -> str | None:
    """The first failure of *vantage* at *url* above DNS, as ``layer.failure``."""
    for e in evidence:
        if e.vantage == vantage and e.url == url and e.failure is not None:
            match e:
                case TCPConnect():
                    return f"tcp.{e.failure}"
                case TLSHandshake():
                    return f"tls.{e.failure}"
                case CertificateCheck():
                    return f"certificate.{e.failure}"
                case HTTPExchange():
                    return f"http.{e.failure}"
    return None


def without_room(evidence: Iterable[AnyEvidence]) -> bool:
    """Whether this machine had no room (files, memory) for something that it tried."""
    return any(e.failure is Failure.NO_BUFFER_SPACE and e.vantage == PROBE for e in evidence)


def same_page(a: HTTPExchange, b: HTTPExchange) -> bool:
    """Whether two answers are of one page: the same bytes, or a like sketch and status."""
    if a.body_sha256 and a.body_sha256 == b.body_sha256:
        return True
    return a.status == b.status and similarity(a.sketch, b.sketch) >= SIMILAR


def compare(evidence: Sequence[AnyEvidence], url: str, controls: Sequence[str]) -> dict[str, Fact]:
    """Facts about *url*: the probe's failure and status, each control's, and whether they differ.

    ``differs`` is None where no control gave anything to compare with, or this machine had no
    room for a connection (`without_room`), which is no difference of the network's.
    """
    mine = final_page(evidence, PROBE, url)
    lacking = mine is None and without_room(evidence)
    failed = Failure.NO_BUFFER_SPACE if lacking else first_failure(evidence, PROBE, url)
    facts: dict[str, Fact] = {
        "failure": None if mine else (failed or "no page"),
        "status": mine.status if mine else None,
    }
    verdicts: list[bool] = []
    answered = {
        e.control for e in evidence if isinstance(e, ControlQuery) and e.failure is None
    }
    for control in controls:
        if control not in answered:
            facts[f"{control}.failure"] = "no answer"
            continue
        theirs = final_page(evidence, control, url)
        facts[f"{control}.failure"] = (
            None if theirs else (first_failure(evidence, control, url) or "no page")
        )
        facts[f"{control}.status"] = theirs.status if theirs else None
        if mine is None or theirs is None:
            verdicts.append((mine is None) != (theirs is None))
        else:
            verdicts.append(not same_page(mine, theirs))
    facts["differs"] = all(verdicts) if verdicts and not lacking else None
    return facts


def compare_service(evidence: Sequence[AnyEvidence], controls: Sequence[str]) -> dict[str, Fact]:
    """The same facts about a target that is no site.

    What counts is the record of the whole (`Reach`, `RelayLink`, `Bootstrap`) that came
    first at a port, or that of a later try which ended better.
    """
    ends: dict[str, str | None] = {}
    port: dict[str, int] = {}
    for e in evidence:
        if isinstance(e, Reach | RelayLink | Bootstrap) and not e.step:
            at = 0 if isinstance(e, Bootstrap) else e.port
            if port.setdefault(e.vantage, at) == at and ends.get(e.vantage, "") is not None:
                ends[e.vantage] = str(e.failure) if e.failure else None
    mine = ends.get(PROBE, "not tried")
    lacking = mine is not None and without_room(evidence)
    if lacking:
        mine = Failure.NO_BUFFER_SPACE
    facts: dict[str, Fact] = {"failure": mine}
    answered = {e.control for e in evidence if isinstance(e, ControlQuery) and e.failure is None}
    verdicts = []
    for control in controls:
        theirs = ends.get(control, "not tried") if control in answered else "no answer"
        facts[f"{control}.failure"] = theirs
        if theirs not in ("no answer", "not tried") and mine != "not tried":
            verdicts.append((mine is None) != (theirs is None))
    facts["differs"] = all(verdicts) if verdicts and not lacking else None
    return facts


def _went_there_themselves(evidence: Sequence[AnyEvidence]) -> list[HTTPExchange]:
    """Pages of controls, but for those where they went only because we asked about a redirect.

    A control that is sent to a block page sees the block page, and vouches for nothing.
    """
    sent = {e.url for e in evidence if isinstance(e, ControlQuery) and e.depth > 0}
    pages = [
        e for e in evidence if isinstance(e, HTTPExchange) and e.vantage != PROBE and e.status
    ]
    led = {(e.vantage, e.location) for e in pages if e.location}
    return [e for e in pages if e.url not in sent or (e.vantage, e.url) in led]


def drop_bodies(evidence: Sequence[AnyEvidence]) -> tuple[AnyEvidence, ...]:
    """*evidence* with the bodies gone that cannot be a block page.

    A body may be one where nobody vouches for it: it came in the clear or over a bad
    certificate, or with an error status, and no control saw the same page.
    """
    good = {
        e.transaction
        for e in evidence
        if isinstance(e, CertificateCheck) and e.vantage == PROBE and e.failure is None
    }
    theirs = _went_there_themselves(evidence)

    def suspect(e: HTTPExchange) -> bool:
        if not e.body or any(same_page(e, other) for other in theirs):
            return False
        return e.transaction not in good or (e.status or 0) >= 400

    return tuple(
        msgspec.structs.replace(e, body=None)
        if isinstance(e, HTTPExchange) and e.body is not None and not suspect(e)
        else e
        for e in evidence
    )
