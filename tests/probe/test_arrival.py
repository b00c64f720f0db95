"""What a run does with what it learns of its network."""

from __future__ import annotations

import pytest

import probe.surroundings.arrival
from probe.asn import AddressBook
from probe.config import Canaries
from probe.control.introduction import Introduction
from probe.evidence import CanaryCheck, Run
from probe.surroundings.arrival import Arrival, judge_controls
from probe.surroundings.canary import Line
from probe.surroundings.resolvers import Resolvers
from probe.surroundings.upstream import Upstream
from probe.surroundings.way_out import WayOut
from tests.probe.fakeline import FakeLine

MINSK, M247, BERLIN = "178.124.180.77", "146.70.52.10", "91.0.0.1"
BY = frozenset({"BY"})


async def nobody(checks: list[CanaryCheck]) -> None:
    return


def judged(
    monkeypatch: pytest.MonkeyPatch,
    way: WayOut,
    address: str,
    *,
    usual: frozenset[str] = BY,
    vpn_ok: bool = False,
    upstream: Upstream | None = None,
    own: tuple[str, ...] = (),
) -> Arrival:
    monkeypatch.setattr(probe.surroundings.arrival, "way_out", lambda: way)
    line = Line(FakeLine(None), Canaries(), run_id="r", report=nobody)  # type: ignore[arg-type]
    found = Arrival(line, upstream=upstream or Upstream())
    told = [
        Introduction(control=name, control_url=f"https://{name}/", client_addresses=(address,))
        for name in ("one", "two")
    ]
    with AddressBook() as book:
        judge_controls(
            found, Run(id="r", started_at=0.0), told, Resolvers(own=own), book,
            usual=usual, vpn_ok=vpn_ok,
        )  # fmt: skip
    return found


async def test_a_sure_vpn_stops_the_run_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = judged(monkeypatch, WayOut("tun0", "tunnel"), M247)
    assert (found.stop, found.facts["vpn"], found.facts["way_out"]) == ("vpn", True, "tunnel")
    assert "--vpn-ok" in found.notes[-1] and "M247" in found.notes[-1]


async def test_a_vpn_that_is_meant_is_measured_and_on_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = judged(monkeypatch, WayOut("tun0", "tunnel"), M247, vpn_ok=True)
    assert (found.stop, found.facts["vpn"]) == ("", True)
    assert found.facts["probe_cc"] == "RO"  # what is found is never put down to the country


@pytest.mark.parametrize(
    ("way", "address", "usual", "said"),
    [
        (WayOut("tun0", "tunnel"), MINSK, BY, "a tunnel (tun0)"),
        (WayOut("eth0", "plain"), BERLIN, BY, "usually in BY"),
        (WayOut("eth0", "plain"), MINSK, BY, ""),
        (WayOut("ppp0", "unclear"), MINSK, BY, ""),
        (WayOut("eth0", "plain"), BERLIN, frozenset[str](), ""),
    ],
)
async def test_what_is_not_sure_is_a_note_at_most(
    monkeypatch: pytest.MonkeyPatch, way: WayOut, address: str, usual: frozenset[str], said: str
) -> None:
    found = judged(monkeypatch, way, address, usual=usual)
    assert found.stop == "" and found.facts["vpn"] is not True
    assert (said in " ".join(found.notes)) if said else not found.notes


async def test_a_mobile_lines_first_router_is_the_operators(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = judged(monkeypatch, WayOut("wwan0", "plain"), MINSK)
    assert found.facts["home_router"] is None


async def test_the_resolver_is_who_asks_the_world(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    behind = Upstream(at="home", address="94.140.14.14")
    found = judged(
        monkeypatch, WayOut("eth0", "plain"), MINSK, upstream=behind, own=("192.168.1.1",)
    )
    facts = found.facts
    assert (facts["resolver_at"], facts["resolver_asn"], facts["resolver_cc"]) == (
        "home", 212772, "CY",
    )
    alone = judged(
        monkeypatch, WayOut("eth0", "plain"), MINSK, upstream=Upstream(at="network"),
        own=("178.124.130.53",),
    )  # fmt: skip
    assert (alone.facts["resolver_asn"], alone.facts["resolver_cc"]) == (6697, "BY")
