"""Who is suspected of slowness: not for our line, its distance, or one lost packet."""

from __future__ import annotations

from probe.evidence import PROBE, AnyEvidence, HTTPExchange, TCPConnect, TLSHandshake
from probe.failure import Failure
from probe.ladder.slowness import MANY, Slow, compared, slowest, suspects

URL, IP = "https://site.by/", "93.184.216.34"
ONE, TWO = "one", "two"


def fetched(
    vantage: str, seconds: float, *, setup: float = 0.2, wait: float = 0.1, size: int = 20_000,
    truncated: bool = False, status: int | None = 200, failure: Failure | None = None,
    url: str = URL, depth: int = 0, transaction: int = 1, step: str = "",
) -> list[AnyEvidence]:  # fmt: skip
    """A connection, a handshake and a page, which takes *seconds* in all."""
    where = {
        "vantage": vantage, "url": url, "ip": IP, "port": 443, "transaction": transaction,
        "depth": depth, "step": step,
    }  # fmt: skip
    return [
        TCPConnect(t0=1.0, t=1.0 + setup / 2, **where),  # type: ignore[arg-type]
        TLSHandshake(t0=2.0, t=2.0 + setup / 2, **where),  # type: ignore[arg-type]
        HTTPExchange(
            t0=3.0, head_t=3.0 + wait, t=3.0 + seconds - setup, body_length=size, status=status,
            body_truncated=truncated, failure=failure, **where,  # type: ignore[arg-type]
        ),
    ]


def suspected(*evidence: list[AnyEvidence]) -> bool:
    page = slowest([e for records in evidence for e in records])
    return suspects([page]) != [None]


def test_much_longer_than_at_every_control_is_suspicious() -> None:
    assert suspected(fetched(PROBE, 4.0), fetched(ONE, 0.5), fetched(TWO, 0.7))


def test_as_long_as_at_one_of_the_controls_is_not() -> None:
    assert not suspected(fetched(PROBE, 4.0), fetched(ONE, 0.5), fetched(TWO, 3.0))


def test_a_lost_syn_is_not_suspicious_beside_a_page_that_takes_its_time() -> None:
    assert not suspected(fetched(PROBE, 1.9, setup=1.2), fetched(ONE, 0.7))


def test_many_times_next_to_nothing_is_not_suspicious() -> None:
    assert not suspected(fetched(PROBE, 0.5), fetched(ONE, 0.02, setup=0.01, wait=0.005))


def test_the_handshake_counts_as_much_as_the_page() -> None:
    assert suspected(fetched(PROBE, 3.0, setup=2.8), fetched(ONE, 0.4))


def test_waiting_for_ones_turn_is_no_slowness() -> None:
    mine = fetched(PROBE, 0.5)
    mine[2] = HTTPExchange(
        vantage=PROBE, url=URL, ip=IP, port=443, transaction=1, status=200, t0=50.0,
        head_t=50.1, t=50.3, body_length=20_000,
    )  # fmt: skip
    assert not suspected(mine, fetched(ONE, 0.5))


def test_a_body_cut_off_by_its_time_counts_as_if_it_had_gone_on() -> None:
    cut = fetched(PROBE, 10.3, size=20_000, truncated=True)
    (page,) = compared([*cut, *fetched(ONE, 0.5, size=200_000)])
    assert 100 < page.ours < 102
    assert suspected(cut, fetched(ONE, 0.5, size=200_000))


def test_only_the_same_answer_is_compared() -> None:
    assert not suspected(fetched(PROBE, 9.0), fetched(ONE, 0.2, status=403))
    assert not suspected(fetched(PROBE, 9.0, status=None), fetched(ONE, 0.2))
    assert not suspected(fetched(PROBE, 9.0, failure=Failure.TIMEOUT), fetched(ONE, 0.2))
    assert not suspected(fetched(PROBE, 9.0))


def test_a_page_behind_a_redirect_is_compared_with_the_controls_own_hop() -> None:
    other = "https://www.site.by/"
    mine = [*fetched(PROBE, 0.5), *fetched(PROBE, 6.0, url=other, depth=1, transaction=2)]
    theirs = fetched(ONE, 0.5, url=other, depth=1)
    page = slowest([*mine, *theirs])
    assert page is not None
    assert (other, 1) == (page.url, page.depth)


def test_what_a_follow_up_saw_is_not_the_plain_pass() -> None:
    assert not suspected(fetched(PROBE, 9.0, step="speed"), fetched(ONE, 0.2))


def pages(count: int, ours: float) -> list[Slow | None]:
    return [Slow(f"https://site{n}.by/", 0, IP, 443, ours + n / 1000, 0.5) for n in range(count)]


def test_of_a_list_on_a_slow_line_only_the_slowest_are_looked_at() -> None:
    found = suspects([*pages(200, 8.0), None])
    assert MANY == sum(accused is not None for accused in found)
    assert found[199] is not None and "https://site199.by/" == found[199].url.text
    assert found[0] is None and found[200] is None


def test_a_fifth_of_a_list_is_looked_at_as_a_whole() -> None:
    found = suspects([*pages(50, 8.0), *pages(200, 0.5)])
    assert 50 == sum(accused is not None for accused in found)


def test_the_accused_is_the_page_where_it_was_slow() -> None:
    (accused,) = suspects([slowest([*fetched(PROBE, 9.0), *fetched(ONE, 0.5)])])
    assert accused is not None
    assert ("slow", IP, 443, "", URL) == (
        accused.layer, accused.ip, accused.port, accused.how, accused.url.text,
    )
