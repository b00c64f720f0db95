"""The collector's log: a line of JSON for each event, none of which says who asked.

Rule: no address, no path of a request, no word of a document ever gets in: what is not
written down cannot be asked for. Events of other libraries are told from WARNING on, without
their text, which may quote a client.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import TextIO

import msgspec

OURS = "analysis.collector"
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}


class Lines(logging.Formatter):
    """``{"time", "level", "event", ...}``, with what was given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
        }
        if record.name.startswith(OURS):
            told["event"] = record.getMessage()
            told |= {k: v for k, v in vars(record).items() if k not in _USUAL}
        else:
            told["event"] = f"from {record.name}"
        return msgspec.json.encode(told).decode()


def start(stream: TextIO | None = None) -> None:
    """Log to *stream* (stderr), all of the process."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(OURS).setLevel(logging.INFO)
