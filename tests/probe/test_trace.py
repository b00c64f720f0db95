from __future__ import annotations

import errno

import pytest
import trio
from trio.testing import MockClock

from probe.evidence import TCPConnect
from probe.failure import Failure, NetworkFailure
from probe.trace import MAX_DETAIL, StepFailed, Trace
from tests.fakenet import os_error

WHERE = {"ip": "192.0.43.7", "port": 443}


async def test_success_is_one_record_with_its_times(autojump_clock: MockClock) -> None:
    await trio.sleep(3)
    trace = Trace(vantage="lab")
    await trio.sleep(2)
    with trace.operation(TCPConnect, timeout=10, **WHERE) as learned:
        await trio.sleep(1.5)
        learned["held"] = 1.5
    record = TCPConnect(vantage="lab", t0=2.0, t=3.5, held=1.5, ip="192.0.43.7", port=443)
    assert [record] == trace.records


async def test_silence_ends_at_the_deadline(autojump_clock: MockClock) -> None:
    trace = Trace()
    with pytest.raises(StepFailed), trace.operation(TCPConnect, timeout=10, **WHERE):
        await trio.sleep_forever()
    assert [(Failure.TIMEOUT, 10.0)] == [(e.failure, e.t) for e in trace.records]


async def test_what_was_learned_before_a_failure_is_kept() -> None:
    trace = Trace()
    with pytest.raises(StepFailed), trace.operation(TCPConnect, timeout=10, **WHERE) as learned:
        learned["held"] = 1.0
        raise os_error(errno.ECONNRESET)
    (record,) = trace.records
    assert isinstance(record, TCPConnect)
    assert (1.0, Failure.CONNECTION_RESET) == (record.held, record.failure)


async def test_an_orderly_end_with_bad_news_does_not_raise() -> None:
    trace = Trace()
    with trace.operation(TCPConnect, timeout=10, **WHERE) as learned:
        learned["failure"] = Failure.DNS_NXDOMAIN
    assert [Failure.DNS_NXDOMAIN] == [e.failure for e in trace.records]


@pytest.mark.parametrize("bug", [TypeError, KeyError, ValueError, AssertionError])
async def test_a_bug_leaves_no_record_and_is_loud(bug: type[Exception]) -> None:
    trace = Trace()
    with pytest.raises(bug), trace.operation(TCPConnect, timeout=10, **WHERE):
        raise bug
    assert [] == trace.records


async def test_a_fact_that_no_record_has_is_loud() -> None:
    trace = Trace()
    with pytest.raises(TypeError), trace.operation(TCPConnect, timeout=10, **WHERE) as learned:
        learned["blocked"] = True
        raise os_error(errno.ECONNRESET)
    assert [] == trace.records


async def test_cancellation_from_outside_leaves_no_record(autojump_clock: MockClock) -> None:
    trace = Trace()
    with trio.move_on_after(5), trace.operation(TCPConnect, timeout=10, **WHERE):
        await trio.sleep_forever()
    assert [] == trace.records


async def test_what_a_server_says_is_bounded() -> None:
    trace = Trace()
    with pytest.raises(StepFailed), trace.operation(TCPConnect, timeout=10, **WHERE):
        raise NetworkFailure(Failure.UNKNOWN, "x" * 10_000)
    assert MAX_DETAIL == len(trace.records[0].detail)


async def test_transactions_differ() -> None:
    trace = Trace()
    assert 3 == len({trace.new_transaction() for _ in range(3)})
