"""Asking the helper that a list names what reaches it: twice, where nothing comes back."""

from __future__ import annotations

from typing import Literal

import trio

from probe.control.protocol import BadMessage, endpoint
from probe.endpoint import PAUSE
from probe.steps.echo import echo
from probe.tools import Tools
from probe.trace import Trace
from testlists.target import Target

COLUMN = "helper"  # of the list


def helper_of(target: Target) -> tuple[str, int] | None:
    """Address and port of the helper that *target* names; None where it names none."""
    try:
        return endpoint(target.attribute(COLUMN))
    except BadMessage:
        return None


async def ask_twice(
    tools: Tools, trace: Trace, target: Target, sent: bytes, *, form: Literal["bytes", "headers"]
) -> None:
    """Send *sent* to the helper; again after a pause if nothing came back."""
    at = helper_of(target)
    if at is None or not tools.usable(at[0]):
        return
    for pause in (0.0, PAUSE):
        await trio.sleep(pause)
        await tools.net.turn(*at)
        record = await echo(tools.net, trace, *at, sent, form=form, url=target.url)
        if record.received:
            return
