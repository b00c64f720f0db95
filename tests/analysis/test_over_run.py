"""What only the whole run shows, and what surrounded a measurement."""

from __future__ import annotations

import msgspec

from analysis.observe.derive import observe
from analysis.observe.over_run import FEWEST, OverRun, over_run
from analysis.observe.surroundings import MARGIN, surroundings
from analysis.verdict import judge
from probe.evidence import PROBE, DNSExchange
from probe.failure import Failure
from tests.analysis.build import BOTH, FORGED, RUN, SITE, Page, Scene, site


def _seen(scenes: list[Scene]) -> OverRun:
    return over_run(scene.measurement() for scene in scenes)


def _where_two_finds_all_down() -> Scene:
    return site().visit(by=(PROBE, "one")).connect(by=("two",), tcp=Failure.TIMEOUT)


def test_control_that_finds_all_down_is_left_out() -> None:
    whole = _seen([_where_two_finds_all_down()] * FEWEST)
    assert whole.unreliable == {"two"}


def test_few_targets_do_not_condemn_a_control() -> None:
    assert _seen([_where_two_finds_all_down()] * (FEWEST - 1)).unreliable == frozenset()


def test_site_that_is_down_for_all_condemns_no_control() -> None:
    down = site().connect(tcp=Failure.TIMEOUT, by=(PROBE, *BOTH))
    assert _seen([down] * 9).unreliable == frozenset()


def test_lying_control_changes_no_verdict() -> None:
    scene = site(controls=("one", "two", "three")).visit(by=("one", "three"))
    scene.connect(by=("two",), tcp=Failure.TIMEOUT)
    scene.connect(tls=Failure.CONNECTION_RESET, holds=True)
    row = observe(scene.measurement(), scene.run, [], unreliable={"two"})
    assert (row.controls, row.controls_unreliable) == (2, 1)
    assert judge([row])[0].outcome == "blocked"
    silent = site().visit(by=("one",)).connect(by=("two", PROBE), tcp=Failure.TIMEOUT)
    row = observe(silent.measurement(), silent.run, [], unreliable={"two"})
    assert judge([row])[0].outcome == "inconclusive"


def test_page_that_several_sites_show_is_nobodys_own() -> None:
    text = "<title>Please wait</title>" + "".join(f"<p>notice {n} of ours" for n in range(80))
    shown = [
        Scene(f"http://{name}.example/").names(f"{name}.example")
        .control_names(host=f"{name}.example").asked(*BOTH)
        for name in ("news", "weather")
    ]
    for scene in shown:
        scene.connect(tcp=Failure.TIMEOUT, by=BOTH)
        scene.visit(page=Page(text), by=(PROBE,))
    whole = _seen(shown)
    assert len(whole.repeated) == 2  # its bytes and its title
    alone = [observe(s.measurement(), s.run, []) for s in shown]
    together = [observe(s.measurement(), s.run, [], repeated=whole.repeated) for s in shown]
    assert [v.outcome for v in judge(alone)] == ["ok", "ok"]
    assert [v.outcome for v in judge(together)] == ["inconclusive", "inconclusive"]


def _around(scene: Scene, **run: bool) -> tuple[frozenset[str], bool, bool, bool]:
    found = surroundings(
        scene.measurement(), msgspec.structs.replace(RUN, **run), scene.canaries
    )
    return found.lost, found.resolver_dead, found.resolver_alive, found.ipv6


def test_ring_that_never_answered_is_not_lost() -> None:
    scene = site().canary("home", 1, Failure.TIMEOUT)
    assert _around(scene)[0] == frozenset()
    assert _around(scene.canary("home", -30))[0] == {"home"}


def test_ring_is_lost_only_if_all_of_its_canaries_fail() -> None:
    scene = site().canary("foreign", -30).canary("foreign", 1, Failure.TIMEOUT)
    assert _around(scene.canary("foreign", 1, name="other.example"))[0] == frozenset()


def test_canary_of_another_time_says_nothing() -> None:
    late = 5.0 + MARGIN + 1
    scene = site().canary("home", -30).canary("home", late, Failure.TIMEOUT)
    assert _around(scene)[0] == frozenset()


def test_resolver_is_dead_if_nearly_all_canaries_say_so() -> None:
    scene = site()
    for n in range(9):
        scene.canary("domestic", 1, name=str(n), resolver=Failure.DNS_TEMPORARY)
    assert _around(scene)[1:3] == (True, False)
    for n in range(9, 12):
        scene.canary("foreign", 1, name=str(n))
    assert _around(scene)[1:3] == (False, True)


def test_ipv6_counts_only_where_it_works() -> None:
    assert _around(site())[3] is False
    assert _around(site(), ipv6=True)[3] is True
    broken = site().canary("foreign", 1, Failure.TIMEOUT, family=6)
    assert _around(broken, ipv6=True)[3] is False


def test_answer_of_an_unreliable_control_vouches_for_no_lie() -> None:
    scene = Scene().names(own=(FORGED,)).control_names("one").control_names("two", says=(FORGED,))
    scene.asked(*BOTH).visit()
    scene.connect(ip=FORGED, tcp=Failure.CONNECTION_REFUSED, by=(PROBE, *BOTH))
    assert scene.verdict().outcome != "blocked"
    row = observe(scene.measurement(), scene.run, [], unreliable={"two"})
    assert judge([row])[0].mechanisms == ("dns.substituted",)


def test_two_answers_to_a_query_sent_twice_may_be_a_big_network_taking_turns() -> None:
    near = "93.184.216.66"
    scene = Scene().names(own=(near,), then=(SITE,)).control_names().asked(*BOTH)
    scene.networks[near] = scene.networks[SITE]
    scene.visit(ip=near).visit(by=BOTH)
    assert scene.row().dns_injected == 1
    scene.evidence = [
        msgspec.structs.replace(
            e, answers=tuple(msgspec.structs.replace(a, t=1.6) for a in e.answers)
        )
        if isinstance(e, DNSExchange) else e
        for e in scene.evidence
    ]
    assert scene.row().dns_injected == 0
