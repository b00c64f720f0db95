"""Relays as lines of a list, as `testlists` reads it; the columns are those of ``docs/tor.md``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from probe.tor.consensus import Consensus, Relay
from probe.tor.first_seen import Dated, text_of
from testlists.categories import CATEGORIES
from testlists.target import Target
from testlists.url import BadURL, normalise

NAME = "tor-consensus"
COLUMNS = (
    "url", "category_code", "category_description", "date_added", "source", "notes", "risk",
    "risk_reason", "relay", "nickname", "fingerprint", "dir_port", "flags", "first_seen",
)  # fmt: skip
KNOWN_COLUMNS = (
    "relay", "role", "ip", "or_port", "dir_port", "channel", "transport", "first_seen",
    "last_seen", "source",
)  # fmt: skip


def written(relays: Iterable[Relay], consensus: Consensus, born: Mapping[str, float]) -> bytes:
    """The list of *relays*, each of their OR ports a line; *born* as `sampling.sample` takes it.

    An address that no list may have (`testlists.url`) is left out.
    """
    out = io.StringIO()
    lines = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    lines.writeheader()
    drawn = datetime.fromtimestamp(consensus.valid_after, UTC)
    source = f"consensus of {drawn:%Y-%m-%dT%HZ}"
    for relay in relays:
        since = born.get(relay.fingerprint)
        for number, (ip, port) in enumerate([(relay.ip, relay.or_port), *relay.more]):
            with suppress(BadURL):
                lines.writerow({
                    "url": normalise(f"tor://[{ip}]:{port}" if ":" in ip else f"tor://{ip}:{port}"),
                    "category_code": "ANON", "category_description": CATEGORIES["ANON"],
                    "date_added": f"{drawn:%Y-%m-%d}", "source": source,
                    "notes": "", "risk": "medium", "risk_reason": "tool", "relay": "or_port",
                    "nickname": relay.nickname, "fingerprint": relay.fingerprint,
                    "dir_port": (relay.dir_port or "") if number == 0 else "",
                    "flags": " ".join(relay.flags),
                    "first_seen": "" if since is None else text_of(since),
                })  # fmt: skip
    return out.getvalue().encode()


def dates_of(targets: Iterable[Target]) -> dict[str, str]:
    """The first-seen days of an older list, by fingerprint."""
    told = ((t.attribute("fingerprint").upper(), t.attribute("first_seen")) for t in targets)
    return {fingerprint: day for fingerprint, day in told if fingerprint and day}



def as_known(dated: Iterable[Dated]) -> bytes:
    """The table ``relays`` of ``zond regime import`` (docs/regime.md)."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(KNOWN_COLUMNS)
    for each in dated:
        lines.writerow([
            each.fingerprint, each.role, each.ip, each.or_port, each.dir_port, each.channel,
            each.transport, text_of(each.first), text_of(each.last), each.source,
        ])  # fmt: skip
    return out.getvalue().encode()
