"""A site that is gone for some seconds fails each of some tries at one time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import trio
from trio.testing import MockClock

from probe.evidence import HTTPExchange
from probe.failure import Failure
from tests.fakenet import ServerEnd, fake_internet, heard, response
from tests.probe.ladder.test_follow import ACCUSED, IP, NEUTRAL, Censor, follow


async def test_silence_is_tried_once_more_when_all_else_has_been(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    back_at = trio.current_time() + 40.0

    async def gone_for_some_seconds(stream: ServerEnd) -> None:
        await heard(stream)
        if trio.current_time() < back_at:
            await trio.sleep_forever()
        await stream.send_all(response(b"the page"))

    async with fake_internet() as net:
        Censor().at(net, NEUTRAL)
        net.tcp[IP, 80] = gone_for_some_seconds
        found, _ = await follow(tmp_path, net, replace(ACCUSED, how=Failure.TIMEOUT))
    pages = [e for e in found.evidence if isinstance(e, HTTPExchange) and e.ip == IP]
    first = [e.failure for e in pages if e.step == "again"]
    later = [e.failure for e in pages if e.step == "again_later"]
    assert [Failure.TIMEOUT] * 4 == first
    assert [None, None] == later
    assert ["again_later"] * 2 == [e.step for e in sorted(pages, key=lambda e: e.t0)[-2:]]


async def test_what_no_failing_site_shows_is_not_tried_once_more(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with fake_internet() as net:
        Censor().at(net, NEUTRAL)
        Censor().at(net, IP)
        found, _ = await follow(tmp_path, net)
    assert "again_later" not in {e.step for e in found.evidence}
