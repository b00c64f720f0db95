"""When memory runs out: how that is known, and that the run ends then.

What is stored is safe at every moment, so to end is always possible. To stand still for ever is
what must not happen: a thread that dies on its way says nothing to those who wait for it.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn, Self

import trio

from probe.ending import FAILED

NO_MEMORY = "out of memory: what was stored is safe; --concurrency with less needs less"
UNHEARD = 15  # seconds in which a thread begins, and tells of its end

_LAST_WORDS = f"Error: {NO_MEMORY}\n".encode()  # made while there is memory


def lacking(exc: BaseException | None) -> bool:
    """Whether *exc* is, or comes of, memory that ran out."""
    if isinstance(exc, BaseExceptionGroup):
        return any(map(lacking, exc.exceptions))
    if isinstance(exc, trio.TrioInternalError):  # no bug of trio's
        return lacking(exc.__cause__)
    # A thread wants memory for its stack, and Python has no exception of its own for that.
    no_thread = isinstance(exc, RuntimeError) and "start new thread" in str(exc)
    return no_thread or isinstance(exc, MemoryError)


def end_at_once() -> NoReturn:
    """One line and the status, with nothing else on the way that wants memory."""
    with suppress(OSError):
        os.write(2, _LAST_WORDS)
    os._exit(FAILED)


class Guard:
    """Ends the process where the thread that enters waits for ever for a new one to begin.

    `threading.Thread.start` waits for the new thread to say that it runs. One that finds no
    memory for its first call never does.
    """

    def __init__(self) -> None:
        self._watched = threading.get_ident()
        self._over = threading.Lock()
        self._over.acquire()

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.release()

    def _watch(self) -> None:
        waited = 0
        while not self._over.acquire(timeout=1):
            try:
                waited = waited + 1 if self._starts_a_thread() else 0
            except MemoryError:
                waited += 1
            if waited >= UNHEARD:
                end_at_once()

    def _starts_a_thread(self) -> bool:
        frame = sys._current_frames().get(self._watched)
        while frame is not None:
            if frame.f_code is threading.Thread.start.__code__:
                return True
            frame = frame.f_back
        return False
