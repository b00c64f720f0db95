"""What ``tor`` says in its log while it comes up, as facts: lines in, progress out.

The words are Tor's (control-spec, "Bootstrap phases"; ``control_bootstrap.c``). Nothing but
its numbers, its tags and its reasons is kept of a line: the rest may name a bridge.
"""

from __future__ import annotations

import re

MAX_TROUBLES = 100
MAX_COMPLAINT = 200  # characters

_VERSION = re.compile(r" Tor (\d[0-9a-z.-]{0,30}) (?:\([^)]{0,60}\) )?running on ")
_PROGRESS = re.compile(r" Bootstrapped (\d{1,3})% \((\w{1,40})\)")
# "Problem bootstrapping. Stuck at 5% (conn): Connecting to a relay. (Connection refused;
# CONNECTREFUSED; count 3; recommendation ignore; host … at …)"
_TROUBLE = re.compile(r" Problem bootstrapping\. Stuck at .{1,200}?; ([A-Z_]{3,24}); count \d")
_COMPLAINT = re.compile(r" \[(?:err|warn)\] (.*)")
# Of a transport's program: that it cannot be started, or ended.
_TRANSPORT = re.compile(
    r"(?:Managed proxy .* (?:failed|terminated|died)|Could not launch managed proxy"
    r"|configuration protocol error|couldn't setup protocol|has an invalid path)",
    re.IGNORECASE,
)


class Progress:
    """How far a client has come, by the lines of its log."""

    def __init__(self) -> None:
        self.percent = -1
        self.stage = ""
        self.version = ""
        self.troubles: list[str] = []
        self.transport_failed = False
        self._complaint = ""

    @property
    def done(self) -> bool:
        return self.percent == 100

    @property
    def complaint(self) -> str:
        """The last thing that Tor warned of, without what may be an address or a path."""
        return self._complaint

    def take(self, line: str) -> None:
        """Read one *line* of the log."""
        if found := _PROGRESS.search(line):
            self.percent, self.stage = min(int(found[1]), 100), found[2]
        elif found := _TROUBLE.search(line):
            if len(self.troubles) < MAX_TROUBLES:
                self.troubles.append(found[1])
        elif found := _VERSION.search(line):
            self.version = found[1]
        elif found := _COMPLAINT.search(line):
            self.transport_failed = self.transport_failed or bool(_TRANSPORT.search(found[1]))
            self._complaint = plain(found[1])


def plain(text: str) -> str:
    """The words of *text*: what has a digit, a slash or a quote in it may be a bridge's."""
    words = ["…" if re.search(r"[\d/\\\"'=@]", word) else word for word in text.split()]
    return " ".join(words)[:MAX_COMPLAINT]
