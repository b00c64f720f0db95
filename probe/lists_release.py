"""A release of the lists, from a file or from a server that the user named.

From a server it comes by the ways of uploads and by no other (`probe.upload.ways_out`): who named
only Tor is not sent straight to a server that holds lists. No redirect is followed, since it could
lead elsewhere than the user said. What comes is bounded, and believed when it is verified.
"""

from __future__ import annotations

import os
from pathlib import Path

import trio

from probe.config import ConfigError, load
from probe.control.transport import check_status, fetch
from probe.ending import BAD_ARGUMENTS, Problem
from probe.failure import Failure, NetworkFailure
from probe.upload.ways_out import EXCHANGE, WayOut, is_loopback, open_way, ways_out
from testlists.release import MAX_RELEASE, MAX_SIGNATURE


def release_from(source: str) -> tuple[bytes, bytes]:
    """The archive at the file or URL *source*, and the signature beside it.

    Raises `Problem`, and OSError for a file.
    """
    if source.startswith(("http://", "https://")):
        return _served(source)
    with Path(source).open("rb") as archive, Path(f"{source}.minisig").open("rb") as signature:
        return archive.read(MAX_RELEASE + 1), signature.read(MAX_SIGNATURE + 1)


def _served(url: str) -> tuple[bytes, bytes]:
    if not url.startswith("https://") and not is_loopback(url):
        raise Problem("a release is fetched over https only", BAD_ARGUMENTS)
    try:
        config = load(None, os.environ, {})
        ways = ways_out(config.upload, config.proxy)
    except ConfigError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    if not ways:
        raise Problem("[upload] ways names no way to a server", BAD_ARGUMENTS)
    troubles = []
    for way in ways:
        try:
            return trio.run(_fetched, way, url)
        except NetworkFailure as exc:
            troubles.append(f"{way.name}: {exc}")
    raise Problem(f"{url}: {'; '.join(troubles)}")


async def _fetched(way: WayOut, url: str) -> tuple[bytes, bytes]:
    with trio.move_on_after(EXCHANGE):
        async with open_way(way, url) as client:
            replies = [await fetch(client, "GET", each) for each in (url, f"{url}.minisig")]
        for reply in replies:
            check_status(reply)
        return replies[0].body, replies[1].body
    raise NetworkFailure(Failure.TIMEOUT, f"not answered in {EXCHANGE:g} s")
