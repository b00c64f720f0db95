"""What a row can say: shapes of verdicts, each given by the real rules.

A shape is made of observations as `analysis.observations` knows them, some with more
evidence behind them and some with less, and the rules judge them (`judge`). So no row of the
simulation says what no verdict could say, rule ids and probabilities included, and a shape
that the rules come to see in another way breaks the simulation loudly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.observations import Observation
from analysis.verdict import Verdict, judge

Row = Mapping[str, Any]
BASE: Row = {
    "run_id": "r", "measurement_id": "m", "url": "https://x.example/", "measured": True,
    "probe_cc": "BY", "controls": 2, "controls_asked": 2, "domestic_alive": True,
    "resolver_alive": True, "dns_own": "true", "dns_controls": 2, "run_ended": "done",
}  # fmt: skip
PAGE: Row = {"path_end": "page", "path_status": 200, "path_genuine": True, "page_compared": 2}
GOOD: Row = {**PAGE, "path_certified": True, "page_match": "same"}
LIE: Row = {"dns_own": "lie", "dns_witnesses": 2}
AGAIN: Row = {"again_tries": 3, "again_same": 3}
NAMED: Row = {"elsewhere": "same", "harmless_elsewhere": "free", "harmless_here": "free"}


def _cut(layer: str, how: str, controls: int = 2, **more: object) -> Row:
    return {
        "path_end": layer, "path_how": how, "path_contradicted": controls,
        "path_elsewhere": controls, f"{layer}_{how}": controls, **more,
    }  # fmt: skip


def _graded(layer: str, how: str, **more: object) -> tuple[Row, ...]:
    """The same with much evidence, with some, and from the plain pass alone."""
    followed = {"followed": layer, **AGAIN}
    plain = {**_cut(layer, how), **more}
    named = NAMED if layer != "tcp" else {}
    return ({**plain, **followed, **named}, {**plain, **followed}, plain)


def _lied(said: str, **more: object) -> tuple[Row, ...]:
    end = {} if said == "lie" else {"path_end": "dns", "path_how": said}
    lie = {"dns_own": said, "dns_witnesses": 3, "dns_in_network": said, **end, **more}
    plain = {**lie, "dns_witnesses": 2}
    return ({**lie, "dns_proof": True, "followed": "dns", **AGAIN}, {**lie, **AGAIN}, plain)


def _known(kind: str, mark: str, **more: object) -> tuple[Row, ...]:
    page = {**PAGE, "page_match": "differs", "path_genuine": False}
    known = {f"fingerprint_{kind}": mark, "fingerprint_path": mark, **more}
    return ({**page, **known, "page_differing": 2}, {**page, **known, "controls": 1})


FORGED: Row = {
    "path_end": "certificate", "path_how": "forged", "path_contradicted": 2, "tls_forged": 2,
}  # fmt: skip
SLOW: Row = {
    "speed_seconds": 8.0, "speed_pairs": 8, "speed_p": 0.004, "speed_excess": 7.0,
    "speed_ratio": 12.0, "speed_controls": 2, "speed_name_pairs": 8, "speed_name_ratio": 9.0,
    "speed_name_p": 0.004, "speed_unnamed": "fast",
}  # fmt: skip
TIMED_ONCE: Row = {**SLOW, "speed_name_p": 1.0, "speed_name_ratio": 0.0, "speed_unnamed": ""}

SHAPES: Mapping[str, tuple[Row, ...]] = {
    # The site's own page; in the clear, with or without a control to compare with
    "ok:https": (GOOD, {**GOOD, "controls": 1}, {**GOOD, "page_match": ""}),
    "ok:http": ({**PAGE, "page_match": "same"}, {**PAGE, "page_match": "similar"}),
    "ok:error": ({**GOOD, "path_status": 404, "page_status_shared": 2},),
    # Interfered with, and reached all the same
    "ok:tls.reset": ({**GOOD, "tls_reset": 2},),
    "ok:throttled": ({**GOOD, **SLOW}, {**GOOD, **TIMED_ONCE}),
    # Blocked
    "tcp.silence": _graded("tcp", "silence"),
    "tcp.refused": _graded("tcp", "refused"),
    "tcp.unreachable": _graded("tcp", "unreachable"),
    "tls.reset": _graded("tls", "reset"),
    "tls.reset:F12": _graded("tls", "reset", fingerprint_packet="F12"),
    "tls.closed": _graded("tls", "closed"),
    "tls.alert": _graded("tls", "alert"),
    "tls.silence": _graded("tls", "silence"),
    "http.silence": _graded("http", "silence"),
    "http.reset": _graded("http", "reset"),
    "tls.forged:F07": (
        {**FORGED, "fingerprint_certificate": "F07", "fingerprint_path": "F07"}, FORGED,
    ),
    "http.redirect": (
        {**PAGE, "path_genuine": False, "redirect_unseen": 2, "http_redirect": 2,
         "page_match": "differs"},
    ),
    "http.redirect:F01": _known("redirect", "F01", http_redirect=2),
    "http.redirect:F05": _known("redirect", "F05", http_redirect=2),
    "http.redirect:F09": _known("redirect", "F09", http_redirect=2),
    "http.redirect:F11": _known("redirect", "F11", http_redirect=2),
    "http.blockpage:F02": _known("page", "F02", http_blockpage=2),
    "http.blockpage:F03": _known("page", "F03", http_blockpage=2),
    "http.blockpage:F16": _known("page", "F16", http_blockpage=2),
    "dns.substituted:F08": _lied(
        "lie", path_end="certificate", path_how="forged", fingerprint_dns="F08",
        fingerprint_path="F08"),
    "dns.nxdomain": _lied("nxdomain"),
    "dns.refused": _lied("refused"),
    "dns.servfail": _lied("servfail"),
    "dns.silence": _lied("silence"),
    "throttled": ({**GOOD, **SLOW, "speed_cut": True},),
    # Neither
    "down:silence": ({"path_end": "tcp", "path_how": "silence", "path_shared": 2},),
    "down:server": (
        {**GOOD, "path_status": 503, "page_status_shared": 2, "path_certified": False,
         "page_match": "same"},
    ),
    "down:name": (
        {"dns_own": "nxdomain", "dns_exists_nowhere": True, "path_end": "dns",
         "path_how": "nxdomain", "path_shared": 2, "dns_controls": 0},
    ),
    "server_side:challenge": ({**GOOD, "path_status": 403, "fingerprint_platform": "P01"},),
    "server_side:refuses": ({**GOOD, "path_status": 403, "page_status_good": 2,
                             "page_match": "differs"},),
    "inconclusive:not_repeated": (
        {**_cut("tcp", "silence"), "followed": "tcp", "again_tries": 3, "again_passed": 3},
    ),
    "inconclusive:one_control": ({**_cut("tcp", "silence", 1), "controls": 1},),
    "inconclusive:no_control": ({"path_end": "tcp", "path_how": "silence", "controls": 0},),
    "inconclusive:shutdown": ({"path_end": "tcp", "path_how": "silence", "foreign_lost": True},),
    "ok:shutdown": ({**GOOD, "foreign_lost": True, "controls": 0},),
    "local_fault:line": (
        {"path_end": "tcp", "path_how": "silence", "home_lost": True, "domestic_alive": False},
    ),
    "local_fault:beyond": (
        {"path_end": "tcp", "path_how": "silence", "domestic_lost": True, "foreign_lost": True,
         "domestic_alive": False},
    ),
    "local_fault:resolver": (
        {"path_end": "dns", "path_how": "silence", "dns_own": "silence", "resolver_dead": True,
         "resolver_alive": False},
    ),
    "local_fault:antivirus": (
        {"path_end": "certificate", "path_how": "replaced", "path_signer": "program"},
    ),
    "local_fault:clock": (
        {"measured": False, "measurement_id": "", "run_ended": "wrong_clock", "controls": 0},
    ),
    "not_measured": ({"measured": False, "measurement_id": ""},),
}  # fmt: skip

FALSE_ALARMS = (
    "tcp.silence", "tls.silence", "tcp.refused", "tls.reset", "dns.servfail", "http.silence",
)  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """The shapes as judged: *first* and *count* of each one's rows in *verdicts*, which go from
    the most evidence to the least."""

    names: tuple[str, ...]
    first: npt.NDArray[np.int16]
    count: npt.NDArray[np.int16]
    observations: tuple[Observation, ...]
    verdicts: tuple[Verdict, ...]

    def index(self, name: str) -> int:
        return self.names.index(name)

    def mechanism(self, name: str) -> str:
        """The mechanism that a row of this shape names first; empty: none."""
        found = self.verdicts[int(self.first[self.index(name)])].mechanisms
        return found[0] if found else ""

    def outcome(self, name: str) -> str:
        return self.verdicts[int(self.first[self.index(name)])].outcome


@cache
def judged() -> Judged:
    """Every shape, judged once by the real rules.

    Raises `ValueError` where they say other than the shape's name does.
    """
    rows: list[Observation] = []
    first: list[int] = []
    count: list[int] = []
    for variants in SHAPES.values():
        first.append(len(rows))
        count.append(len(variants))
        rows.extend(Observation(**{**BASE, **variant}) for variant in variants)
    verdicts = judge(rows)
    names = tuple(SHAPES)
    for name, at, many in zip(names, first, count, strict=True):
        for verdict in verdicts[at : at + many]:
            if not _says(name, verdict):
                raise ValueError(f"{name}: the rules say {verdict.outcome} {verdict.mechanisms}")
    return Judged(
        names, np.array(first, np.int16), np.array(count, np.int16), tuple(rows), tuple(verdicts)
    )


def _says(name: str, verdict: Verdict) -> bool:
    """A shape's name is ``outcome[:which]``, ``ok:mechanism``, or ``mechanism[:fingerprint]``."""
    head, _, tail = name.partition(":")
    named = tail if "." in tail or tail == "throttled" else ""
    if "." in head or head == "throttled":
        marks = (tail,) if tail else ()
        return (
            verdict.outcome == "blocked" and verdict.mechanisms[:1] == (head,)
            and set(verdict.fingerprints) <= {tail} and (not marks or bool(verdict.rules))
        )  # fmt: skip
    return verdict.outcome == head and verdict.mechanisms == ((named,) if named else ())
