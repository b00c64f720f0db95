"""A share and how sure it is: credible intervals for counts that are not independent.

The interval is that of Jeffreys: the share's posterior under the prior Beta(1/2, 1/2), equal
tails, with the lower bound 0 where nothing was counted and the upper 1 where everything was
(Brown, Cai, DasGupta, Statistical Science 16, 2001: it holds the truth about as often as it says,
also in small counts, where the textbook's does not).

But measurements of one probe say much the same: a broken probe that measures
hourly is one witness, not 24. So the counts enter with the size that as many independent ones
would have (L. Kish, Survey Sampling, 1965, section 5.4: the design effect of clusters)::

    effective = n / (1 + correlation * (sum of m_i^2 / n - 1))

for probes with m_i measurements each, together n. The correlation within probes is
estimated from the table itself, over all its cells (analysis of variance; A. Donner,
International Statistical Review 54, 1986); where it cannot be, it is taken to be 1: each probe
counts once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

Numbers = npt.NDArray[np.float64]

LEVEL = 0.95
UNKNOWN = 1.0  # the correlation where no two probes can be compared
FEWEST_FREE = 30.0  # degrees of freedom, within probes and between, for an estimate


def interval(
    blocked: npt.ArrayLike, measured: npt.ArrayLike, *, effective: npt.ArrayLike | None = None,
    level: float = LEVEL,
) -> tuple[Numbers, Numbers]:
    """The lower and upper bounds of the shares *blocked* / *measured*, element by element.

    *effective* is the size that the counts are worth, *measured* where not given. Where
    nothing was measured the share may be anything: 0 and 1.
    """
    k, n = np.asarray(blocked, float), np.asarray(measured, float)
    size = n if effective is None else np.asarray(effective, float)
    share = np.divide(k, n, out=np.zeros_like(n), where=n > 0)
    a, b = share * size + 0.5, (1 - share) * size + 0.5
    tail = (1 - level) / 2
    low = np.where(k > 0, betaincinv(a, b, tail), 0.0)
    high = np.where(k < n, betaincinv(a, b, 1 - tail), 1.0)
    return np.where(n > 0, low, 0.0), np.where(n > 0, high, 1.0)


def effective_size(
    measured: npt.ArrayLike, squares: npt.ArrayLike, correlation: float
) -> Numbers:
    """What *measured* measurements are worth, of probes the *squares* of whose numbers sum to
    that; between the number of probes that they are worth and *measured*."""
    n, squared = np.asarray(measured, float), np.asarray(squares, float)
    mean = np.divide(squared, n, out=np.ones_like(n), where=n > 0)
    worth: Numbers = n / (1 + correlation * np.maximum(mean - 1, 0))
    return worth


def correlation(
    blocked: npt.ArrayLike, measured: npt.ArrayLike, probes: npt.ArrayLike,
    squares: npt.ArrayLike, within: npt.ArrayLike,
) -> float:
    """How alike the measurements of one probe are in a cell, 0 to 1, from many cells.

    For each cell: *blocked* of *measured*, by so many *probes*; *squares* is the sum over
    probes of m^2, *within* that of y^2 / m (y blocked of m measured). One estimate for all:
    of a single cell with three probes it would be a matter of chance.
    """
    y, n, k, m2, w = (
        np.asarray(column, float) for column in (blocked, measured, probes, squares, within)
    )
    # A cell in which all probes agree and never waver tells nothing of what goes with what.
    telling = (k >= 2) & (n > k) & (y > 0) & (y < n)
    y, n, k, m2, w = (column[telling] for column in (y, n, k, m2, w))
    between_free, within_free = float((k - 1).sum()), float((n - k).sum())
    if min(between_free, within_free) < FEWEST_FREE:
        return UNKNOWN
    # Each cell weighs by what it can tell, whatever its share is: variances in units of its own.
    scale = (y / n) * (1 - y / n)
    between = float(((w - y * y / n) / scale).sum()) / between_free
    inside = float(((y - w) / scale).sum()) / within_free
    usual = float((n - m2 / n).sum()) / between_free
    total = between + (usual - 1) * inside
    return float(np.clip((between - inside) / total, 0.0, 1.0)) if total > 0 else UNKNOWN


def with_intervals(
    cells: Any, *, level: float = LEVEL, alike: float | None = None
) -> Any:
    """The Arrow table of *cells* (`analysis.history.cells`) with ``share``, ``effective``, and
    the bounds ``low`` and ``high``; *alike* is the correlation, else estimated from the cells."""
    column = {
        name: np.asarray(cells[name].to_numpy(), float)
        for name in ("blocked", "usable", "probes", "squares", "within")
    }
    if alike is None:
        alike = correlation(
            column["blocked"], column["usable"], column["probes"], column["squares"],
            column["within"],
        )
    n = column["usable"]
    size = effective_size(n, column["squares"], alike)
    low, high = interval(column["blocked"], n, effective=size, level=level)
    share = np.divide(column["blocked"], n, out=np.zeros_like(n), where=n > 0)
    for name, values in {"share": share, "effective": size, "low": low, "high": high}.items():
        cells = cells.append_column(name, [values])
    return cells
