"""`zond tor refresh`: a consensus becomes a list of the user's, of relays that were drawn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from probe.addresses import is_public
from probe.net import Network
from probe.places import lists
from probe.tor import first_seen
from probe.tor.consensus import (
    MAX_CERTIFICATES,
    MAX_CONSENSUS,
    BadConsensus,
    Consensus,
    read_consensus,
    read_keys,
)
from probe.tor.refresh import NoConsensus, directories, gather, known_authorities, not_in_force
from probe.tor.relay_list import NAME, dates_of, written
from probe.tor.sampling import sample
from testlists import Shelf, Target, load
from testlists.shelf import ShelfError

AUTHORITIES, RELAYS = "tor-authorities", "tor-relays"


class NotDrawn(Exception):
    """No list was made. The message is one line for the user."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What came of it, for a program and for a person."""

    facts: dict[str, Any]

    @property
    def text(self) -> str:
        f = self.facts
        return (
            f"{f['relays']} relays of {f['of']} (consensus of {f['valid_after']}, signed by"
            f" {f['signers']} of {f['authorities']} authorities; seed {f['seed']}) are in the"
            f" list {NAME}; measure them: zond run --list {NAME}"
        )


class Drawing:
    """The options of the command, by its names."""

    def __init__(
        self,
        *,
        relays: int,
        seed: str | None,
        file: Path | None,
        keys: Path | None,
        first_seen: tuple[Path, ...],
        authorities: Path | None,
        any_date: bool,
    ) -> None:
        self._count, self._seed = relays, seed
        self._file, self._keys, self._documents = file, keys, first_seen
        self._any_date = any_date
        self._shelf = Shelf(lists())
        self._authorities = self._listed(AUTHORITIES, authorities)
        # Of another network our list of relays knows nobody.
        self._relays = [] if authorities else self._listed(RELAYS)
        self._known = known_authorities(self._authorities)
        if not self._known:
            raise NotDrawn("a list without an authority's v3ident: nobody could sign a consensus")

    def read(self) -> Consensus:
        """The consensus in the file. Raises `NotDrawn`."""
        assert self._file is not None and self._keys is not None
        try:
            keys = read_keys(_bytes(self._keys, MAX_CERTIFICATES))
            consensus = read_consensus(_bytes(self._file, MAX_CONSENSUS), keys, self._known)
        except BadConsensus as exc:
            raise NotDrawn(str(exc)) from exc
        now = time.time()
        if not (self._any_date or consensus.in_force(now)):
            raise NotDrawn(f"{not_in_force(consensus, now)} (--any-date takes it all the same)")
        return consensus

    async def fetch(self, net: Network, *, note: Callable[[str], None]) -> Consensus:
        """The consensus that a directory gives. Raises `NotDrawn`."""
        asked = directories(self._authorities, self._relays)
        try:
            return await gather(
                net, asked, self._known, now=time.time(), usable=is_public, note=note,
                any_date=self._any_date,
            )  # fmt: skip
        except NoConsensus as exc:
            raise NotDrawn(str(exc)) from exc

    def draw(self, consensus: Consensus) -> Drawn:
        """Draw, and keep the list. Raises `NotDrawn`."""
        born = self._born()
        seed = self._seed or f"{datetime.fromtimestamp(consensus.valid_after, UTC):%Y-%m}"
        # By the consensus' own date: our clock decides nothing of it.
        chosen = sample(
            consensus.relays, self._count, seed, born=born, now=consensus.valid_after
        )
        try:
            self._shelf.keep("own", NAME, written(chosen, consensus, born))
        except (ShelfError, OSError) as exc:
            raise NotDrawn(f"the list cannot be kept: {exc}") from exc
        return Drawn(
            facts={
                "list": NAME, "relays": len(chosen), "of": len(consensus.relays), "seed": seed,
                "valid_after": f"{datetime.fromtimestamp(consensus.valid_after, UTC):%Y-%m-%dT%HZ}",
                "signers": len(consensus.signers), "authorities": len(self._known),
                "first_seen": sum(relay.fingerprint in born for relay in chosen),
            }
        )  # fmt: skip

    def _born(self) -> dict[str, float]:
        """Since when relays are known, by what the user has and by older lists."""
        try:
            known = first_seen.read(self._documents)
        except first_seen.BadDocument as exc:
            raise NotDrawn(str(exc)) from exc
        born = {fingerprint: dated.first for fingerprint, dated in known.items()}
        older = self._listed(NAME) if NAME in self._shelf.names() else []
        for fingerprint, day in dates_of([*self._relays, *older]).items():
            if (at := first_seen.day(day)) is not None:
                born[fingerprint] = min(at, born.get(fingerprint, at))
        return born

    def _listed(self, name: str, path: Path | None = None) -> list[Target]:
        try:
            targets, _ = load(path) if path else self._shelf.book(name).targets()
        except OSError as exc:
            raise NotDrawn(f"{path or name}: {exc.strerror or exc}") from exc
        return [target for target in targets if target.scheme == "tor"]


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most + 1)  # who reads it refuses more than *most*
    except OSError as exc:
        raise NotDrawn(f"{path}: {exc.strerror or exc}") from exc
