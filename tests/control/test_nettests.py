"""A control runs a nettest on what is no site, as a probe does, and vouches under its own name."""

from __future__ import annotations

from typing import Any

import pytest

from probe.compare import compare_service
from probe.control.client import ControlClient
from probe.evidence import ControlQuery, Reach, RelayLink
from probe.failure import Failure
from probe.nettest import Context, Nettest
from probe.trace import Trace
from testlists.target import Target
from tests.control.stage import control_server, controls, findings, patient, queries, stranger

RELAY = Target(
    url="tor://93.184.216.34:9001", category="ANON", attributes=(("fingerprint", "AB" * 20),)
)


class Looking:
    """A nettest that finds what it is told to, and remembers of what it was asked."""

    def __init__(self, failure: Failure | None = None) -> None:
        self.failure = failure
        self.asked: list[Target] = []

    async def __call__(self, ctx: Context, target: Target) -> None:
        self.asked.append(target)
        ctx.trace.append(
            RelayLink, 0.0,
            {"relay": "or_port", "ip": "93.184.216.34", "port": 9001, "url": target.url,
             "failure": self.failure},
        )  # fmt: skip


def looking(run: Looking, *, elsewhere: bool = True) -> Nettest:
    return Nettest("relays", "1", "?", run, lambda t: t.scheme == "tor", elsewhere)


async def test_every_control_looks_and_answers_under_its_own_name() -> None:
    runs = [Looking(), Looking(Failure.CONNECTION_RESET)]
    async with (
        control_server(nettests=[looking(runs[0])]) as (one, _),
        control_server(nettests=[looking(runs[1])]) as (two, _),
        ControlClient(controls(one, two)) as client,
    ):
        trace = Trace()
        await client.ask_nettest(trace, "relays", RELAY)
    assert [(RELAY.url, RELAY.attributes)] * 2 == [
        (t.url, t.attributes) for run in runs for t in run.asked
    ]
    seen = {e.vantage: e.failure for e in findings(trace)}
    assert {"control-1": None, "control-2": Failure.CONNECTION_RESET} == seen
    assert [None, None] == [q.failure for q in queries(trace)]


async def test_two_who_ask_the_same_are_answered_by_one_look() -> None:
    run = Looking()
    async with (
        control_server(nettests=[looking(run)]) as (url, _),
        ControlClient(controls(url)) as client,
    ):
        await client.ask_nettest(Trace(), "relays", RELAY)
        await client.ask_nettest(Trace(), "relays", RELAY)
    assert 1 == len(run.asked)


async def test_a_control_that_cannot_is_a_record_and_no_end() -> None:
    async def other(stream: Any) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")

    async with stranger(other) as url, ControlClient(controls(url)) as client:
        trace = Trace()
        await client.ask_nettest(trace, "relays", RELAY)
    (query,) = queries(trace)
    assert (Failure.UNKNOWN, 404) == (query.failure, query.status)
    assert [] == findings(trace)


@pytest.mark.parametrize(
    "question",
    [
        {"nettest": "relays", "url": "tor://192.168.1.1:9001"},
        {"nettest": "relays", "url": "https://example.org/"},
        {"nettest": "relays", "url": "tor://93.184.216.34:25"},
        {"nettest": "bootstrap", "url": RELAY.url},
        {"nettest": "nobody", "url": RELAY.url},
        {"nettest": "relays", "url": RELAY.url, "attributes": [["a", "b"]] * 21},
        {"nettest": "relays"},
    ],
)
async def test_a_control_is_not_sent_where_it_should_not_go(question: dict[str, Any]) -> None:
    run = Looking()
    tests = [looking(run), Nettest("bootstrap", "1", "?", run, lambda t: True)]
    async with control_server(nettests=tests) as (url, _), patient() as http:
        reply = await http.post(f"{url}nettests", json=question)
    assert 400 == reply.status_code
    assert reply.json()["error"]
    assert [] == run.asked


def _reach(vantage: str, failure: Failure | None, port: int = 443) -> Reach:
    return Reach(service="telegram", ip="149.154.167.51", port=port, vantage=vantage,
                 failure=failure)  # fmt: skip


def _asked(control: str) -> ControlQuery:
    return ControlQuery(control=control, control_url="https://c.example/")


def test_only_where_every_control_that_tried_fares_otherwise_it_differs() -> None:
    names = ["a", "b"]
    lost, fine = Failure.CONNECTION_RESET, None
    both = [_asked("a"), _asked("b")]
    assert compare_service(
        [_reach("probe", lost), _reach("a", fine), _reach("b", fine), *both], names
    )["differs"]
    assert not compare_service(
        [_reach("probe", lost), _reach("a", fine), _reach("b", lost), *both], names
    )["differs"]
    assert compare_service([_reach("probe", lost)], names)["differs"] is None


def test_a_later_try_that_went_well_counts() -> None:
    again = [_reach("probe", Failure.TIMEOUT), _reach("probe", None), _reach("probe", None, 80)]
    assert compare_service(again, [])["failure"] is None
    assert compare_service(again[:1] + again[2:], [])["failure"] == Failure.TIMEOUT
