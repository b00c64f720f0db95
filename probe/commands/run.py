"""``zond run``: what was asked for becomes a session, and how that ended an exit status.

Nothing is sent before somebody has agreed to it.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probe import sockets
from probe.commands.choosing import chosen
from probe.commands.completion import list_names, nettest_names
from probe.commands.opening import locked, opened
from probe.commands.upload import upload_after_run
from probe.ending import (
    BAD_ARGUMENTS,
    DONE,
    FAILED,
    IN_PART,
    NOTHING_MEASURED,
    Problem,
)
from probe.i18n import _, language_option

if TYPE_CHECKING:
    from probe.config import Config
    from probe.nettest import Nettest
    from probe.request import Request, Result
    from probe.store import Store
    from testlists import Target

THREAD_STACK = 512 * 1024  # bytes; the default of 8 MB times ten resolver threads is too much
M_ARENA_MAX = -8  # malloc.h
GARBAGE = 5000  # objects more than before, at which the collector looks for cycles


@click.command()
@click.option(
    "--list", "lists", multiple=True, shell_complete=list_names,
    help="A list file, or a list's name.",
)  # fmt: skip
@click.option("--url", "urls", multiple=True, help="One URL to measure.")
@click.option(
    "--nettest", "nettests", multiple=True, shell_complete=nettest_names,
    help="Only this nettest.",
)  # fmt: skip
@click.option("--control", "controls", multiple=True, help="A control server's URL.")
@click.option("--ooni-helpers", is_flag=True, help="Also ask OONI's public test helpers.")
@click.option("--proxy", help="The way out to the controls, as in socks5h://127.0.0.1:9050.")
@click.option("--max-risk", type=click.Choice(["low", "medium", "high"]), help="Leave out riskier.")
@click.option("--db", help="The database file.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="The settings file.")
@click.option("--concurrency", type=int, help="Targets open at once.")
@click.option("--seed", type=click.IntRange(0), help="Decides the order of the targets.")
@click.option("--resume", is_flag=True, help="Go on with the last run, if it was interrupted.")
@click.option("--no-upload", is_flag=True, help="Send nothing to the shared dataset.")
@click.option("--no-follow-up", is_flag=True, help="Only the first pass.")
@click.option("--vpn-ok", is_flag=True, help="Measure the network at the other end of a VPN.")
@click.option("--yes", is_flag=True, help="I know the risks, and agree.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each target measured.")
@language_option
def run(**given: Any) -> None:
    """Measure lists or URLs, compare with the controls, keep everything.

    Without --list and --url: the list for Belarus.

    Example: zond run --list my.csv --control https://control.example/
    """
    from probe.lean import import_libraries

    import_libraries()  # before whatever else would import them
    from probe.commands.beforehand import see_to_room
    from probe.config import ConfigError, load
    from probe.consent.permission import to_measure

    try:
        config = load(given["config_path"], os.environ, _flags(given))
        nettests = _nettests(given["nettests"])
        choice = chosen(given["lists"], given["urls"], config)
        _say_what_nothing_takes(choice.targets, nettests)
        permission = to_measure(agreed=given["yes"], settings=given["config_path"])
        # Once more: who was just asked may have chosen another way out.
        config = load(given["config_path"], os.environ, _flags(given))
    except ConfigError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    choice = choice.within(permission.tiers)
    planned = sum(test.takes(target) for target in choice.targets for test in nettests)
    see_to_room(config, planned, deliver=not given["no_upload"])
    with locked(config.database), opened(config.database) as store:
        last = [run for run in store.runs() if not run.imported]  # others are imported
        if given["resume"] and last and last[-1].ended == "done":
            click.echo(_("the last run is complete: nothing to resume"), err=True)
            return
        if given["resume"] and last:
            nettests = _nettests(())  # what is left decides
        from probe.request import Request

        request = Request(
            targets=choice.targets,
            nettests=nettests,
            refused=choice.refused,
            lists=choice.versions(),
            seed=_seed(given["seed"]),
            resume=given["resume"],
            tiers=permission.tiers,
            still_permitted=permission.still,
        )
        status = _measure(config, request, store, as_json=given["as_json"])
    # A signal says: now. Where we may not measure any more, nothing else is sent either.
    if not given["no_upload"] and status < 128 and permission.still():
        upload_after_run(config)
    sys.exit(status)


def _flags(given: dict[str, Any]) -> dict[str, Any]:
    """The flags that were given, in the form of the settings file."""
    from probe.config import controls_from_urls

    flags: dict[str, Any] = {k: given[k] for k in ("db", "proxy", "max_risk") if given[k]}
    if given["controls"]:
        flags["controls"] = controls_from_urls(given["controls"])
    if given["concurrency"] is not None:
        flags["limits"] = {"concurrency": given["concurrency"]}
    if given["ooni_helpers"]:
        flags["ooni_helpers"] = True
    if given["no_follow_up"]:
        flags["follow_up"] = False
    if given["vpn_ok"]:
        flags["vpn_ok"] = True
    return flags


def _nettests(names: Sequence[str]) -> list[Nettest]:
    from probe.nettest import discover

    known = discover()
    if unknown := [name for name in names if name not in known]:
        raise Problem(f"no nettest {unknown[0]!r}; there are: {', '.join(known)}", BAD_ARGUMENTS)
    return [known[name] for name in dict.fromkeys(names)] or list(known.values())


def _say_what_nothing_takes(targets: Sequence[Target], nettests: Sequence[Nettest]) -> None:
    left = [t for t in targets if not any(test.takes(t) for test in nettests)]
    if len(left) == len(targets):
        raise Problem("no nettest that was chosen measures any of these targets", BAD_ARGUMENTS)
    if left:
        named = f"{left[0].url} is one" if len(left) > 1 else left[0].url
        click.echo(f"{len(left)} targets that no nettest measures: {named}", err=True)


def _seed(given: int | None) -> int:
    import secrets

    return secrets.randbelow(2**31) if given is None else given


def _measure(config: Config, request: Request, store: Store, *, as_json: bool) -> int:
    import threading

    import trio

    from probe.asn import AddressBookError
    from probe.commands.audience import Audience
    from probe.commands.screen import Screen
    from probe.config import ConfigError
    from probe.memory import NO_MEMORY, Guard, end_at_once, lacking
    from probe.session import run_session
    from probe.steps.certificate import TrustStoreError

    if not config.all_controls:
        click.echo(
            _(
                "no controls: nothing to compare with, so less can be said afterwards"
                " (--control URL, or --ooni-helpers for OONI's public ones)"
            ),
            err=True,
        )
    threading.stack_size(THREAD_STACK)
    _settle()
    config = _within(config, sockets.allow_many())
    try:
        with Guard(), Screen(json=as_json, terminal=sys.stderr.isatty()) as screen:
            audience = Audience(screen)
            result = trio.run(partial(run_session, config, request, store, audience))
    except (AddressBookError, ConfigError) as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    except TrustStoreError as exc:
        raise Problem(str(exc)) from exc
    except BaseException as exc:
        if not lacking(exc):
            raise
        if isinstance(exc, trio.TrioInternalError):
            end_at_once()  # trio was cut off, and what is left of it cannot be tidied up
        raise Problem(NO_MEMORY) from None
    _conclude(result, screen.differs, screen.compared, config.database)
    return _status(result, bool(store.refused(result.run.id)))


def _within(config: Config, files: int) -> Config:
    """*config* for a process that may have *files* open: else they would look like failures."""
    import msgspec

    wanted = config.limits.concurrency
    possible = sockets.at_once(wanted, files)
    if not possible:
        raise Problem(f"only {files} files may be open at once: `ulimit -n 1024` allows more")
    if possible < wanted:
        click.echo(f"only {files} files may be open: {possible} targets at once", err=True)
    limits = msgspec.structs.replace(config.limits, concurrency=possible)
    return msgspec.structs.replace(config, limits=limits)


def _settle() -> None:
    """What has been imported stays: the garbage collector need not look at it again.

    The threads that look up names get no heaps of their own, which would never shrink.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    if sys.platform == "linux":
        import ctypes

        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):  # not in musl
            library.mallopt(M_ARENA_MAX, 1)


def _conclude(result: Result, differs: int, compared: int, database: Path) -> None:
    from probe.commands.audience import tell

    said = []
    if result.problem:
        said.append(f"Error: {result.problem}")
    if result.crashes:
        said.append(_("{count} measurements were lost to bugs (see above)", count=result.crashes))
    said.append(_("measured: {count}", count=result.measured))
    if compared:
        compared_text = _(
            "of {compared} that could be compared, {differs} differ from the controls",
            compared=compared, differs=differs,
        )  # fmt: skip
        said.append(compared_text)
    said.append(_("database: {path}", path=database))
    if result.measured:
        said.append(_("what it means: {command}", command=f"zond verdicts --db {database}"))
    if result.run.ended in ("interrupted", "no_network", "failed", "budget"):
        said.append(_("to go on with it: {command}", command=f"zond run --resume --db {database}"))
    tell(click.echo, "\n".join(said), err=True)


def _status(result: Result, refused: bool) -> int:
    if result.signal:
        return 128 + result.signal
    if result.crashes or result.run.ended == "failed":
        return FAILED
    if result.run.ended not in ("done", "budget"):
        return NOTHING_MEASURED
    return IN_PART if refused or result.run.ended == "budget" else DONE
