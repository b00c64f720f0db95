"""What the follow-ups say: for each rung, was the accused's end met again, or not?

Each test of a rung is ``same`` (it met the end that the accused did), ``free`` (an
answer came through) or ``other`` (it failed in another way, which tells nothing: loss,
or the residue of the test before). A rung is what its telling tests agree on, ``mixed``
where they do not, and empty where it was not climbed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from analysis.observations import Observation
from analysis.observe import location
from analysis.observe.ends import FREE, OTHER, SAME, Case, Test, end, judge_of
from analysis.observe.sight import OK, Sight, manner, place, quic_manner, tls_manner
from probe.evidence import (
    PROBE,
    AnyEvidence,
    CertificateCheck,
    DNSExchange,
    HTTPExchange,
    Measurement,
    PacketCapture,
    QUICHandshake,
    TCPConnect,
    TLSHandshake,
)

MIXED = "mixed"
AGAIN = ("again", "again_tcp", "again_dns", "again_later")
# A SYN is sent again after a second: who connects later than that had met a drop before.
RETRANSMITTED = 0.9
LEAST_RESIDUAL = 2.5  # seconds; less than that may be one lost packet


def tests_of(evidence: Iterable[AnyEvidence]) -> list[Test]:
    """The tests in a follow-up's evidence, in their order."""
    by_transaction: dict[tuple[str, int], list[AnyEvidence]] = {}
    for e in evidence:
        if e.step and e.vantage == PROBE and not isinstance(e, PacketCapture):
            by_transaction.setdefault((e.step, e.transaction), []).append(e)
    found = [test for records in by_transaction.values() for test in _test(records)]
    return sorted(found, key=lambda test: test.began)


def _test(records: Sequence[AnyEvidence]) -> Iterator[Test]:
    first = records[0]
    if isinstance(first, DNSExchange):
        for e in records:
            if isinstance(e, DNSExchange):
                resolver, _, port = e.resolver.rpartition(":")
                yield Test(
                    step=e.step, ip=resolver.strip("[]"), port=int(port or 53), began=e.t0,
                    ended=e.t, said=e.hostname, end=end("dns", manner(e.failure)), exchange=e,
                )  # fmt: skip
        return
    if not isinstance(first, TCPConnect | QUICHandshake):
        return
    test = Test(
        step=first.step, ip=first.ip, port=first.port, began=first.t0, ended=records[-1].t,
        connected=first.t - first.t0,
    )  # fmt: skip
    for e in records:
        how = OK
        match e:
            case TCPConnect():
                how, test.held = end("tcp", manner(e.failure)), bool(e.held)
            case TLSHandshake():
                how, test.said, test.alert = end("tls", tls_manner(e)), e.sni, e.alert
            case QUICHandshake():
                how, test.said, test.alert = end("quic", quic_manner(e)), e.sni, e.error_code
            case CertificateCheck():
                test.issuer, test.certified = e.issuer, e.failure is None
            case HTTPExchange():
                how, test.page = end("http", manner(e.failure)), e
                test.said = e.host if not e.tls or test.said is None else test.said
        if test.end == OK:
            test.end = how
    yield test


@dataclass
class Climbed:
    """One follow-up, read. *layer* and *how* as accused; *columns* by rung.

    *residual* is in seconds: -1 unknown, 0 none. *results*: each test, and how it ended.
    """

    layer: str
    how: str
    tries: int = 0
    same: int = 0
    passed: int = 0
    residual: float = -1.0
    columns: dict[str, str] = field(default_factory=dict)
    where: dict[str, str | int | float | bool] = field(default_factory=dict)
    host: str = ""
    ip: str = ""
    port: int = 0
    results: list[tuple[Test, str]] = field(default_factory=list)
    evidence: Sequence[AnyEvidence] = ()

    def row(self) -> dict[str, object]:
        """The columns of an `Observation`."""
        return {
            **self.columns,
            **self.where,
            "followed": self.layer,
            "again_tries": self.tries,
            "again_same": self.same,
            "again_passed": self.passed,
            "residual": self.residual,
        }


def climbed(plain: Measurement, follow_up: Measurement) -> Climbed:
    """What *follow_up*, which is about *plain*, says."""
    facts = follow_up.comparison
    url = str(facts.get("accused_url", ""))
    case = Case(
        layer=str(facts.get("accused", "")), how=str(facts.get("how", "")), url=url,
        host=place(url).host, ip=str(facts.get("ip", "")), port=int(facts.get("port") or 0),
        plain=plain,
    )  # fmt: skip
    judge = judge_of(case)
    results = [(test, judge(test)) for test in tests_of(follow_up.evidence)]
    again = [result for test, result in results if test.step in AGAIN]
    columns = {
        name: _summary(result for test, result in results if wanted(test, case.host))
        for name, wanted in _COLUMNS.items()
    }
    return Climbed(
        layer=case.layer, how=case.how, tries=len(again), same=again.count(SAME),
        passed=again.count(FREE), columns=columns | {"harmless_elsewhere": _before(results, case)},
        residual=_residual(results, case.host), host=case.host, ip=case.ip, port=case.port,
        results=results, evidence=follow_up.evidence, where=location.columns(follow_up),
    )  # fmt: skip


def latest(follow_ups: Iterable[Measurement]) -> list[Measurement]:
    """One for each thing accused: where a lost line spoiled the first, the second counts."""
    return list({f.comparison.get("number"): f for f in follow_ups}.values())


def heed_holds(here: Sight, climbs: Iterable[Climbed]) -> None:
    """Where nothing was said at a better moment, that tells whether saying nothing is cut off.

    In the plain pass the silent connection comes right after the first reset, and residual
    blocking may have met it.
    """
    for climb in climbs:
        reached = here.reached(climb.host, climb.port).get(climb.ip)
        if reached is not None and climb.columns["say_nothing"] in (SAME, FREE):
            reached.held_reset = climb.columns["say_nothing"] == SAME


def principal(climbs: Sequence[Climbed], row: Observation) -> Climbed | None:
    """The one about what ends the user's path, else the first that happened again of those
    that are about a difference at all, else the first of those: that it did not, clears it.

    What the ladder looks at is chosen generously: where no control answers, also a port
    that is closed for everybody.
    """
    layer = "page" if row.path_end == "redirect" else row.path_end
    on_path = (c for c in climbs if c.layer == layer)
    differing = [c for c in climbs if _differs(c, row)]
    again = (c for c in differing if c.same)
    return next(on_path, None) or next(again, None) or next(iter(differing), None)


def _differs(climb: Climbed, row: Observation) -> bool:
    """Whether *row* knows somebody for whom what *climb* is about does not fail."""
    match climb.layer:
        case "dns":
            told = row.dns_injected or row.dns_intercepted or row.dns_ghost
            return bool(told) or row.dns_own not in ("true", "none", "unclear")
        case "page":
            marks = row.http_blockpage, row.http_redirect, row.http_altered, row.fingerprint_page
            return any(marks) or bool(row.fingerprint_redirect)
        case "certificate":
            return row.tls_forged > 0 or bool(row.fingerprint_certificate)
    hows = ("silence", "refused", "reset", "unreachable", "closed", "alert")
    return any(getattr(row, f"{climb.layer}_{how}", 0) for how in hows)


def _before(results: Sequence[tuple[Test, str]], case: Case) -> str:
    """The harmless name at the neutral address, before the accused one was spoken there."""
    seen: list[str] = []
    for test, result in results:
        if test.step == "elsewhere":
            if test.names(case.host):
                break
            seen.append(result)
    return FREE if FREE in seen else _summary(seen)


def _step(*steps: str) -> Callable[[Test, str], bool]:
    return lambda test, host: test.step in steps


def _step_name(step: str) -> Callable[[Test, str], bool]:
    return lambda test, host: test.step == step and test.names(host)


def _step_harmless(step: str) -> Callable[[Test, str], bool]:
    return lambda test, host: test.step == step and not test.names(host)


# Column -> the tests that it sums up.
_COLUMNS: dict[str, Callable[[Test, str], bool]] = {
    "elsewhere": _step_name("elsewhere"),
    "harmless_here": _step("harmless", "harmless_dns"),
    "no_name": _step("no_name"),
    "other_case": _step("other_case"),
    "suffix": _step("suffix"),
    "subdomain": _step("subdomain"),
    "host_only": _step("host_only"),
    "say_nothing": _step("say_nothing"),
    "other_port": _step("other_port"),
    "other_family": _step("other_family"),
    "port_elsewhere": _step("same_port_elsewhere"),
    "name_other_port": _step_name("name_on_other_port"),
    "harmless_other_port": _step_harmless("name_on_other_port"),
    "split_hello": _step("split_hello"),
    "other_hello": _step("other_hello"),
    "ech_hello": _step("ech_hello"),
    "quic_instead": _step("quic_instead"),
    "bare_dns": _step_name("bare_dns"),
    "dns_tcp": _step("dns_over_tcp"),
    "dns_others": _step("other_resolver"),
}
COLUMNS = (*_COLUMNS, "harmless_elsewhere")


def _summary(results: Iterable[str]) -> str:
    counts = Counter(results)
    if counts[SAME] and counts[FREE]:
        return MIXED
    return next((kind for kind in (SAME, FREE, OTHER) if counts[kind]), "")


def _residual(results: Sequence[tuple[Test, str]], host: str) -> float:
    """For how many seconds, after the accused name, harmless ones did not pass at that place.

    From the end of the name's test to the moment when the next one passed.
    """
    there = [(test, result) for test, result in results if test.step == "elsewhere"]
    position = next(
        (n for n, (test, result) in enumerate(there) if test.names(host) and result == SAME), None
    )
    if position is None:
        return -1.0
    spoken = there[position][0].ended
    blocked = False
    for test, result in there[position + 1 :]:
        if test.names(host):
            continue
        if result != FREE:
            blocked = True
        else:
            free_at = test.began + (test.connected if test.connected > RETRANSMITTED else 0.0)
            lasted = free_at - spoken
            blocked = blocked or test.connected > RETRANSMITTED
            return round(lasted, 1) if blocked and lasted >= LEAST_RESIDUAL else 0.0
    return -1.0
