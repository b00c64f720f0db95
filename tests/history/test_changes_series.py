"""What counts for a series and against it, and what holds for a part of it only."""

from __future__ import annotations

from analysis.history.table import VerdictRow
from tests.history.histories import HOUR, T0, between, found, holds, hourly, hours_of, look, one


def school(h: float, until: float = 1e9) -> str:
    day, hour = divmod(h, 24)
    return "dns.refused" if 72 <= h < until and 5 <= hour < 12 and day % 7 < 5 else ""


def test_a_block_of_some_hours_on_weekdays_is_one_part_with_its_hours() -> None:
    part = one(hourly(school, range(24 * 28)))
    assert part.hours == (5, 6, 7, 8, 9, 10, 11)
    assert part.lift is None
    assert holds(part.onset, 72) and part.share == 1.0
    assert part.alerted_at is not None and part.alerted_at < T0 + (72 + 12) * HOUR


def test_its_lift_is_told_by_its_hours_and_not_by_a_night() -> None:
    rows = hourly(lambda h: school(h, until=24 * 17), range(24 * 30))
    assert one([r for r in rows if r.measured_at < T0 + 24 * 17 * HOUR]).lift is None
    part = one(rows)
    assert part.hours and holds(part.lift, 24 * 17)


def test_a_weekly_throttling_is_one_part() -> None:
    def seen(h: float) -> str:
        return "throttled" if h >= 24 * 5 and h // 24 % 7 == 6 and 12 <= h % 24 < 19 else ""

    part = one(hourly(seen, range(24 * 33)))
    assert (part.mechanism, part.hours) == ("throttled", (12, 13, 14, 15, 16, 17, 18))


def test_a_block_of_some_addresses_names_them_and_its_share() -> None:
    ips = [f"192.0.2.{n}" for n in range(6)]

    def seen(h: float, ip: str) -> str:
        return "tcp.silence" if 100 <= h < 400 and ip in ips[:4] else ""

    rows = [look(h, seen(h, ips[(h * 5) % 6]), ip=ips[(h * 5) % 6]) for h in range(600)]
    part = one(rows)
    assert part.ips == tuple(ips[:4])
    assert 0.6 < part.share < 0.73
    assert holds(part.onset, 99.5) and holds(part.lift, 399.5)


def test_a_block_that_two_of_three_looks_meet_is_one_part() -> None:
    rows = hourly(lambda h: "tls.reset" if h >= 100 and h % 3 else "", range(400))
    part = one(rows)
    assert part.lift is None and 0.6 < part.share < 0.72 and part.hours == ()


def test_mobile_customers_only() -> None:
    rows = hourly(between(100, 300), range(400), probe="m", kind="mobile")
    rows += hourly(lambda h: "", [h + 0.1 for h in range(400)], probe="f", kind="fixed")
    part = one(rows)
    assert part.network_type == "mobile" and holds(part.onset, 99.5) and holds(part.lift, 299.5)


def test_what_one_probe_says_and_its_like_deny_is_not_believed() -> None:
    rows = hourly(between(100, 300), range(400), probe="broken")
    rows += hourly(lambda h: "", [h + 0.1 for h in range(400)], probe="b")
    rows += hourly(lambda h: "", [h + 0.2 for h in range(400)], probe="c")
    assert found(rows) == ()


def test_a_tunnel_that_was_left_on_is_no_lift() -> None:
    rows = hourly(between(100, 1e9), range(300), probe="a")
    rows += hourly(lambda h: "", range(300, 306), probe="tunnel")
    assert one(rows).lift is None


def test_a_shift_between_layers_is_one_part_after_another() -> None:
    def seen(h: float) -> str:
        return "" if h < 50 else "tcp.silence" if h < 120 else "tls.reset"

    first, second = found(hourly(seen, range(300)))
    assert [first.mechanism, second.mechanism] == ["tcp.silence", "tls.reset"]
    assert hours_of(first.lift) == (119, 120)
    assert second.lift is None
    assert second.onset.by == T0 + 120 * HOUR


def test_a_shift_within_a_layer_is_dated() -> None:
    def seen(h: float) -> str:
        return "" if h < 50 else "tls.silence" if h < 120 else "tls.reset"

    first, second = found(hourly(seen, range(300)))
    assert [first.mechanism, second.mechanism] == ["tls.silence", "tls.reset"]
    assert hours_of(first.lift) == hours_of(second.onset) == (119, 120)


def test_what_an_earlier_layer_hides_is_neither_clean_nor_blocked() -> None:
    def seen(h: float) -> str:
        return "" if h < 50 else "tls.reset" if h < 100 else "dns.nxdomain"

    by_mechanism = {p.mechanism: p for p in found(hourly(seen, range(300)))}
    assert by_mechanism["tls.reset"].lift is None
    assert by_mechanism["dns.nxdomain"].onset.by == T0 + 100 * HOUR


def test_a_later_layer_shows_that_an_earlier_one_was_passed() -> None:
    def seen(h: float) -> str:
        return "" if h < 50 else "dns.nxdomain" if h < 100 else "tls.reset"

    by_mechanism = {p.mechanism: p for p in found(hourly(seen, range(300)))}
    assert hours_of(by_mechanism["dns.nxdomain"].lift) == (99, 100)


def test_a_page_over_tls_is_no_look_at_what_is_done_in_the_clear() -> None:
    rows = hourly(between(50, 1e9, "http.redirect"), range(100), url="http://x.example/")
    rows += hourly(lambda h: "", [h + 0.1 for h in range(100)], url="https://x.example/")
    part = one(rows)
    assert part.share == 1.0 and hours_of(part.onset) == (49, 50)


def test_a_resolver_that_lies_is_a_series_of_its_own() -> None:
    rows = hourly(between(50, 1e9, "dns.substituted"), range(100), resolver=25106)
    rows += hourly(lambda h: "", [h + 0.1 for h in range(100)], resolver=15169, probe="b")
    part = one(rows)
    assert part.resolver_asn == 25106 and part.share == 1.0


def test_networks_and_hosts_are_kept_apart() -> None:
    rows: list[VerdictRow] = []
    for asn in (6697, 25106):
        for host in ("x.example", "y.example"):
            begin = 50 if (asn, host) == (6697, "y.example") else 1e9
            rows += hourly(between(begin, 1e9), range(100), asn=asn, host=host)
    part = one(rows)
    assert (part.probe_asn, part.host) == (6697, "y.example")


def test_a_block_without_a_mechanism_is_still_one() -> None:
    rows = [look(h, "", outcome="blocked" if h >= 50 else "ok") for h in range(100)]
    assert one(rows).mechanism == ""


def test_who_was_denied_by_others_is_not_believed_while_they_are_away() -> None:
    rows = hourly(between(100, 300), range(400), probe="broken")
    there = [h + 0.1 for h in range(400) if not 200 <= h < 220]
    for probe in "bcd":
        rows += hourly(lambda h: "", there, probe=probe)
    assert found(rows) == ()


def test_some_hours_of_mobile_customers_only() -> None:
    def seen(h: float) -> str:
        return "throttled" if h >= 24 * 5 and h // 24 % 7 >= 5 and 12 <= h % 24 < 19 else ""

    rows = hourly(seen, range(24 * 33), probe="m", kind="mobile")
    rows += hourly(lambda h: "", [h + 0.1 for h in range(24 * 33)], probe="f", kind="fixed")
    part = one(rows)
    assert (part.network_type, part.hours) == ("mobile", (12, 13, 14, 15, 16, 17, 18))
    assert part.lift is None and holds(part.onset, 24 * 5 + 12)
