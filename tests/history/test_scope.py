"""On whose networks: by which probes agree, who is clean, and in what order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from analysis.history.event import Interval, Part
from analysis.history.looks import Seen
from analysis.history.scope import Found, scope
from tests.history.by_hand import NETWORKS, at, part


def seen(
    asn: int, struck: int, clean: int = 0, *, probe: str = "a", kind: str = "", region: str = "",
    resolver: int | None = None, sessions: int = 9, targets: int = 1,
) -> Seen:  # fmt: skip
    asked = asn if resolver is None else resolver
    return Seen(
        asn, kind, region, asked, f"{probe}{asn}", struck, clean, 0, sessions if struck else 0,
        targets if struck else 0,
    )  # fmt: skip


def both(asns: Iterable[int], struck: int, clean: int = 0, **more: str) -> list[Seen]:
    """The same seen by two probes on each of *asns*."""
    return [
        seen(a, struck, clean, probe=p, kind=more.get("kind", ""), region=more.get("region", ""))
        for a in asns for p in "ab"
    ]  # fmt: skip


def found(
    asns: Sequence[int], looks: Sequence[Seen], onsets: Mapping[int, float] = {},
    share: float = 1.0, mechanism: str = "tls.reset",
) -> Found:  # fmt: skip
    parts = [part(onsets.get(a, 24), asn=a, mechanism=mechanism) for a in asns]
    return scope(parts, looks, share, NETWORKS)


def test_one_network_beside_clean_ones() -> None:
    where = found([10], both([10], 20) + both([11, 20], 0, 20))
    assert ("network", (10,), (11, 20)) == (where.scope, where.networks, where.clean)


def test_where_nobody_looked_elsewhere_one_network_says_nothing_of_scope() -> None:
    assert "unknown" == found([10], both([10], 20)).scope
    assert "unknown" == found([10], [*both([10], 20), seen(20, 0, 1)]).scope


def test_a_network_is_not_shown_by_one_probe_in_one_session() -> None:
    assert "unknown" == found([10], [seen(10, 1, sessions=1), *both([20], 0, 20)]).scope
    assert "network" == found([10], [seen(10, 2, sessions=2), *both([20], 0, 20)]).scope


def test_one_session_that_meets_it_with_many_targets_shows_a_network() -> None:
    assert "network" == found([10], [seen(10, 5, sessions=1, targets=5), *both([20], 0, 20)]).scope


def test_networks_of_one_operator() -> None:
    assert "operator" == found([10, 23], both([10, 23], 20) + both([11, 20], 0, 20)).scope


def test_customers_of_one_gateway_at_the_same_time() -> None:
    looks = both([10, 11, 22, 23], 20) + both([20, 21], 0, 20)
    assert "gateway" == found([10, 11, 22, 23], looks).scope


def test_customers_of_one_gateway_one_after_another_are_a_group() -> None:
    looks = both([10, 11, 22, 23], 20) + both([20, 21, 12, 30], 0, 20)
    assert "group" == found([10, 11, 22, 23], looks, {11: 60, 22: 90}).scope


def test_a_clean_customer_of_the_gateway_alone_acquits_it() -> None:
    looks = both([10, 22, 23], 20) + both([11, 20, 21], 0, 20)
    assert "gateway" != found([10, 22, 23], looks).scope


def test_national_takes_most_operators_and_no_common_gateway() -> None:
    shown = [10, 11, 20, 21]
    assert "national" == found(shown, both(shown, 20) + both([30], 0, 20)).scope
    assert "group" == found([10, 20, 21], both([10, 20, 21], 20) + both([11, 12, 22], 0, 20)).scope


def test_never_national_from_one_network_or_two() -> None:
    assert "unknown" == found([10], both([10], 500)).scope
    assert "unknown" == found([10, 20], both([10, 20], 500)).scope


def test_a_network_that_was_hardly_looked_at_is_neither_clean_nor_shown() -> None:
    where = found([10], [*both([10], 20), seen(20, 1, 1, sessions=1), *both([11], 0, 20)])
    assert (10,) == where.networks
    assert (11,) == where.clean


def test_half_a_block_takes_more_clean_looks_to_be_excluded() -> None:
    looks = both([10], 10, 10)
    assert "unknown" == found([10], [*looks, seen(20, 0, 4)], share=0.5).scope
    assert "network" == found([10], [*looks, seen(20, 0, 20)], share=0.5).scope


def test_mobile_networks_while_fixed_ones_are_clean() -> None:
    assert "mobile" == found([21, 22], both([21, 22], 20) + both([10, 20], 0, 20)).scope


def test_mobile_access_of_a_network_whose_fixed_lines_are_clean() -> None:
    looks = [*both([12], 20, kind="mobile"), seen(12, 0, 20, probe="c", kind="fixed")]
    assert "mobile" == found([12], looks + both([10], 0, 20)).scope


def test_one_mobile_volunteer_does_not_speak_for_mobile_access() -> None:
    looks = [seen(12, 20, kind="mobile"), seen(12, 0, 20, probe="c", kind="fixed")]
    assert "mobile" != found([12], looks + both([10], 0, 20)).scope


def test_one_region_of_a_network_while_another_is_clean() -> None:
    looks = [*both([10], 20, region="Minsk"), seen(10, 0, 20, probe="c", region="Brest")]
    assert "regional" == found([10], looks + both([20], 0, 20), share=0.7).scope


def test_a_region_that_one_of_many_networks_spares_does_not_make_it_regional() -> None:
    shown = [10, 11, 20, 21]
    looks = [*both(shown, 20, region="Minsk"), seen(10, 0, 20, probe="c", region="Brest")]
    assert "national" == found(shown, looks, share=0.9).scope


def test_those_who_ask_one_resolver_from_wherever_they_are() -> None:
    looks = [
        seen(10, 20), seen(10, 20, probe="b"), seen(10, 0, 20, probe="c", resolver=99),
        seen(20, 20, resolver=10), seen(20, 0, 20, probe="b"),
    ]  # fmt: skip
    where = found([10, 20], looks, mechanism="dns.nxdomain")
    assert ("resolver", (10,)) == (where.scope, where.resolvers)


def test_each_operators_own_resolver_is_no_scope_of_a_resolver() -> None:
    looks = [*both([10, 11, 20, 21], 20), seen(10, 0, 20, probe="c", resolver=99)]
    assert "national" == found([10, 11, 20, 21], looks, mechanism="dns.nxdomain").scope


def test_a_network_that_the_model_does_not_know_is_its_own_operator() -> None:
    assert "group" == found([777, 10], both([777, 10], 20) + both([11, 20, 21], 0, 20)).scope


def test_spread_is_told_where_intervals_tell_it() -> None:
    shown = [10, 11, 20, 21]
    where = found(shown, both(shown, 20), {10: 24, 11: 30, 20: 48, 21: 26})
    assert (10, 21, 11, 20) == where.order
    assert 24 * 3600 == where.spread


def test_spread_is_unknown_where_intervals_overlap_for_long() -> None:
    parts = [
        Part(host="h", mechanism="tls.reset", probe_asn=a, onset=Interval(at(low), at(high)))
        for a, low, high in ((10, 0, 24), (20, 4, 30))
    ]
    assert None is scope(parts, both([10, 20], 20), 1.0, NETWORKS).spread
