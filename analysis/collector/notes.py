"""What the collector says of a batch, kept in the record of the batch: its `Note`.

Rule: nothing that a stranger sent is altered or thrown away because it looks wrong. What could
not be read is *set aside* (it stays in the batch, and the dataset skips it), what could be
read and cannot be true is *marked*; both with a reason, and the analysis decides.
"""

from __future__ import annotations

import hashlib

import msgspec

WAS_SEALED = 1  # flags of a record in the spool
OONI = 2  # its payload is one document of OONI's, compressed with zstd, and no batch

MOST_TOLD = 20  # documents set aside that an answer names
MAX_REASON = 200  # characters


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A document that cannot be read: the *line* of the batch (its header is 0), and why."""

    line: int
    reason: str


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something about a document that cannot be, or is suspect; -1: about the whole batch.

    *mark* is one of `MARKS`, *detail* what was seen.
    """

    mark: str
    line: int = -1
    detail: str = ""


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """*received* is the day (``2026-11-22``, UTC): a moment would tell who was online then.

    *report* is the id of the report to which a document of OONI's was sent.
    """

    received: str
    set_aside: tuple[SetAside, ...] = ()
    marks: tuple[Mark, ...] = ()
    report: str = ""


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """The note of a batch in the quarantine: the day it came, and why it is there."""

    received: str
    reason: str


MARKS = {
    "other_month": "begun in another month than its batch says",
    "future": "begun after it was received",
    "before_software": "begun before this software existed",
    "no_run": "its run is not in its batch",
    "other_network": "its run was in another network than its batch says",
    "network_not_of_country": "the AS has no addresses in the country",
    "backwards": "an operation that ended before it began",
    "faster_than_light": "answers from afar in less time than a cable's length takes",
    "no_time_to_wait": "a timeout after which nobody had waited",
    "all_at_once": "nothing that was measured took any time",
    "control_not_asked": "a control's evidence, and no question to that control",
    "not_a_control": "a control's evidence with what no control sends",
    "same_document": "a document that another key has sent",
    "same_evidence": "the evidence of another document, to the microsecond",
    "same_id": "the id of another document, with other content",
    "many_keys": "one of many keys that came from one place within minutes",
    "own_probe_ip": "a document of OONI's that names the probe's address: not to be published so",
    "born_together": "one of many keys of one network that appeared within an hour",
}


def ooni_name(canonical: bytes) -> bytes:
    """The name in the spool of a document of OONI's, apart from all names of batches."""
    return hashlib.sha256(b"zond ooni document\0" + canonical).digest()
