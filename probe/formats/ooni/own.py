"""Documents that zond wrote itself: read from what they say in our words.

An OONI document of ours (`probe.formats.ooni_export`) brings the whole measurement along,
under the id that it has in every other way out: so it is one measurement in the dataset,
whichever ways it came. Its run is marked as imported by its *report*.
"""

from __future__ import annotations

import msgspec

from probe.formats.ooni.document import (
    EARLIEST,
    LATEST,
    MAX_RECORDS,
    MAX_TEXT,
    Document,
    Imported,
    Unreadable,
)
from probe.formats.ooni_export.extension import BadExtension, of


def own(document: Document, *, origin: str = "") -> Imported | None:
    """What a document of ours holds; None for others. Raises `Unreadable`."""
    try:
        found = of(bytes(document.envelope.test_keys))
    except BadExtension as exc:
        raise Unreadable(str(exc)) from None
    if found is None:
        return None
    plain = found.measurement
    # Both halves are read by somebody: one that says another thing than the other is refused.
    if plain.url != document.input or plain.nettest != document.nettest:
        raise Unreadable("x_zond is about another target than its document")
    if abs(plain.started_at - document.started_at) >= 2:
        raise Unreadable("x_zond is of another time than its document")
    if not EARLIEST <= found.run.started_at <= LATEST:
        raise Unreadable("x_zond: an impossible time")
    measurements = (plain, *found.follow_ups)
    if sum(len(m.evidence) for m in measurements) > MAX_RECORDS:
        raise Unreadable("too many records")
    told = document.envelope.report_id or plain.id
    return Imported(
        run=msgspec.structs.replace(found.run, source="", report=told[:MAX_TEXT]),
        measurements=tuple(
            msgspec.structs.replace(m, document=m.id, origin=origin[:MAX_TEXT])
            for m in measurements
        ),
        canaries=found.canaries,
    )
