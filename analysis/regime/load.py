"""A country's folder of data, read and checked as a whole.

``load("belarus")`` reads a folder that comes with the package, ``load(Path(...))`` any
other: a second country needs data and no code. A reference to what is not there, a row
without a source or a date that is none stops the reading with one line.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from analysis.regime import read
from analysis.regime.model import Network, Networks


def folder(country: str | Path) -> Traversable:
    """The folder of *country*: a name of those that come with the package, or a path."""
    if isinstance(country, Path):
        found: Traversable = country
    else:
        if not country.isidentifier():
            raise read.DataError(f"{country!r} is not the name of a regime")
        found = files("analysis.regime") / country
    if not found.is_dir():
        raise read.DataError(f"no regime in {country}")
    return found


def networks(country: str | Path) -> Networks:
    """The networks of *country* alone, for what needs nothing else of it."""
    file = folder(country) / "networks.csv"
    return Networks(read.rows(read.text_of(file), Network, file.name))
