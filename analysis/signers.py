"""Who forges certificates without being a censor: known by the names that they sign with.

Data, not code: ``data/signers.csv``, whose *issuer* is looked for in the issuer's
distinguished name, whatever its case. A name proves nothing, since anybody may sign with
any; but nobody gains by passing for an antivirus at one household, and where a product is
sold to employers and to operators alike, the table says so and nobody is accused.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast, get_args

# A *program* runs on the user's own machine. A *gateway* stands at employers, schools and
# operators. A *state*'s authority is meant for its citizens' stores.
Kind = Literal["", "program", "gateway", "state"]


class SignerError(ValueError):
    """The list of signers cannot be read; the text says which line and why."""


@dataclass(frozen=True, kw_only=True)
class Signer:
    """One row; the meaning of the fields is in ``data/README.md``."""

    issuer: str
    kind: Kind
    product: str
    source: str


def load(text: str) -> tuple[Signer, ...]:
    """Read *text* (CSV). Raises `SignerError`."""
    found = []
    for number, row in enumerate(csv.DictReader(text.splitlines(), strict=True), 2):
        if None in row or None in row.values() or not all(row.values()):
            raise SignerError(f"signers, line {number}: wrong number of columns")
        if row["kind"] not in get_args(Kind):
            raise SignerError(f"signers, line {number}: no kind {row['kind']!r}")
        found.append(
            Signer(
                issuer=row["issuer"].casefold(), kind=cast(Kind, row["kind"]),
                product=row["product"], source=row["source"],
            )
        )
    return tuple(found)


def source_text() -> str:
    return (files("analysis") / "data" / "signers.csv").read_text(encoding="utf-8")


@cache
def known() -> tuple[Signer, ...]:
    """The project's signers."""
    return load(source_text())


def kind_of(issuer: str) -> Kind:
    """What kind of signer *issuer* (a distinguished name, RFC 4514) is; empty: not known."""
    name = issuer.casefold()
    return next((signer.kind for signer in known() if signer.issuer in name), "")
