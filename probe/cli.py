"""The command line: arguments to configuration, configuration to a run, results to exit statuses.

Here and in ``probe.screen`` is all that prints. What a command needs is imported when
it runs: ``zond --help`` must answer at once on a small device, and a machine that only
measures need not have what the other commands want.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probe.consent_cli import consent as consent_command
from probe.ending import (
    BAD_ARGUMENTS,
    DONE,
    FAILED,
    IN_PART,
    LOCKED,
    NO_CONSENT,
    NOTHING_MEASURED,
    Problem,
)
from probe.upload_cli import carry_out, upload, upload_after_run

if TYPE_CHECKING:
    from probe.config import Config
    from probe.nettest import Nettest
    from probe.session import Request, Result
    from probe.store import Store
    from testlists import Risk, Target

USUAL_LIST = "by"
USUAL_RISK: Risk = "medium"
THREAD_STACK = 512 * 1024  # bytes; the default of 8 MB times ten resolver threads is too much
SOCKETS = 16384
GARBAGE = 5000  # objects more than before, at which the collector looks for cycles

# Commands that other packages bring, so that --help need not load them.
ELSEWHERE = {
    "verdicts": "Say what the stored measurements mean.",
    "analyse": "Judge everything, find changes, lay them beside the documented regime.",
    "events": "Say what was blocked, since when, where, and how sure that is.",
    "regime": "Say how measurements agree with what is documented.",
    "explain": "Show the chain from a finding down to packets.",
    "collector": "Take what volunteers measured, and keep it.",
    "dataset": "Make the shared dataset, ask it, publish it.",
    "demo": "Measure a whole country on this machine.",
}


class Commands(click.Group):
    """A group that also has the commands of the entry points ``zond.commands``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(e.name for e in _entries())})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if (command := super().get_command(ctx, name)) is not None:
            return command
        return next((_loaded(entry) for entry in _entries() if entry.name == name), None)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            command = super().get_command(ctx, name)
            known = ELSEWHERE.get(name, f"See zond {name} --help.")
            rows.append((name, command.get_short_help_str(80) if command else known))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _entries() -> list[EntryPoint]:
    return list(entry_points(group="zond.commands"))


def _loaded(entry: EntryPoint) -> click.Command:
    try:
        command = entry.load()
    except ModuleNotFoundError as exc:
        raise Problem(f"zond {entry.name} needs {exc.name}: pip install 'zond[all]'") from exc
    if not isinstance(command, click.Command):
        raise TypeError(f"{entry.value} is no command")
    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="zond", message="%(prog)s %(version)s")
def zond() -> None:
    """Find out what is blocked on this network, how, and how sure that is.

    Example: zond run --url https://example.org/
    """


@zond.command()
@click.option("--list", "lists", multiple=True, help="A list file, or the name of a carried list.")
@click.option("--url", "urls", multiple=True, help="One URL to measure.")
@click.option("--nettest", "nettests", multiple=True, help="Only this nettest.")
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
def run(**given: Any) -> None:
    """Measure lists or URLs, compare with the controls, keep everything.

    Without --list and --url: the list for Belarus.

    Example: zond run --list my.csv --control https://control.example/
    """
    from probe.config import ConfigError, load

    try:
        config = load(given["config_path"], os.environ, _flags(given))
    except ConfigError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    nettests = _nettests(given["nettests"])
    targets, digests, refused = _targets(given["lists"], given["urls"], config)
    _ask_consent(given["yes"])
    with _locked(config.database), _store(config.database) as store:
        last = [run for run in store.runs() if not run.imported]  # others are imported
        if given["resume"] and last and last[-1].ended == "done":
            click.echo("the last run is complete: nothing to resume", err=True)
            return
        if given["resume"] and last:
            nettests = _nettests(())  # what is left decides
        from probe.session import Request

        request = Request(
            targets=targets,
            nettests=nettests,
            refused=refused,
            lists=digests,
            seed=_seed(given["seed"]),
            resume=given["resume"],
        )
        status = _measure(config, request, store, as_json=given["as_json"])
    if not given["no_upload"] and status < 128:  # a signal says: now
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


def _targets(
    lists: Sequence[str], urls: Sequence[str], config: Config
) -> tuple[list[Target], dict[str, str], list[tuple[str, int, str]]]:
    """What to measure, the versions of the lists, and the lines refused, which are shown."""
    from testlists import BadURL, digest, select, target_from_url

    targets: list[Target] = []
    digests: dict[str, str] = {}
    refused: list[tuple[str, int, str]] = []
    for url in urls:
        try:
            targets.append(target_from_url(url))
        except BadURL as exc:
            refused.append(("--url", 0, f"{url}: {exc}"))
    named = lists or (() if urls else config.lists)
    # Who chose no list has not chosen its most dangerous part either.
    max_risk: Risk = config.max_risk or ("high" if named else USUAL_RISK)
    for name in named if named or urls else (USUAL_LIST,):
        found, problems = _list(name)
        refused += [(name, problem.line, problem.reason) for problem in problems]
        chosen = select(found, max_risk=max_risk)
        if len(chosen) < len(found):
            click.echo(
                f"{name}: {len(found) - len(chosen)} targets of more than {max_risk} risk are"
                " left out (--max-risk high takes them in)",
                err=True,
            )
        digests[Path(name).stem] = digest(chosen)
        targets += chosen
    for name, line, reason in refused:
        click.echo(f"{name}{f', line {line}' if line else ''}: {reason}", err=True)
    if not targets:
        raise Problem("nothing to measure", BAD_ARGUMENTS)
    return targets, digests, refused


def _list(name: str) -> tuple[list[Target], list[Any]]:
    from testlists import builtin, builtin_names, load

    if name in builtin_names() and not Path(name).is_file():
        return builtin(name)
    try:
        return load(Path(name))
    except OSError as exc:
        hint = f"; lists that come with zond: {', '.join(builtin_names())}"
        raise Problem(f"list {name}: {exc.strerror or exc}{hint}", BAD_ARGUMENTS) from exc


def _ask_consent(agreed: bool) -> None:
    from probe import consent
    from probe.places import data_directory

    if agreed or consent.recorded(data_directory()):
        return
    click.echo(consent.TEXT, err=True)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Problem("nobody has agreed to that: `zond run --yes` does", NO_CONSENT)
    if not click.confirm("Do you agree, and measure from here?", err=True):
        raise Problem("nothing was sent", NO_CONSENT)
    try:
        consent.record(data_directory())
    except OSError as exc:
        raise Problem(f"the consent cannot be written down: {exc}") from exc


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    """One run at a time on a database; two at once would also be twice as loud on the line."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{database}.lock", mode=0o600)
    try:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as exc:
        raise Problem(f"another run holds {database}", LOCKED) from exc
    except OSError as exc:
        raise Problem(f"{database}: {exc.strerror or exc}") from exc
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _store(database: Path) -> Iterator[Store]:
    from probe.store import Store, StoreError

    try:
        with Store(database, write=True) as store:
            yield store
    except StoreError as exc:
        raise Problem(str(exc)) from exc


def _seed(given: int | None) -> int:
    import secrets

    return secrets.randbelow(2**31) if given is None else given


def _measure(config: Config, request: Request, store: Store, *, as_json: bool) -> int:
    import threading

    import trio

    from probe.asn import AddressBookError
    from probe.screen import Screen
    from probe.session import run_session
    from probe.steps.certificate import TrustStoreError

    if not config.all_controls:
        click.echo(
            "no controls: nothing to compare with, so less can be said afterwards"
            " (--control URL, or --ooni-helpers for OONI's public ones)",
            err=True,
        )
    threading.stack_size(THREAD_STACK)
    _settle()
    _allow_sockets()
    try:
        with Screen(json=as_json, terminal=sys.stderr.isatty()) as screen:
            result = trio.run(partial(run_session, config, request, store, screen))
    except AddressBookError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    except TrustStoreError as exc:
        raise Problem(str(exc)) from exc
    _conclude(result, screen.differs, screen.compared, config.database)
    return _status(result, bool(store.refused(result.run.id)))


def _settle() -> None:
    """What has been imported stays: the garbage collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


def _allow_sockets() -> None:
    """A shell's usual limit of 1024 files would turn into failed connections."""
    try:
        import resource
    except ImportError:
        return  # a system without such limits
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SOCKETS if hard == resource.RLIM_INFINITY else min(SOCKETS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _conclude(result: Result, differs: int, compared: int, database: Path) -> None:
    if result.problem:
        click.echo(f"Error: {result.problem}", err=True)
    if result.crashes:
        click.echo(f"{result.crashes} measurements were lost to bugs (see above)", err=True)
    compared_text = f", {differs} of {compared} compared differ from the controls"
    click.echo(f"{result.measured} measured{compared_text if compared else ''}", err=True)
    click.echo(f"database: {database}", err=True)
    if result.measured:
        click.echo(f"what it means: zond verdicts --db {database}", err=True)
    if result.run.ended in ("interrupted", "no_network", "failed", "budget"):
        click.echo("to go on with it: zond run --resume", err=True)


def _status(result: Result, refused: bool) -> int:
    if result.signal:
        return 128 + result.signal
    if result.crashes or result.run.ended == "failed":
        return FAILED
    if result.run.ended not in ("done", "budget"):
        return NOTHING_MEASURED
    return IN_PART if refused or result.run.ended == "budget" else DONE


@zond.command()
@click.option("--db", metavar="FILE", help="The database that 'zond run' wrote.")
@click.option("--format", "form", help="Of the file.",
              type=click.Choice(["ooni", "parquet", "pcap"]))
@click.option("--to-upload", is_flag=True, help="Batches, to be sent from another machine.")
@click.option("--key", type=click.Path(path_type=Path), help="To upload: the collector's key.")
@click.option("--unsealed", is_flag=True, help="To upload: readable by whoever gets the file.")
@click.option("--scrubbed/--unscrubbed", default=True, help="Without what tells who measured.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file; - stdout.")
def export(
    db: str | None, form: str | None, to_upload: bool, key: Path | None, unsealed: bool,
    scrubbed: bool, out: Path,
) -> None:  # fmt: skip
    """Write what is stored to a file that other programs read.

    ooni: OONI's documents, a line each (.gz, .zst: compressed). parquet: a table of all
    network operations (docs/ooni_export.md). pcap: the packets that were captured while targets
    were followed up. --to-upload: what waits for `zond upload`, to be carried to another
    machine (docs/upload.md).

    Example: zond export --format pcap --out packets.pcap
    """
    from probe.config import ConfigError, load
    from probe.export import ExportError, export_packets
    from probe.store import Store, StoreError

    if (form is None) is not to_upload:
        raise Problem("one of --format and --to-upload is needed", BAD_ARGUMENTS)
    try:
        config = load(None, os.environ, {"db": db} if db else {})
    except ConfigError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    database = config.database
    if not database.exists():
        raise Problem(f"there is no file {database}", BAD_ARGUMENTS)
    if out.exists():
        raise Problem(f"{out} is there already, and is not written over", BAD_ARGUMENTS)
    if to_upload:
        return carry_out(config, out, key_file=key, unsealed=unsealed)
    if form in ("ooni", "parquet"):
        return _export_documents(config, form, out, scrubbed=scrubbed)
    try:
        with Store(database) as store:
            count = export_packets(store, out)
    except (StoreError, ExportError) as exc:
        raise Problem(str(exc)) from exc
    click.echo(f"{count} packets written to {out}", err=True)


def _export_documents(config: Config, form: str, out: Path, *, scrubbed: bool) -> None:
    from probe.export import ExportError
    from probe.export_table import export_parquet
    from probe.exporting import export_ooni
    from probe.store import Store, StoreError
    from probe.upload import scrubbing

    write = export_ooni if form == "ooni" else export_parquet
    try:
        with Store(config.database) as store:
            done = write(store, out, scrubbing(config)[0] if scrubbed else None)
    except (StoreError, ExportError) as exc:
        raise Problem(str(exc)) from exc
    if not scrubbed:
        click.echo("not scrubbed: it says who measured; give it to nobody", err=True)
    if done.withheld:
        left = f"{done.withheld} on no carried list were left out ([upload] personal)"
        click.echo(left, err=True)
    if done.not_ooni:
        click.echo(f"{done.not_ooni} have no counterpart at OONI, and were left out", err=True)
    click.echo(f"{done.documents} measurements written to {out}", err=True)


@zond.command("import")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...",
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
)
@click.option("--db", metavar="FILE", help="The database; it is made where it is missing.")
@click.option("--json", "as_json", is_flag=True, help="What was done, as a line of JSON.")
def import_(files: Sequence[Path], db: str | None, as_json: bool) -> None:
    """Read OONI's measurements: JSON or JSONL, plain, gzip or zstd; files or directories.

    What cannot be read is set aside with a reason, and kept. Importing again adds nothing twice.

    Example: zond import 2024012400_BY_webconnectivity.jsonl.gz --db ooni.db
    """
    from probe.config import ConfigError, load
    from probe.importing import import_files, sources
    from probe.screen import reading

    try:
        database = load(None, os.environ, {"db": db} if db else {}).database
    except ConfigError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    with _locked(database), _store(database) as store:
        try:
            found = list(sources(files))
            total = sum(source.size for source in found)
            with reading(total, terminal=sys.stderr.isatty()) as advance:
                summary = import_files(store, found, advance)
        except OSError as exc:
            raise Problem(f"{exc.filename or 'a file'}: {exc.strerror or exc}") from exc
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(summary))
    for reason, count in summary.reasons.most_common(20):
        click.echo(f"set aside: {count} x {reason}", err=True)
    click.echo(
        f"{summary.imported} documents imported, {summary.known} known before,"
        f" {summary.set_aside} set aside",
        err=True,
    )
    if summary.imported or summary.known:
        click.echo(f"what they mean: zond verdicts --db {database}", err=True)
    sys.exit(IN_PART if summary.set_aside else DONE)


@zond.group()
def control() -> None:
    """The control vantage point: the same visit, made from elsewhere."""


@control.command()
@click.option("--listen", required=True, metavar="ADDRESS:PORT", help="Where to answer.")
@click.option("--tls-cert", type=click.Path(dir_okay=False), help="Certificate chain, PEM.")
@click.option("--tls-key", type=click.Path(dir_okay=False), help="Its key, PEM.")
def serve(listen: str, tls_cert: str | None, tls_key: str | None) -> None:
    """Answer probes until a signal. Keeps no log of who asked what.

    Example: zond control serve --listen 0.0.0.0:443 --tls-cert c.pem --tls-key k.pem
    """
    import trio

    from probe.control.server import ServerExtrasMissing
    from probe.control.server import serve as serve_control

    try:
        from probe.serving.listen import ListenError
    except ModuleNotFoundError as exc:
        raise Problem(str(ServerExtrasMissing())) from exc
    _allow_sockets()
    server = partial(serve_control, listen, tls_cert=tls_cert, tls_key=tls_key)
    try:
        trio.run(_serve, server)
    except BaseExceptionGroup as group:
        refused, others = group.split(ListenError)
        if refused is None or others is not None:
            raise
        reason = refused.exceptions[0]
        taken = isinstance(reason.__cause__, OSError)
        raise Problem(str(reason), FAILED if taken else BAD_ARGUMENTS) from group


async def _serve(server: Any) -> None:
    import trio

    async with trio.open_nursery() as nursery:
        url = await nursery.start(server)
        click.echo(f"control server at {url}", err=True)


zond.add_command(upload)
zond.add_command(consent_command)


def main() -> None:
    """The command ``zond``."""
    try:
        zond(prog_name="zond", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except click.UsageError as exc:
        said = " ".join(exc.format_message().split())
        where = exc.ctx.command_path if exc.ctx is not None else "zond"
        click.echo(f"Error: {said} (see {where} --help)", err=True)
        sys.exit(exc.exit_code)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
