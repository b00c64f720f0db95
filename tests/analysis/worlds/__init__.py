"""Situations with their truth, built by hand: what each must be judged, and by which mechanisms.

The numbers are those of the 50 simulated worlds and of the cases E1 to E10 that the
literature of this field knows; the innocent ones have a fault that is no block. A module has
the situations of one layer; importing it adds them to `CASES`.
"""

from __future__ import annotations

from tests.analysis.worlds import connections, household, ladder, names, pages, quic, speed
from tests.analysis.worlds.case import CASES

__all__ = ["CASES", "connections", "household", "ladder", "names", "pages", "quic", "speed"]
