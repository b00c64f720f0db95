"""QUIC that fails here and works for the controls, and whether it works from here at all.

Many networks drop or limit UDP to port 443 whatever it carries, and then nothing is
said about a site. Only the whole run can tell: either QUIC to other sites works from
here, or it is lost to several whose QUIC works for the controls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from analysis.observe.connections import Contrasts
from analysis.observe.names import NameFacts
from analysis.observe.pages import site
from analysis.observe.sight import OK, Sight, arrange, family, place
from probe.evidence import PROBE, ControlQuery, Measurement, QUICHandshake


def note_quic(
    into: Contrasts, host: str, facts: NameFacts, here: Sight, controls: Sequence[Sight]
) -> None:
    """Add to *into* how QUIC fails here for *host*, with the controls that complete it.

    Counted as `connections.contradicting` does: a control that tried the very address, or
    else another of its family, and none where no fewer fail as well. One success here, at any
    address of a family, is enough to acquit the others of it.
    """
    tried = here.quic.get(host, {})
    for ip, how in tried.items():
        if how == OK or ip not in facts.genuine:
            continue
        if any(h == OK and family(other) == family(ip) for other, h in tried.items()):
            continue
        kind = "refused" if how == "unreachable" else how
        into.note(f"quic_{kind}", _completing(host, ip, controls))


def _completing(host: str, ip: str, controls: Iterable[Sight]) -> int:
    """How many *controls* complete a handshake there; none where no fewer try and fail."""
    completed = failed = 0
    for control in controls:
        tried = control.quic.get(host, {})
        hows = [tried[ip]] if ip in tried else [
            how for other, how in tried.items() if family(other) == family(ip)
        ]  # fmt: skip
        completed += OK in hows
        failed += bool(hows) and OK not in hows
    return completed if completed > failed else 0


@dataclass
class QUICOverRun:
    """Sites (registered domains) to which QUIC *works* from here, and those to which it is
    *lost*: silent here, and working for a control."""

    works: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)

    def elsewhere(self, url: str) -> str:
        """How QUIC fares to other sites than that of *url*: ``works``, ``lost`` or empty."""
        mine = site(place(url).host)
        if self.works - {mine}:
            return "works"
        return "lost" if self.lost - {mine} and not self.works else ""


def note_quic_of_run(run: QUICOverRun, measurement: Measurement) -> None:
    """Add to *run* how QUIC fared in one of its measurements."""
    evidence = measurement.evidence
    if not any(isinstance(e, QUICHandshake) for e in evidence):
        return
    here = arrange(evidence, PROBE, without_ipv6=True)
    names = {e.control for e in evidence if isinstance(e, ControlQuery)}
    controls = [arrange(evidence, name, without_ipv6=False) for name in names]
    for host, tried in here.quic.items():
        if OK in tried.values():
            run.works.add(site(host))
        elif any(
            how == "silence" and _completing(host, ip, controls)
            for ip, how in tried.items()
        ):
            run.lost.add(site(host))
