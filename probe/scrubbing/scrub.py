"""What leaves: documents of a batch, made from records by an allow-list.

Rule: nothing leaves that `probe.scrubbing.fields` does not name, and of nothing that leaves
can be told whose it is. One record at a time, so that a small device needs no more memory
for a thousand measurements than for one.

Times. All moments of a run are moved by the same part of a minute, so that the run began
at a full minute: order and distances stay exact, which the canaries beside a
measurement need, and the second of the day is told nobody. Durations stay.

Targets. One that is on a list that comes with zond leaves. One of the user's own list, or
given by hand, tells what interests the user, and perhaps a bridge that nobody else knows:
it does not, unless the user says so. Documents of other programs are not ours to send.
"""

from __future__ import annotations

import os
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from probe.config import OONI_HELPERS
from probe.evidence import CanaryCheck, Measurement, Run
from probe.formats.batch import MAX_LINE
from probe.scrubbing.bridges import with_passing_names
from probe.scrubbing.eraser import Eraser
from probe.scrubbing.known import Known
from probe.scrubbing.public import is_public_target
from probe.scrubbing.treatment import Treatment, about_this

MINUTE = 60.0


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What the user decides. *bodies*: which of those that are kept are sent. *personal*:
    targets that are on none of the lists that come with zond leave as well.
    *home_resolvers*: addresses of resolvers at home are told. *controls*: URLs of controls
    that may be named."""

    bodies: Literal["none", "suspected", "all"] = "suspected"
    personal: bool = False
    home_resolvers: bool = False
    controls: tuple[str, ...] = ()


class Scrubber:
    """Makes documents of records. A run comes before what belongs to it."""

    def __init__(self, known: Known, choices: Choices | None = None) -> None:
        self._choices = choices or Choices()
        self._eraser = Eraser(known)
        self._key = os.urandom(32)
        self._erasers: dict[str, Eraser] = {}  # by run
        self._early: dict[str, float] = {}  # seconds that a run's moments are moved
        self._unseen: set[str] = set()  # runs to which no two controls told the user's address
        self._controls: dict[str, dict[str, int]] = {}  # of a run, numbers by URL or name

    def run(self, run: Run) -> bytes:
        """The line of *run*."""
        named = {*OONI_HELPERS, *self._choices.controls}
        hosts = {urlsplit(url).hostname or "" for url in run.controls if url not in named}
        self._erasers[run.id] = self._eraser.naming(sorted(hosts - {""}))
        if not run.probe_asn:
            self._unseen.add(run.id)
        self._early[run.id] = run.started_at % MINUTE
        self._controls[run.id] = {url: n for n, url in enumerate(run.controls, 1)}
        return _line("run", self._treatment(run.id).record(run))

    def measurement(self, measurement: Measurement) -> bytes | None:
        """The line of *measurement*; None: it does not leave. Raises KeyError where its run
        did not come before it."""
        if measurement.document:
            return None
        if not self._choices.personal and not is_public_target(measurement.url):
            return None
        measurement = with_passing_names(measurement, self._key)
        treatment = self._treatment(measurement.run_id, measurement)
        line = _line("measurement", treatment.record(measurement))
        while len(line) > MAX_LINE and treatment.leave_out_more():
            line = _line("measurement", treatment.record(measurement))
        return line if len(line) <= MAX_LINE else None

    def canary(self, canary: CanaryCheck) -> bytes:
        """The line of *canary*. Raises KeyError where its run did not come before it."""
        return _line("canary", self._treatment(canary.run_id).record(canary))

    def _treatment(self, run_id: str, measurement: Measurement | None = None) -> Treatment:
        return Treatment(
            self._erasers[run_id],
            early=self._early[run_id],
            controls=self._controls[run_id],
            named_controls=self._choices.controls,
            bodies=self._choices.bodies,
            home_resolvers=self._choices.home_resolvers,
            key=self._key,
            about=about_this(measurement, address_known=run_id not in self._unseen),
        )


def _line(kind: str, record: msgspec.Struct) -> bytes:
    return b'{"kind":"' + kind.encode() + b'",' + msgspec.json.encode(record)[1:]
