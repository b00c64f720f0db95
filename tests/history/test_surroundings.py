"""What is no block: outages, shutdowns, dead, attacked and fenced sites, and households."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from analysis.history.event import Event, Part
from analysis.history.events import events
from analysis.history.rows import as_table
from analysis.history.table import VerdictRow
from tests.history.by_hand import NETWORKS, at, looks, part, struck, watched

HOME = (10, 11, 20, 21)
DAY = 24


def found(rows: Sequence[VerdictRow], parts: Sequence[Part] = ()) -> list[Event]:
    return events(as_table(rows), parts, NETWORKS, country="BY")


def meets(
    hours: Iterable[int], outcome: str, *, asns: Iterable[int] = HOME, host: str = "site.example",
    end: int = 120, cc: str = "BY", other: str = "ok", **more: Any,
) -> list[VerdictRow]:  # fmt: skip
    """Looks of two probes on each network: *outcome* in *hours*, else *other*."""
    hit = set(hours)
    rows = []
    for asn in asns:
        for probe in "ab":
            rows += looks(sorted(hit), asn=asn, probe=probe, host=host, outcome=outcome,
                          probe_cc=cc, **more)  # fmt: skip
            rows += looks([h for h in range(end) if h not in hit], asn=asn, probe=probe, host=host,
                          outcome=other, probe_cc=cc)  # fmt: skip
    return rows


ABROAD = (901, 902)


def abroad(hours: Iterable[int] = (), outcome: str = "down", end: int = 120, **more: Any) \
        -> list[VerdictRow]:  # fmt: skip
    return meets(hours, outcome, asns=ABROAD, cc="PL", end=end, **more)


# -- Targets ---------------------------------------------------------------------------------------


def test_what_is_down_for_everybody_and_comes_back_is_no_block() -> None:
    gone = range(40, 50)
    (event,) = found(meets(gone, "down") + abroad(gone))
    assert ("ddos", "global", ("site.example",)) == (event.kind, event.scope, event.targets)
    assert (at(39), at(40)) == (event.onset.after, event.onset.by)
    assert event.lift is not None
    assert (at(49), at(50)) == (event.lift.after, event.lift.by)


def test_what_never_comes_back_is_dead() -> None:
    gone = range(40, 40 + 9 * DAY)
    (event,) = found(meets(gone, "down", end=gone.stop) + abroad(gone, end=gone.stop))
    assert ("site_death", None) == (event.kind, event.lift)


def test_it_is_not_called_dead_before_a_week_is_over() -> None:
    (event,) = found(meets(range(40, 120), "down") + abroad(range(40, 120)))
    assert "ddos" == event.kind
    assert any("not known yet" in reason for reason in event.reasons)


def test_a_name_that_exists_nowhere_was_taken_out_of_its_registry() -> None:
    rules = "name_exists_nowhere"
    gone = range(40, 120)
    (event,) = found(meets(gone, "down", rules=rules) + abroad(gone, rules=rules))
    assert ("registry", "global") == (event.kind, event.scope)


def test_targets_that_fell_and_rose_together_are_one_event() -> None:
    gone = range(40, 60)
    rows = [r for h in "abc" for r in meets(gone, "down", host=f"{h}.example")]
    rows += meets(range(90, 100), "down", host="d.example")
    one, two = found(rows)
    assert ("a.example", "b.example", "c.example") == one.targets
    assert ("d.example",) == two.targets


def test_down_at_home_and_alive_abroad_is_not_down() -> None:
    assert [] == found(meets(range(40, 60), "down") + abroad())


def test_a_site_that_begins_to_refuse_the_country_is_a_fence() -> None:
    (event,) = found(meets(range(40, 120), "server_side") + abroad())
    assert ("geofence", "national") == (event.kind, event.scope)


def test_a_site_that_refuses_everybody_is_a_fence_for_the_world() -> None:
    rows = meets(range(40, 120), "server_side") + abroad(range(40, 120), "server_side")
    assert ["global"] == [e.scope for e in found(rows) if e.kind == "geofence"][:1]


def test_a_captcha_that_half_of_the_looks_meet_is_none() -> None:
    assert [] == found(meets([h for h in range(120) if h * 7 % 12 < 7], "server_side"))


def test_home_closed_to_the_world_is_a_fence() -> None:
    (event,) = found(meets([], "ok") + abroad(range(40, 80)))
    assert "geofence" == event.kind
    assert any("reached from home" in reason for reason in event.reasons)


def test_what_is_met_in_several_countries_by_the_same_means_is_the_targets_own_fault() -> None:
    on = range(40, 80)
    rows = watched((10, 20), 0, 120, blocked={10: (40, 80)}, mechanism="dns.servfail")
    for cc, asn in (("PL", 901), ("DE", 902)):
        rows += looks(range(40), asn=asn, probe_cc=cc)
        rows += struck(on, asn=asn, mechanism="dns.servfail", probe_cc=cc)
    (event,) = found(rows, [part(40, 80, mechanism="dns.servfail", resolver_asn=10)])
    assert ("ddos", "global") == (event.kind, event.scope)


def test_what_one_other_country_blocks_too_is_blocked() -> None:
    rows = watched((10, 20), 0, 120, blocked={10: (40, 80)})
    rows += struck(range(120), asn=901, probe_cc="RU") + looks(range(120), asn=902, probe_cc="PL")
    (event,) = found(rows, [part(40, 80)])
    assert "blocking" == event.kind


def test_many_targets_out_of_reach_from_one_network_for_hours_are_a_lost_route() -> None:
    rows, parts = [], []
    for n in range(4):
        rows += watched((10, 20, 21), 0, 80, host=f"{n}.example", blocked={10: (40, 45)},
                        mechanism="tcp.silence")  # fmt: skip
        parts.append(part(40, 45, host=f"{n}.example", mechanism="tcp.silence"))
    (event,) = found(rows, parts)
    assert ("outage", "network", 4) == (event.kind, event.scope, len(event.targets))


def test_many_names_reset_on_one_network_for_hours_are_blocked() -> None:
    rows, parts = [], []
    for n in range(4):
        rows += watched((10, 20, 21), 0, 80, host=f"{n}.example", blocked={10: (40, 45)})
        parts.append(part(40, 45, host=f"{n}.example"))
    assert ["blocking"] == [e.kind for e in found(rows, parts)]


def test_a_site_that_drops_the_whole_country_is_not_blocked_by_all_operators() -> None:
    on = {a: (40, 999) for a in (10, 11, 12, 20, 21)}
    rows = watched(on, 0, 120, blocked=on, mechanism="tcp.silence")
    (event,) = found(rows, [part(40, asn=a, mechanism="tcp.silence") for a in on])
    assert ("geofence", "national") == (event.kind, event.scope)
    located = [part(40, asn=a, mechanism="tcp.silence") for a in on]
    rows += struck(range(40, 60), asn=10, probe="z", mechanism="tcp.silence", hop_asn=10)
    assert ["blocking"] == [e.kind for e in found(rows, located)]


# -- Networks --------------------------------------------------------------------------------------


def dark(asn: int, hours: range, end: int = 120, *, silent: str = "", probes: str = "ab") \
        -> list[VerdictRow]:  # fmt: skip
    """A network whose line is dead in *hours*; probes *silent* say nothing then."""
    rows = []
    for probe in probes:
        alive = [h for h in range(end) if h not in hours]
        rows += looks(alive, asn=asn, probe=probe)
        if probe not in silent:
            rows += looks(hours, asn=asn, probe=probe, outcome="local_fault", domestic_alive=False)
    return rows


def test_a_network_whose_lines_are_all_dead_is_out() -> None:
    (event,) = found(dark(10, range(240, 252), 400) + watched((20,), 0, 400))
    assert ("outage", "network", (10,)) == (event.kind, event.scope, event.networks)
    assert (at(239), at(240)) == (event.onset.after, event.onset.by)
    assert event.lift is not None and at(252) == event.lift.by


def test_silence_of_three_who_always_spoke_is_an_outage_and_of_one_is_not() -> None:
    others = watched((20,), 0, 400)
    rows = dark(10, range(240, 252), 400, silent="abc", probes="abc")
    assert ["outage"] == [e.kind for e in found(rows + others)]
    assert [] == found(dark(10, range(240, 252), 400, silent="a", probes="a") + others)


def test_one_dead_line_beside_a_living_one_is_no_outage() -> None:
    rows = dark(10, range(240, 252), 400, probes="a") + looks(range(400), probe="b")
    assert [] == found(rows + watched((20,), 0, 400))


def test_when_nobody_anywhere_is_heard_the_collecting_stopped() -> None:
    hours = range(240, 252)
    rows = [r for a in (10, 20, 901) for r in dark(a, hours, 400, silent="abc", probes="abc")]
    assert [] == found(rows)


def test_the_end_of_the_data_is_no_outage() -> None:
    rows = watched((10,), 0, 394) + watched((20,), 0, 400)
    assert [] == found(rows)


def test_a_network_of_which_no_look_ever_told_anything_is_no_outage() -> None:
    rows = looks(range(50), asn=10, outcome="inconclusive")
    assert [] == found(rows) == found(rows + watched((20,), 0, 50))


def test_months_of_silence_are_of_those_who_measure() -> None:
    rows = dark(10, range(240, 500), 700, silent="abc", probes="abc")
    assert [] == found(rows + watched((20,), 0, 700))


def cut(asns: Iterable[int], hours: Iterable[int], end: int = 120) -> list[VerdictRow]:
    """What is foreign is lost in *hours*, what is domestic answers."""
    return meets(hours, "inconclusive", asns=asns, end=end, foreign_lost=True)


def test_foreign_lost_and_domestic_alive_is_a_shutdown() -> None:
    rows = cut((10, 11, 20), range(40, 60)) + meets([], "ok", asns=(30,))
    (event,) = found(rows)
    assert ("shutdown", "national", (10, 11, 20)) == (event.kind, event.scope, event.networks)
    assert (at(39), at(40)) == (event.onset.after, event.onset.by)
    assert event.lift is not None and at(60) == event.lift.by


def test_night_after_night_is_one_shutdown_with_its_hours() -> None:
    nights = [h for n in range(3) for h in range(42 + 24 * n, 52 + 24 * n)]
    (event,) = found(cut((10, 11, 20), nights, 140))
    assert "shutdown" == event.kind
    assert {18, 19, 20, 21, 22, 23, 0, 1, 2, 3} == set(event.hours)


def test_one_probe_without_its_foreign_canaries_is_no_shutdown() -> None:
    rows = looks(range(40)) + looks(range(40, 80), outcome="inconclusive", foreign_lost=True)
    assert [] == found(rows + watched((20,), 0, 80))


def test_accusations_inside_a_shutdown_belong_to_it() -> None:
    rows, parts = cut((10, 11, 20), range(40, 60)), []
    for n in range(10):
        rows += watched((10,), 0, 120, host=f"{n}.example", blocked={10: (41, 59)}, probes="cd")
        parts.append(part(41, 59, host=f"{n}.example"))
    assert ["shutdown"] == [e.kind for e in found(rows, parts)]


def test_a_block_that_outlasts_the_shutdown_is_one() -> None:
    rows = cut((10, 11, 20), range(40, 60))
    rows += watched((10, 11, 20), 0, 120, host="x.example", blocked={10: (41, 999)}, probes="cd")
    kinds = {e.kind: e for e in found(rows, [part(41, host="x.example")])}
    assert {"shutdown", "blocking"} == set(kinds)
    assert any("shutdown" in reason for reason in kinds["blocking"].reasons)


def test_most_targets_lost_at_once_are_a_shutdown_also_where_nobody_has_canaries() -> None:
    rows, parts = [], []
    for n in range(16):
        lost = n < 12
        on = {a: (40, 52) for a in (10, 11, 20)} if lost else {}
        rows += watched((10, 11, 20), 0, 80, host=f"{n}.example", blocked=on, step=2)
        parts += [part(40, 52, asn=a, host=f"{n}.example") for a in on]
    (event,) = found(rows, parts)
    assert ("shutdown", 12) == (event.kind, len(event.targets))


def test_a_list_of_many_of_which_most_is_not_is_blocked() -> None:
    rows, parts = [], []
    for n in range(40):
        on = {a: (40, 52) for a in (10, 20)} if n < 12 else {}
        rows += watched((10, 20), 0, 80, host=f"{n}.example", blocked=on, step=4)
        parts += [part(40, 52, asn=a, host=f"{n}.example") for a in on]
    assert ["blocking"] == [e.kind for e in found(rows, parts)]
