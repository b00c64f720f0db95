"""What a run is to measure: the lists and URLs that were named, within what was agreed to.

A line that cannot be used costs itself and is told of; a level of risk that nobody chose
is left out, and that is told of too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probe.ending import BAD_ARGUMENTS, Problem
from probe.i18n import _

if TYPE_CHECKING:
    from probe.config import Config
    from testlists import Risk, Target

USUAL_LIST = "by"
MY_BRIDGES = "my-bridges"  # names the bridges of `zond tor bridge add`
TOLD = 10  # lines of a list that cannot be used, said one by one
OWN_BRIDGE = (
    "one is a bridge that you keep: it is measured by --list my-bridges, where no control is asked"
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """*refused* are lines that cannot be used: list, line, reason. *lists* are those that were
    read, by name; *usual*: nobody named one, nor a level of risk."""

    targets: Sequence[Target]
    refused: Sequence[tuple[str, int, str]]
    lists: Sequence[str]
    usual: bool

    def within(self, tiers: Collection[Risk] | None) -> Choice:
        """Without the targets of lists whose risk is none of *tiers*; None: nobody said.

        A URL that was typed was chosen by that. Raises `Problem` where nothing is left.
        """
        from probe.consent.agreement import USUAL_TIERS
        from testlists import RISKS

        # Who chose no list has not chosen its most dangerous part either.
        allowed = tiers if tiers is not None else USUAL_TIERS if self.usual else RISKS
        more = "zond consent" if tiers is not None else "--max-risk high"
        for risk in (risk for risk in RISKS if risk not in allowed):
            if count := sum(t.risk == risk for t in self.targets if t.list_name):
                said = _("left out for their {risk} risk: {count} ({more})", risk=risk,
                         count=count, more=more)  # fmt: skip
                click.echo(said, err=True)
        kept = [t for t in self.targets if not t.list_name or t.risk in allowed]
        if not kept:
            raise Problem(_("nothing is left to measure: {more}", more=more), BAD_ARGUMENTS)
        return replace(self, targets=kept)

    def versions(self) -> dict[str, str]:
        """The digest of what is measured of each list."""
        from testlists import digest

        return {name: digest(t for t in self.targets if t.list_name == name) for name in self.lists}


def chosen(lists: Sequence[str], urls: Sequence[str], config: Config) -> Choice:
    """What was named, or else the usual list. Raises `Problem` where that is nothing."""
    from testlists import BadURL, select, target_from_url

    targets: list[Target] = []
    refused: list[tuple[str, int, str]] = []
    for url in urls:
        try:
            targets.append(target_from_url(url))
        except BadURL as exc:
            refused.append(("--url", 0, f"{url}: {exc}"))
    named = lists or (() if urls else config.lists)
    names = named if named or urls else (USUAL_LIST,)
    max_risk: Risk = config.max_risk or "high"
    for name in names:
        found, problems = _list(name)
        refused += [(name, problem.line, problem.reason) for problem in problems]
        selected = select(found, max_risk=max_risk)
        if left := len(found) - len(selected):
            said = _("{name}: left out for more than {risk} risk: {count}", name=name,
                     risk=max_risk, count=left)  # fmt: skip
            click.echo(said, err=True)
        targets += selected
    kept = _told_of(targets)
    refused += [(t.list_name or "--url", 0, OWN_BRIDGE) for t in kept]
    targets = [t for t in targets if t not in kept]
    for name, line, reason in refused[:TOLD]:
        click.echo(f"{name}{f', line {line}' if line else ''}: {reason}", err=True)
    if (more := len(refused) - TOLD) > 0:
        click.echo(_("lines more that cannot be used: {count}", count=more), err=True)
    if not targets:
        raise Problem(_("nothing to measure: name a list or a URL"), BAD_ARGUMENTS)
    return Choice(
        targets=targets, refused=refused, lists=[Path(name).stem for name in names],
        usual=not named and config.max_risk is None,
    )  # fmt: skip


def _list(name: str) -> tuple[list[Target], list[Any]]:
    from probe.places import lists
    from testlists import Shelf, load

    if name == MY_BRIDGES and not Path(name).is_file():
        return _own_bridges()
    shelf = Shelf(lists())
    try:
        if name in shelf.names() and not Path(name).is_file():
            return shelf.book(name).targets()
        return load(Path(name))
    except OSError as exc:
        hint = f"; lists that there are: {', '.join(shelf.names())}"
        raise Problem(f"list {name}: {exc.strerror or exc}{hint}", BAD_ARGUMENTS) from exc


def _told_of(targets: Sequence[Target]) -> list[Target]:
    """Those by which controls would be told of a bridge that the user keeps."""
    from probe.places import bridges

    relays = [t for t in targets if t.scheme == "tor" and t.port]
    if not relays or not bridges().exists():
        return []
    from probe.scrubbing.public import is_public_target
    from probe.tor.keeping import Keeping, KeepingError

    try:
        kept = {(k.bridge.ip, k.bridge.port) for k in Keeping(bridges()).all()}
    except KeepingError as exc:
        raise Problem(str(exc)) from exc
    return [t for t in relays if (t.hostname, t.port) in kept and not is_public_target(t.url)]


def _own_bridges() -> tuple[list[Target], list[Any]]:
    from probe.places import bridges
    from probe.tor.keeping import Keeping, KeepingError
    from testlists import Target

    try:
        kept = Keeping(bridges()).all()
    except KeepingError as exc:
        raise Problem(str(exc)) from exc
    own = [Target(url=k.url, category="ANON", risk="medium", list_name=MY_BRIDGES) for k in kept]
    return own, []
