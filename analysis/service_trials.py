"""What was tried of a service, one row for each endpoint: what hypotheses about relays ask.

The test is the endpoint's part, so ``or_port``, ``dir_port`` and ``obfs4`` of one
relay are three tests at one address; see ``docs/services.md``. An endpoint that failed for
the instrument's or the line's own fault is no row.
"""

from __future__ import annotations

from collections.abc import Iterator

from analysis.history.table import TestRow, row_of_test
from analysis.observations import Observation
from analysis.services import UNJUDGED


def service_trials(o: Observation) -> Iterator[TestRow]:
    """The tests of *o*, a row of a service; none where it tells of no endpoint.

    ``works`` or ``fails``; of an echo ``same``, ``altered``, ``other`` or ``fails``. *value* is
    the percent that a bootstrap came to. Beside a bridge's own row ``bridge_channel`` tells
    how it was given out, where that is known.
    """
    if not o.measured or o.service_whole or o.service in ("", UNJUDGED):
        return
    if o.service_how in ("outdated", "replaced") or o.foreign_lost or o.home_lost:
        return
    yield row_of_test(o, o.service_part, _result(o), float(o.service_progress))
    if o.service_channel:
        yield row_of_test(o, "bridge_channel", o.service_channel)


def _result(o: Observation) -> str:
    if o.service == "middlebox" and o.service_end in ("works", "echo"):
        return {"altered": "altered", "other": "other", "": "same"}.get(o.service_how, "fails")
    return "works" if o.service_end == "works" else "fails"
