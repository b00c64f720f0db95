"""What to measure: targets, and the lists they come from."""

from testlists.categories import CATEGORIES
from testlists.parsing import Problem, load, parse
from testlists.selection import digest, select, shuffle
from testlists.shelf import Book, Shelf, builtin, builtin_names
from testlists.target import RISKS, Risk, Target, target_from_url
from testlists.url import BadURL

__all__ = [
    "CATEGORIES",
    "RISKS",
    "BadURL",
    "Book",
    "Problem",
    "Risk",
    "Shelf",
    "Target",
    "builtin",
    "builtin_names",
    "digest",
    "load",
    "parse",
    "select",
    "shuffle",
    "target_from_url",
]
