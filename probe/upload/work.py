"""How an upload goes out: the ways, a carried file, OONI's collector; one at a time.

Every function may raise `ConfigError`, `StoreError`, `UploadError` and `IdentityError`, which
the command line makes a line of, and `Problem`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from probe.ending import BAD_ARGUMENTS, FAILED, LOCKED, Problem
from probe.upload.words import progress, status, tell, tell_of_bugs, tell_of_documents

if TYPE_CHECKING:
    from probe.config import Config
    from probe.upload.outbox import Outbox
    from probe.upload.sending import Collector, Sent

MAX_KEY = 10_000  # bytes of a key's file


def upload_database(
    config: Config, collector: Collector, *, max_bytes: int | None = None, again: bool = False
) -> Sent:
    """Make batches of what is new in the database and send all that waits.

    Of a run that goes on nothing is sent yet. Raises `ConfigError`, `StoreError`,
    `UploadError`, `IdentityError`.
    """
    import trio

    from probe.store import Store
    from probe.upload.outbox import Outbox
    from probe.upload.sending import allowance, make_batches, send
    from probe.upload.ways_out import ways_out

    ways = ways_out(config.upload, config.proxy)
    collector.check(ways)
    with Outbox(config.database, write=True) as outbox, Store(config.database) as store:
        with _no_run(config.database) as idle:
            make_batches(store, outbox, config, all_runs=idle)
        tell_of_bugs(outbox)
        if again:
            outbox.ask_again()
        with progress() as moved:
            sent = trio.run(
                partial(
                    send, outbox, outbox.waiting(), collector, ways, tell=moved,
                    max_bytes=allowance(outbox, config, max_bytes), seconds=config.upload.seconds,
                )
            )
        if sent.remaining > sent.given_up and "file" in (config.upload.ways or ()):
            sent.carried = _carry(config, outbox, collector)
    return sent


def carry_out(
    config: Config, out: Path, *, key_file: Path | None = None, unsealed: bool = False
) -> None:
    """What ``zond export --to-upload`` does: the batches that wait, into the new file *out*."""
    from probe.config import ConfigError
    from probe.store import Store, StoreError
    from probe.upload.carrying import carry
    from probe.upload.identity import IdentityError
    from probe.upload.outbox import Outbox
    from probe.upload.sending import Collector, UploadError, collector_of, make_batches

    try:
        key = key_text(key_file) if key_file else config.upload.key
        collector = collector_of("https://localhost", key) if key else Collector(url="")
        with (
            only_upload(config.database),
            Outbox(config.database, write=True) as outbox,
            Store(config.database) as store,
        ):
            with _no_run(config.database) as idle:
                make_batches(store, outbox, config, all_runs=idle)
            tell_of_bugs(outbox)
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


def send_file(
    config: Config, path: Path, receipts: Path | None, *, max_bytes: int | None, as_json: bool
) -> int:
    """What ``--from-file`` does; the exit status. Receipts go to *receipts*, or beside *path*."""
    import trio

    from probe.upload.carrying import CarriedError, CarriedFile
    from probe.upload.sending import collector_of, send
    from probe.upload.ways_out import ways_out

    receipts = receipts or path.with_name(path.name + ".receipts")
    # What is sealed stays so: no key is needed here, and what is not sealed needs TLS.
    ways = ways_out(config.upload, config.proxy)
    try:
        source = CarriedFile(path, receipts)
        collector = collector_of(collector_in(config).url, None)
        if not source.sealed:
            collector.check(ways)
        with progress() as moved:
            sent = trio.run(
                partial(
                    send, source, source.waiting, collector, ways, tell=moved,
                    max_bytes=max_bytes, seconds=config.upload.seconds,
                )
            )
    except CarriedError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    except OSError as exc:
        raise Problem(f"{exc.filename or path}: {exc.strerror or exc}", FAILED) from exc
    tell(sent, as_json=as_json)
    if sent.delivered:
        click.echo(f"carry home {receipts}: zond upload --receipts FILE", err=True)
    if source.damage:
        click.echo(f"Error: {source.damage}", err=True)
        sent.remaining += 1
    return status(sent)


def bring_home(config: Config, path: Path) -> None:
    """What ``--receipts`` does."""
    from probe.upload.carrying import take_home
    from probe.upload.outbox import Outbox

    try:
        with Outbox(config.database, write=True) as outbox:
            right, wrong = take_home(outbox, path)
            left = len(outbox.waiting())
    except OSError as exc:
        raise Problem(f"{path}: {exc.strerror or exc}", FAILED) from exc
    click.echo(f"{right} batches are delivered, {left} wait", err=True)
    if wrong:
        raise Problem(f"{wrong} receipts are not the collector's, or of another database", FAILED)


def to_ooni(config: Config, url: str) -> int:
    """What ``--ooni`` does; who names the collector has asked for it."""
    import trio

    from probe.upload.ooni import submit
    from probe.upload.sending import UploadError, scrubbing
    from probe.upload.ways_out import is_loopback, ways_out

    if not url.startswith("https://") and not (url.startswith("http://") and is_loopback(url)):
        raise UploadError("documents go to an OONI collector over https only")
    ways = ways_out(config.upload, config.proxy)
    if not ways:
        raise UploadError("[upload] ways names no way to a server")
    done = trio.run(submit, config.database, url, ways[0], scrubbing(config)[0])
    return tell_of_documents(done)


def collector_in(config: Config) -> Collector:
    """The collector that the settings name."""
    from probe.config import ConfigError
    from probe.upload.sending import collector_of

    if config.upload.collector is None:
        raise ConfigError("where to? --collector URL, or collector in [upload] of zond.toml")
    return collector_of(config.upload.collector, config.upload.key)


def key_text(path: Path) -> str:
    """A public key in the file *path*. Raises `ConfigError`."""
    from probe.config import ConfigError

    try:
        with open(path, encoding="ascii") as file:
            return file.read(MAX_KEY).strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: {getattr(exc, 'strerror', None) or 'not a key'}") from exc


@contextmanager
def only_upload(database: Path) -> Iterator[None]:
    """One upload at a time from a database: two would send everything twice, and one beside a
    database that is being replaced would write its receipts into the old one."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{database}.upload.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout as exc:
        raise Problem(f"an upload from {database} goes on", LOCKED) from exc
    except OSError as exc:
        raise Problem(f"{database}: {exc.strerror or exc}", FAILED) from exc
    try:
        yield
    finally:
        lock.release()


def _carry(config: Config, outbox: Outbox, collector: Collector) -> int:
    from probe.upload.carrying import carry
    from probe.upload.sending import UploadError

    path = Path(config.upload.file or "").expanduser()
    try:
        return carry(outbox, collector, path)
    except (OSError, UploadError) as exc:
        click.echo(f"not written to carry: {exc}", err=True)
        return 0


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
