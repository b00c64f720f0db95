"""Where the volunteers of one network contradict each other: other kinds of access, regions.

Rule: what one probe sees and the others do not is not believed (`changes_detect`), except where
there is a reason why both can be right: it is on the operator's mobile network and they are
on the fixed one, or in another region. Then the looks of that kind or region are a series of
their own. Since a broken machine may be the only one of its kind too, more is asked: the
probes that meet the block have seen the same target free before, and those elsewhere see it
free meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.history.changes_detect import Constants, episodes, weights
from analysis.history.changes_series import Series

FEWEST_CLEAN = 5.0  # looks in which a probe saw the target free, before it meets the block


def strata(
    s: Series, known: Sequence[tuple[float, float]], c: Constants
) -> Iterator[tuple[Series, list[float]]]:
    """The looks of one kind of access or region, where they alone show a block; not in the
    times that are *known* (first and last, POSIX seconds). With the times from which it was
    clear for each block that it is free elsewhere."""
    shown: list[tuple[float, float]] = list(known)
    for number, names in ((s.kind, s.kinds), (s.region, s.regions)):
        named = [i for i, name in enumerate(names) if name]
        if len(named) < 2:
            continue
        for i in named:
            here = number == i
            if s.for_[here].sum() < c.onset / 5:
                continue
            there = ~here  # who does not say where it is may be elsewhere
            stratum = s.only(here)
            spans = [
                (float(stratum.at[e.onset]),
                 np.inf if e.lift is None else float(stratum.at[e.lift]))
                for e in episodes(stratum, c)
                if _free_before(stratum, e.onset, len(stratum) if e.lift is None else e.lift)
            ]  # fmt: skip
            free = {
                span: _free_there(s, there, span, c) for span in spans
                if not any(span[0] <= end and begin <= span[1] for begin, end in shown)
            }  # fmt: skip
            fresh = [span for span, since in free.items() if since is not None]
            if fresh:
                shown += fresh
                low = max((end for _, end in known if end < fresh[0][0]), default=-np.inf)
                high = min((begin for begin, _ in known if begin > fresh[-1][0]), default=np.inf)
                clear = [since for since in free.values() if since is not None]
                yield stratum.only((stratum.at > low) & (stratum.at < high)), clear


def _free_before(s: Series, onset: int, end: int) -> bool:
    """A probe that meets the block saw the target free before it."""
    met = np.unique(s.probe[onset:end][s.for_[onset:end] > 0])
    earlier = slice(0, onset)
    return any(
        float(s.against[earlier][s.probe[earlier] == probe].sum()) >= FEWEST_CLEAN
        for probe in met
    )


def _free_there(
    s: Series, there: NDArray[np.bool_], span: tuple[float, float], c: Constants
) -> float | None:
    """Since when it is clear that elsewhere it was free meanwhile; None: it is not."""
    meanwhile = np.flatnonzero(there & (s.at >= span[0]) & (s.at <= span[1]))
    gain = np.cumsum(weights(s, c.whole, c.error)[meanwhile])
    if not len(gain) or gain[-1] >= -c.lift:
        return None
    return float(s.at[meanwhile[int(np.argmax(gain < -c.lift))]])
