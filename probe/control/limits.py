"""What a control server lets itself be made to do, each number with its reason.

An open control is a machine that connects wherever strangers say. So everything they
can ask for is counted, and everything they can hold open has an end.
"""

from __future__ import annotations

from dataclasses import dataclass

from probe.control.protocol import MAX_ADDRESSES, MAX_ANSWER, MAX_QUESTION
from probe.serving.clients import Uses
from probe.serving.limits import ConnectionLimits
from probe.wire.url import MAX_URL

# A list may hold dozens of pages of one host, each with its twin and redirects. Who asks for
# one host on and on must not keep others from learning of it.
VISITS = Uses(all=120, each=60, always=6)
# How fast a page comes is asked of the targets that are suspected only; a question is up to
# eight transfers of 48 KiB.
TIMINGS = Uses(all=20, each=8, always=2)


@dataclass(frozen=True, kw_only=True)
class Limits(ConnectionLimits):
    """Seconds, bytes and counts, beside those of a connection."""

    # One question.
    question_bytes: int = MAX_QUESTION
    answer_bytes: int = MAX_ANSWER * 3 // 4  # leaves room for OONI's fields beside the evidence
    url_length: int = MAX_URL
    addresses: int = MAX_ADDRESSES
    visit_seconds: float = 40.0  # a probe waits 45; a silent address alone takes 10

    # All visits at once; a question that an answer is kept for needs none. A session of 30 to
    # 50 open targets asks about each target, its twin and its redirects: about 100 questions
    # at a time, 2,500 for 1,000 targets. Who finds no place waits for one: in the time that a
    # probe has left beside an ordinary visit.
    in_flight: int = 256
    in_flight_per_client: int = 128
    waiting: int = 2048
    waiting_seconds: float = 12.0
    # Volunteers behind one carrier's NAT, or behind Tor, count as one client.
    questions_per_client: int = 6000
    visits_per_host: Uses = VISITS
    timings_per_host: Uses = TIMINGS
    # Before who has asked too often is told so: a refusal costs half of what an answer does.
    refusal_seconds: float = 1.0
    window: float = 600.0  # seconds, after which these counts and their salt are forgotten

    # Answers kept. Two minutes: long enough for volunteers who run the same list at
    # the same time, short enough to be about the same state of the site.
    cache_seconds: float = 120.0
    cache_entries: int = 2000
    cache_bytes: int = 32 * 1024 * 1024
    silence_seconds: float = 60.0  # must exceed visit_seconds: a client that waits is silent
