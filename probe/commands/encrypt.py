"""``zond encrypt``: the database gets a passphrase, another one, or none any more.

The file that is there is copied whole into a new one, which takes its place when it is safe on
the disk; a power cut leaves the one or the other. What was in clear is overwritten then.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import click

from probe.commands.opening import locked
from probe.ending import BAD_ARGUMENTS, Problem
from probe.upload.work import only_upload


@click.command()
@click.option("--db", metavar="FILE", help="The database; it is made where it is missing.")
@click.option("--change", is_flag=True, help="Another passphrase.")
@click.option("--undo", is_flag=True, help="No passphrase any more.")
def encrypt(db: str | None, change: bool, undo: bool) -> None:
    """Encrypt the database with a passphrase, which every command then asks for.

    For unattended runs see docs/risks.md: where the passphrase lies beside the database, it
    protects nothing but a copy.

    Example: zond encrypt
    """
    from probe.config import ConfigError, load
    from probe.encryption import PassphraseError, is_plain, new_passphrase, passphrase
    from probe.store import Store, StoreError

    try:
        path = load(None, os.environ, {"db": db} if db else {}).database
    except ConfigError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    if change and undo:
        raise Problem("--change and --undo: only one of them", BAD_ARGUMENTS)
    with locked(path), only_upload(path):
        try:
            if not (change or undo) and not is_plain(path):
                raise Problem(f"{path} is encrypted (--change, --undo)", BAD_ARGUMENTS)
            if (change or undo) and is_plain(path):
                raise Problem(f"{path} is not encrypted", BAD_ARGUMENTS)
            old = passphrase(path.absolute()) if change or undo else ""
            new = "" if undo else new_passphrase(path, another=change)
            with Store(path, write=True):
                pass  # it is ours, there, and in its newest form
            _copied(path, old, new)
        except (StoreError, PassphraseError) as exc:
            raise Problem(str(exc)) from exc
        except OSError as exc:
            raise Problem(f"{exc.filename or path}: {exc.strerror or exc}") from exc
    click.echo(f"{path} is {'not encrypted any more' if undo else 'encrypted'}", err=True)
    if not undo:
        click.echo("nobody can read it without the passphrase: write it down elsewhere", err=True)


def _copied(path: Path, old: str, new: str) -> None:
    """Put a copy of *path*, which *old* opens, in its place: *new* opens that. An empty
    passphrase is none. Raises what opening it does."""
    from probe import encryption
    from probe.schema import APPLICATION_ID, explained
    from probe.wipe import overwrite

    library = encryption.library()
    copy = path.with_name(f"{path.name}.new")
    with explained(path):
        copy.unlink(missing_ok=True)
        os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        opened = encryption.connect(str(path), old) if old else library.connect(str(path))
        with closing(opened) as db:
            db.execute("PRAGMA journal_mode = DELETE")  # all of it into the one file
            db.execute(f"ATTACH DATABASE ? AS copy KEY {encryption.quoted(new)}", (str(copy),))
            db.execute("SELECT sqlcipher_export('copy')")
            db.execute(f"PRAGMA copy.application_id = {APPLICATION_ID}")
            db.execute("DETACH DATABASE copy")
        with open(copy, "rb") as file:
            os.fsync(file.fileno())
        with open(path, "r+b", buffering=0) as before:
            os.replace(copy, path)
            if not old:
                overwrite(before)
    encryption.passphrase.cache_clear()
