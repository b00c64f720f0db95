"""When a change was: the posterior over the places at which a series can be cut in two.

Rule: nobody saw the moment, so what is told is an interval between two looks with the
probability that the change lies in it. Each gap between two looks is weighed by its length
(a change comes at any time alike, whether somebody looks or not) and by the likelihood of what
was seen before and after it (Barry & Hartigan 1993, for one change). From the likeliest
gap the interval grows over its neighbours, the likelier first, until it holds 95 %.

So a false alarm just before an onset or a miss just after one widens the interval, and does
not move it off the truth; a gap in the measurements makes it as wide as the gap.
"""

from __future__ import annotations

import numpy as np

from analysis.history.changes_series import Floats
from analysis.history.event import Interval

ENOUGH = 0.95
BEFORE_ALL = 30 * 86400.0  # seconds for which a series may have been so before its first look
SHORTEST = 60.0            # of a gap: the clocks of probes differ


def interval(at: Floats, before: Floats, after: Floats, *, open_start: bool) -> Interval:
    """Where in these looks the change lies.

    *at*: times of the looks, in order. *before*, *after*: log likelihood of each under the
    state before the change and under the one after it. *open_start*: the change may be
    earlier than the first look. At least one look is of the state after the change.
    """
    n = len(at)
    # cut[i]: looks from i on are after the change.
    head = np.concatenate([[0.0], np.cumsum(before)])
    tail = np.concatenate([np.cumsum(after[::-1])[::-1], [0.0]])
    gaps = np.maximum(np.diff(at), SHORTEST)
    length = np.concatenate([[BEFORE_ALL if open_start else SHORTEST], gaps])
    weight = (head + tail)[:n] + np.log(length)
    if not open_start and n > 1:
        weight[0] = -np.inf
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    low = high = int(weight.argmax())
    held = float(weight[low])
    while held < ENOUGH:
        down = float(weight[low - 1]) if low > 0 else -1.0
        up = float(weight[high + 1]) if high < n - 1 else -1.0
        if down < 0 and up < 0:
            break
        if down >= up:
            low, held = low - 1, held + down
        else:
            high, held = high + 1, held + up
    began = None if low == 0 else float(at[low - 1])
    return Interval(after=began, by=float(at[high]), probability=min(held, 1.0))
