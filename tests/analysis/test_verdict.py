"""The reasoning of the rules, on situations whose truth is known."""

from __future__ import annotations

import msgspec
import pytest

from analysis.observe.derive import unmeasured
from analysis.rules import MECHANISMS, RULES, RULES_VERSION
from analysis.rules.lone import LONE_MECHANISMS, LONE_OUTCOMES
from analysis.service_rules import SERVICE_MECHANISMS, SERVICE_OUTCOMES, SERVICE_TRIGGERS
from analysis.verdict import Verdict, judge
from probe.failure import Failure
from tests.analysis.build import BOTH, RUN, Page, Scene, site
from tests.analysis.worlds import CASES

TRIGGERS_OF = {
    "name_that_is_reset_each_time_and_anywhere": "name",
    "name_reset_anywhere_with_no_control_to_ask": "name",
    "name_that_is_reset_at_its_own_address_only": "name",
    "hello_of_any_name_is_reset_anywhere": "protocol",
    "every_hello_of_one_program_is_reset": "protocol",
    "whatever_is_said_at_the_address_is_reset": "address",
    "whatever_is_said_at_the_port_is_reset": "port",
    "address_whose_other_ports_answer": "port",
    "address_whose_every_port_is_silent": "address",
    "resolver_that_denies_one_name_and_knows_others": "name",
    "silent_connection_reset_only_while_the_name_was_being_punished": "name",
    "innocent_reset_that_does_not_come_again": None,
}


@pytest.fixture(scope="module")
def judged() -> dict[str, Verdict]:
    """Every case, judged in one query."""
    verdicts = judge([case.build().row() for case in CASES.values()])
    return dict(zip(CASES, verdicts, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_situation_is_judged_as_it_is(name: str, judged: dict[str, Verdict]) -> None:
    case, verdict = CASES[name], judged[name]
    said = (verdict.outcome, set(verdict.mechanisms))
    assert said == (case.outcome, set(case.mechanisms)), verdict.rules


def test_every_rule_fires_somewhere_and_is_silent_somewhere(judged: dict[str, Verdict]) -> None:
    planned = [unmeasured(RUN, "https://a.example/", ""), unmeasured(
        msgspec.structs.replace(RUN, ended="no_network"), "https://b.example/", "")]
    fired = [set(verdict.rules) for verdict in (*judged.values(), *judge(planned))]
    of_services = {r.id for r in SERVICE_MECHANISMS + SERVICE_OUTCOMES + SERVICE_TRIGGERS}
    of_lone_controls = {r.id for r in LONE_MECHANISMS + LONE_OUTCOMES}
    of_lone_controls |= {"lie_of_filtering_resolver"}
    for rule in RULES:
        if rule.id in of_services | of_lone_controls:
            continue  # test_services.py and tests/formats/test_lone.py have theirs
        assert any(rule.id in ids for ids in fired), f"{rule.id} never fires"
        assert any(rule.id not in ids for ids in fired), f"{rule.id} always fires"


def test_trigger_is_what_changes_the_outcome(judged: dict[str, Verdict]) -> None:
    said = {name: judged[name].trigger for name in TRIGGERS_OF}
    assert said == TRIGGERS_OF


def test_residual_blocking_lasts_until_a_harmless_name_passes() -> None:
    scene = site().visit(by=BOTH).connect(tls=Failure.CONNECTION_RESET, holds=True)
    none = scene.follow("tls", Failure.CONNECTION_RESET, {"elsewhere": "hf s hf s"})
    assert none.verdict().residual == 0.0
    punished = site().visit(by=BOTH).connect(tls=Failure.CONNECTION_RESET, holds=True)
    rungs = {"again": "s s s s", "elsewhere": "hf s ho ho ho hf hf s"}
    punished.follow("tls", Failure.CONNECTION_RESET, rungs)
    # The name's test ended at 10.1 s, and the fourth harmless one after it began at 18 s.
    assert punished.verdict().residual == 7.9


def test_every_mechanism_of_the_vocabulary_has_a_rule() -> None:
    dns = "nxdomain refused servfail empty silence bogon substituted injected"
    tcp, tls = "silence refused reset unreachable", "silence reset closed alert forged"
    http, quic = "silence reset closed redirect blockpage altered", "silence closed"
    words = {"dns": dns, "tcp": tcp, "tls": tls, "http": http, "quic": quic}
    expected = {f"{layer}.{how}" for layer, hows in words.items() for how in hows.split()}
    expected.add("throttled")
    assert {rule.mechanism for rule in MECHANISMS} == expected


def test_rule_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_line_has_exactly_the_fields_of_the_format() -> None:
    line = msgspec.json.decode(msgspec.json.encode(site().visit().verdict()))
    assert list(line) == [
        "url", "category", "measured_at", "probe_cc", "probe_asn", "outcome", "mechanisms",
        "trigger", "residual", "position", "probability", "location", "fingerprints", "rules",
        "rules_version", "controls",
    ]
    assert line["probe_asn"] == "AS6697"
    assert line["measured_at"] == "2026-09-21T14:13:20Z"
    assert line["rules_version"] == RULES_VERSION
    assert line["trigger"] is line["location"] is None
    assert 0.5 < line["probability"] < 1


def test_verdicts_come_in_the_order_of_the_rows() -> None:
    rows = [msgspec.structs.replace(site().visit().row(), url=f"https://{n}.example/")
            for n in range(300)]
    assert [v.url for v in judge(rows)] == [row.url for row in rows]


def test_reset_on_the_documented_network_names_the_symptom() -> None:
    reset = Failure.CONNECTION_RESET
    scene = site().visit(by=BOTH).connect(tls=reset, holds=True)
    assert scene.verdict().fingerprints == ("F15",)
    scene.run = msgspec.structs.replace(scene.run, probe_asn=25106)
    assert scene.verdict().fingerprints == ()


def test_foreign_block_page_keeps_its_id() -> None:
    text = (
        "<p>Доступ ограничен по решению суда или по иным основаниям, установленным "
        "законодательством Российской Федерации"
    )
    verdict = site("http://news.example/").visit(by=BOTH).connect().page(Page(text)).verdict()
    assert (verdict.outcome, verdict.fingerprints) == ("blocked", ("F16",))


def test_nothing_seen_is_inconclusive() -> None:
    scene = Scene().names(own=Failure.TIMEOUT, public=Failure.TIMEOUT, encrypted=None)
    assert scene.verdict().outcome == "inconclusive"


def test_nothing_measured_is_not_measured() -> None:
    row = unmeasured(RUN, "https://news.example/", "NEWS")
    assert judge([row])[0].outcome == "not_measured"
    for ended in ("no_network", "captive_portal"):
        row = unmeasured(msgspec.structs.replace(RUN, ended=ended), "https://news.example/", "")
        assert judge([row])[0].outcome == "local_fault"


def test_control_alone_makes_no_target_measured() -> None:
    scene = Scene().control_names().asked(*BOTH).visit(by=BOTH)
    assert scene.verdict().outcome == "not_measured"
