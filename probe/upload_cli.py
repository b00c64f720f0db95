"""``zond upload``: what is to leave, shown or sent; the way by a carried file; the pseudonym.

Exit statuses as everywhere (`probe.cli`): 0 all is delivered, 5 some remain (a budget, a
refusal, a broken way), 1 nothing got through, 4 nobody agreed, 75 another upload is at it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probe.ending import BAD_ARGUMENTS, DONE, FAILED, IN_PART, LOCKED, NO_CONSENT, Problem

if TYPE_CHECKING:
    from probe.config import Config
    from probe.outbox import Outbox
    from probe.upload import Collector, Sent

TROUBLES = 5  # kinds told of
MAX_KEY = 10_000  # bytes of a key's file

FORGETTING = """\
The secret from which your pseudonyms are made will be gone. What you send from then on cannot
be linked with what you sent before, by anybody; in the dataset you are one more probe.
What was sent stays there. Batches that are made and not yet sent carry the old pseudonym."""

_path = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--db", metavar="FILE", help="The database that 'zond run' wrote.")
@click.option("--config", "config_path", type=_path, help="The settings file.")
@click.option("--collector", metavar="URL", help="Where to send to.")
@click.option("--key", "key_file", type=_path, help="A file with the collector's public key.")
@click.option("--proxy", metavar="URL", help="The only way out, as in socks5h://127.0.0.1:9050.")
@click.option("--tor", is_flag=True, help="Only by Tor ([upload] tor says where it listens).")
@click.option("--max-bytes", type=click.IntRange(0), help="Send no more than that now.")
@click.option("--personal", is_flag=True, help="Also targets that are on no carried list.")
@click.option("--dry-run", is_flag=True, help="Print the exact documents; send nothing.")
@click.option("--from-file", type=_path, help="Send what 'zond export --to-upload' wrote.")
@click.option("--receipts", type=_path, help="Take home the receipts of a carried file.")
@click.option("--again", is_flag=True, help="Also batches that were refused too often.")
@click.option("--forget-key", "--rotate-key", "forget_key", is_flag=True, help="End a pseudonym.")
@click.option("--ooni", metavar="URL", help="Send to an OONI-protocol collector, and only there.")
@click.option("--yes", is_flag=True, help="I know what that means, and agree.")
@click.option("--json", "as_json", is_flag=True, help="What was done, as a line of JSON.")
def upload(**given: Any) -> None:
    """Send what was measured to the shared dataset, each measurement once.

    Whatever interrupts it, the next upload goes on. See docs/upload.md.

    Example: zond upload --collector https://collector.example/ --key collector.key
    """
    from probe.config import ConfigError
    from probe.identity import IdentityError
    from probe.store import StoreError
    from probe.upload import UploadError

    try:
        config = _config(given)
        if given["forget_key"]:
            return _forget(given["yes"])
        if given["from_file"] is not None:
            sys.exit(_send_file(config, given))
        if not config.database.is_file():
            raise Problem(f"there is no file {config.database}", BAD_ARGUMENTS)
        if given["dry_run"]:
            return _show(config)
        if given["ooni"]:
            with _only_upload(config.database):
                sys.exit(_to_ooni(config, given["ooni"]))
        with _only_upload(config.database):
            if given["receipts"] is not None:
                return _take_home(config, given["receipts"])
            collector = _collector(config)
            _ask(given)
            sent = upload_database(
                config, collector, max_bytes=given["max_bytes"], again=given["again"]
            )
        _tell(sent, as_json=given["as_json"])
        sys.exit(_status(sent))
    except ConfigError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    except (StoreError, UploadError, IdentityError) as exc:
        raise Problem(str(exc)) from exc


def _to_ooni(config: Config, url: str) -> int:
    """What ``--ooni`` does; who names the collector has asked for it."""
    import trio

    from probe.ooni_upload import submit
    from probe.upload import UploadError, scrubbing
    from probe.ways_out import is_loopback, ways_out

    if not url.startswith("https://") and not (url.startswith("http://") and is_loopback(url)):
        raise UploadError("documents go to an OONI collector over https only")
    ways = ways_out(config.upload, config.proxy)
    if not ways:
        raise UploadError("[upload] ways names no way to a server")
    done = trio.run(submit, config.database, url, ways[0], scrubbing(config)[0])
    for trouble, count in done.troubles.most_common(TROUBLES):
        click.echo(f"{count} x {trouble}", err=True)
    if done.withheld:
        click.echo(f"{done.withheld} on no carried list stay here ([upload] personal)", err=True)
    click.echo(f"{done.accepted} accepted, {done.remaining} remain", err=True)
    if not done.troubles and not done.remaining:
        return DONE
    return IN_PART if done.accepted else FAILED


def upload_database(
    config: Config, collector: Collector, *, max_bytes: int | None = None, again: bool = False
) -> Sent:
    """Make batches of what is new in the database and send all that waits.

    Of a run that goes on nothing is sent yet. Raises `ConfigError`, `StoreError`,
    `UploadError`, `IdentityError`.
    """
    import trio

    from probe.outbox import Outbox
    from probe.store import Store
    from probe.upload import allowance, make_batches, send
    from probe.ways_out import ways_out

    ways = ways_out(config.upload, config.proxy)
    collector.check(ways)
    with Outbox(config.database, write=True) as outbox, Store(config.database) as store:
        with _no_run(config.database) as idle:
            make_batches(store, outbox, config, all_runs=idle)
        _tell_of_bugs(outbox)
        if again:
            outbox.ask_again()
        with _progress() as tell:
            sent = trio.run(
                partial(
                    send, outbox, outbox.waiting(), collector, ways, tell=tell,
                    max_bytes=allowance(outbox, config, max_bytes), seconds=config.upload.seconds,
                )
            )
        if sent.remaining > sent.given_up and "file" in (config.upload.ways or ()):
            sent.carried = _carry(config, outbox, collector)
    return sent


def upload_after_run(config: Config) -> None:
    """What ``zond run`` does at its end: upload, if the user agreed to that once.

    Whatever goes wrong is told and fails nothing: the next upload sends it.
    """
    from probe import consent
    from probe.config import ConfigError
    from probe.identity import IdentityError
    from probe.places import data_directory
    from probe.store import StoreError
    from probe.upload import UploadError

    if config.upload.collector is None or not consent.upload_recorded(data_directory()):
        return
    try:
        with _only_upload(config.database):
            sent = upload_database(config, _collector(config))
        _tell(sent, as_json=False)
    except (ConfigError, StoreError, UploadError, IdentityError, OSError) as exc:
        click.echo(f"not uploaded: {exc}; zond upload does it later", err=True)
    except click.ClickException as exc:
        click.echo(f"not uploaded: {exc.format_message()}", err=True)


def carry_out(
    config: Config, out: Path, *, key_file: Path | None = None, unsealed: bool = False
) -> None:
    """What ``zond export --to-upload`` does: the batches that wait, into the new file *out*."""
    from probe.carrying import carry
    from probe.config import ConfigError
    from probe.identity import IdentityError
    from probe.outbox import Outbox
    from probe.store import Store, StoreError
    from probe.upload import Collector, UploadError, collector_of, make_batches

    try:
        key = _key_text(key_file) if key_file else config.upload.key
        collector = collector_of("https://localhost", key) if key else Collector(url="")
        with (
            _only_upload(config.database),
            Outbox(config.database, write=True) as outbox,
            Store(config.database) as store,
        ):
            with _no_run(config.database) as idle:
                make_batches(store, outbox, config, all_runs=idle)
            _tell_of_bugs(outbox)
            count = carry(outbox, collector, out, unsealed=unsealed)
    except (ConfigError, StoreError, UploadError, IdentityError) as exc:
        raise Problem(str(exc)) from exc
    except OSError as exc:
        raise Problem(f"{exc.filename or out}: {exc.strerror or exc}") from exc
    if not count:
        click.echo("nothing waits to be uploaded", err=True)
        return
    click.echo(f"{count} batches written to {out}. On a machine with a way out:", err=True)
    click.echo(f"zond upload --from-file {out.name} --collector URL", err=True)


def _config(given: dict[str, Any]) -> Config:
    from probe.config import ConfigError, load

    flags: dict[str, Any] = {"upload": {}}
    if given["db"]:
        flags["db"] = given["db"]
    if given["collector"]:
        flags["upload"]["collector"] = given["collector"]
    if given["key_file"]:
        flags["upload"]["key"] = _key_text(given["key_file"])
    if given["personal"]:
        flags["upload"]["personal"] = True
    if given["proxy"] and given["tor"]:
        raise ConfigError("--proxy and --tor: only one can be the only way out")
    if given["proxy"]:
        flags["upload"] |= {"proxy": given["proxy"], "ways": ["proxy"]}
    if given["tor"]:
        flags["upload"]["ways"] = ["tor"]
    return load(given["config_path"], os.environ, flags)


def _key_text(path: Path) -> str:
    from probe.config import ConfigError

    try:
        with open(path, encoding="ascii") as file:
            return file.read(MAX_KEY).strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: {getattr(exc, 'strerror', None) or 'not a key'}") from exc


def _collector(config: Config) -> Collector:
    from probe.config import ConfigError
    from probe.upload import collector_of

    if config.upload.collector is None:
        raise ConfigError("where to? --collector URL, or collector in [upload] of zond.toml")
    return collector_of(config.upload.collector, config.upload.key)


def _ask(given: dict[str, Any]) -> None:
    """Whether to send. Who names the collector in a script has said so; nobody else has."""
    from probe import consent, consent_words
    from probe.places import data_directory

    folder = data_directory()
    if given["yes"] or consent.upload_recorded(folder):
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        if given["collector"]:
            return
        raise Problem("nobody has agreed to that: `zond upload --yes` does", NO_CONSENT)
    click.echo(consent_words.sharing(), err=True)
    if not click.confirm("Do you agree, and send?", err=True):
        raise Problem("nothing was sent", NO_CONSENT)
    if click.confirm("And after each run from now on, without being asked?", err=True):
        try:
            consent.record_upload(folder)
        except OSError as exc:
            raise Problem(f"the consent cannot be written down: {exc}", FAILED) from exc


def _show(config: Config) -> None:
    """The plain lines of what waits, then of what would be made. Changes nothing."""
    from probe.formats import batch
    from probe.outbox import Outbox
    from probe.store import Store
    from probe.upload import scrubbing

    count = 0
    with Outbox(config.database) as outbox, Store(config.database) as store:
        for waiting in outbox.waiting():
            if (packed := outbox.packed(waiting.sha256)) is not None:
                for document in batch.unpack(packed).documents:
                    count += 1
                    click.echo(document)
        scrubber, choices = scrubbing(config)
        staying = 0
        for draft in outbox.drafts(store, scrubber, choices=choices):
            staying += len(draft.staying)
            for document in draft.documents:
                count += 1
                click.echo(document)
        _tell_of_bugs(outbox)
    click.echo(f"{count} documents would be sent; none was", err=True)
    if staying:
        click.echo(
            f"{staying} measurements stay here: of targets on no carried list (--personal"
            " would send them too)",
            err=True,
        )


def _send_file(config: Config, given: dict[str, Any]) -> int:
    import trio

    from probe.carrying import CarriedError, CarriedFile
    from probe.upload import collector_of, send
    from probe.ways_out import ways_out

    path: Path = given["from_file"]
    receipts: Path = given["receipts"] or path.with_name(path.name + ".receipts")
    # What is sealed stays so: no key is needed here, and what is not sealed needs TLS.
    ways = ways_out(config.upload, config.proxy)
    try:
        source = CarriedFile(path, receipts)
        collector = collector_of(_collector(config).url, None)
        if not source.sealed:
            collector.check(ways)
        with _progress() as tell:
            sent = trio.run(
                partial(
                    send, source, source.waiting, collector, ways, tell=tell,
                    max_bytes=given["max_bytes"], seconds=config.upload.seconds,
                )
            )
    except CarriedError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    except OSError as exc:
        raise Problem(f"{exc.filename or path}: {exc.strerror or exc}", FAILED) from exc
    _tell(sent, as_json=given["as_json"])
    if sent.delivered:
        click.echo(f"carry home {receipts}: zond upload --receipts FILE", err=True)
    if source.damage:
        click.echo(f"Error: {source.damage}", err=True)
        sent.remaining += 1
    return _status(sent)


def _take_home(config: Config, path: Path) -> None:
    from probe.carrying import take_home
    from probe.outbox import Outbox

    try:
        with Outbox(config.database, write=True) as outbox:
            right, wrong = take_home(outbox, path)
            left = len(outbox.waiting())
    except OSError as exc:
        raise Problem(f"{path}: {exc.strerror or exc}", FAILED) from exc
    click.echo(f"{right} batches are delivered, {left} wait", err=True)
    if wrong:
        raise Problem(f"{wrong} receipts are not the collector's, or of another database", FAILED)


def _carry(config: Config, outbox: Outbox, collector: Collector) -> int:
    from probe.carrying import carry
    from probe.upload import UploadError

    path = Path(config.upload.file or "").expanduser()
    try:
        return carry(outbox, collector, path)
    except (OSError, UploadError) as exc:
        click.echo(f"not written to carry: {exc}", err=True)
        return 0


def _forget(agreed: bool) -> None:
    from probe import places
    from probe.identity import Identity

    click.echo(FORGETTING, err=True)
    if not agreed:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise Problem("nobody has agreed to that: --yes does", NO_CONSENT)
        if not click.confirm("Forget it?", err=True):
            raise Problem("nothing was forgotten", NO_CONSENT)
    there = Identity(places.identity()).forget()
    click.echo("forgotten" if there else "there was none", err=True)


def _tell_of_bugs(outbox: Outbox) -> None:
    for why in outbox.unscrubbed[:TROUBLES]:
        click.echo(f"a bug of ours, so that this one stays here: {why}", err=True)
    if outbox.unscrubbed:
        click.echo(f"{len(outbox.unscrubbed)} measurements could not be scrubbed", err=True)


def _tell(sent: Sent, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(sent))
    for why, count in sent.troubles.most_common(TROUBLES):
        click.echo(f"{count} x {why}", err=True)
    for why, count in sent.set_aside.most_common(TROUBLES):
        click.echo(f"delivered and kept, but not read there: {count} x {why}", err=True)
    said = f"{sent.delivered} batches delivered, {sent.remaining} remain"
    if sent.given_up:
        said += f" ({sent.given_up} refused too often: zond upload --again)"
    if sent.over_budget:
        said += " (the budget of bytes is spent)"
    if sent.carried:
        said += f" ({sent.carried} written to be carried)"
    click.echo(said, err=True)


def _status(sent: Sent) -> int:

    if not sent.remaining:
        return DONE
    tried = bool(sent.troubles) and not sent.over_budget
    return FAILED if tried and not sent.delivered and not sent.carried else IN_PART


@contextmanager
def _only_upload(database: Path) -> Iterator[None]:
    """One upload at a time from a database: two would send everything twice."""
    from filelock import FileLock, Timeout


    lock = FileLock(f"{database}.upload.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout as exc:
        raise Problem(f"another upload from {database} goes on", LOCKED) from exc
    except OSError as exc:
        raise Problem(f"{database}: {exc.strerror or exc}", FAILED) from exc
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _no_run(database: Path) -> Iterator[bool]:
    """Whether nothing is measured into *database* now, nor will be inside."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{database}.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextmanager
def _progress() -> Iterator[Callable[[Sent], None]]:
    if not sys.stderr.isatty():
        yield lambda sent: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bar = Progress(
        "{task.description}", MofNCompleteColumn(), BarColumn(),
        TextColumn("{task.fields[said]}"), console=Console(stderr=True), transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task("batches delivered", total=None, said="")

        def tell(sent: Sent) -> None:
            said = f"{sent.bytes / 1000:.0f} kB sent, {sent.troubles.total()} attempts failed"
            bar.update(task, completed=sent.delivered, total=sent.total, said=said)

        yield tell
