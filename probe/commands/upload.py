"""``zond upload``: what is to leave, shown or sent; the way by a carried file; the pseudonym.

Exit statuses as everywhere (`probe.cli`): 0 all is delivered, 5 some remain (a budget, a
refusal, a broken way), 1 nothing got through, 4 nobody agreed, 75 another upload is at it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probe.ending import BAD_ARGUMENTS, FAILED, NO_CONSENT, Problem
from probe.upload.words import show, show_documents, status, tell
from probe.upload.work import (
    bring_home,
    collector_in,
    key_text,
    only_upload,
    send_file,
    to_ooni,
    upload_database,
)

if TYPE_CHECKING:
    from probe.config import Config

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
    from probe.store import StoreError
    from probe.upload.identity import IdentityError
    from probe.upload.sending import UploadError

    try:
        config = _config(given)
        if given["forget_key"]:
            return _forget(given["yes"])
        if given["from_file"] is not None:
            sys.exit(
                send_file(
                    config, given["from_file"], given["receipts"],
                    max_bytes=given["max_bytes"], as_json=given["as_json"],
                )
            )  # fmt: skip
        if not config.database.is_file():
            raise Problem(f"there is no file {config.database}", BAD_ARGUMENTS)
        if given["dry_run"]:
            return show_documents(config, given["ooni"]) if given["ooni"] else show(config)
        if given["ooni"]:
            with only_upload(config.database):
                sys.exit(to_ooni(config, given["ooni"]))
        with only_upload(config.database):
            if given["receipts"] is not None:
                return bring_home(config, given["receipts"])
            collector = collector_in(config)
            _ask(given)
            sent = upload_database(
                config, collector, max_bytes=given["max_bytes"], again=given["again"]
            )
        tell(sent, as_json=given["as_json"])
        sys.exit(status(sent))
    except ConfigError as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    except (StoreError, UploadError, IdentityError) as exc:
        raise Problem(str(exc)) from exc


def upload_after_run(config: Config) -> None:
    """What ``zond run`` does at its end: upload, if the user agreed to that once.

    Whatever goes wrong is told and fails nothing: the next upload sends it.
    """
    from probe.config import ConfigError
    from probe.consent import agreement
    from probe.places import data_directory
    from probe.store import StoreError
    from probe.upload.identity import IdentityError
    from probe.upload.sending import UploadError

    if config.upload.collector is None or not agreement.upload_recorded(data_directory()):
        return
    try:
        with only_upload(config.database):
            sent = upload_database(config, collector_in(config))
        tell(sent, as_json=False)
    except (ConfigError, StoreError, UploadError, IdentityError, OSError) as exc:
        click.echo(f"not uploaded: {exc}; zond upload does it later", err=True)
    except click.ClickException as exc:
        click.echo(f"not uploaded: {exc.format_message()}", err=True)


def _config(given: dict[str, Any]) -> Config:
    from probe.config import ConfigError, load

    flags: dict[str, Any] = {"upload": {}}
    if given["db"]:
        flags["db"] = given["db"]
    if given["collector"]:
        flags["upload"]["collector"] = given["collector"]
    if given["key_file"]:
        flags["upload"]["key"] = key_text(given["key_file"])
    if given["personal"]:
        flags["upload"]["personal"] = True
    if given["proxy"] and given["tor"]:
        raise ConfigError("--proxy and --tor: only one can be the only way out")
    if given["proxy"]:
        flags["upload"] |= {"proxy": given["proxy"], "ways": ["proxy"]}
    if given["tor"]:
        flags["upload"]["ways"] = ["tor"]
    return load(given["config_path"], os.environ, flags)


def _ask(given: dict[str, Any]) -> None:
    """Whether to send. Who names the collector in a script has said so; nobody else has."""
    from probe.consent import agreement, words
    from probe.places import data_directory

    folder = data_directory()
    if given["yes"] or agreement.upload_recorded(folder):
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        if given["collector"]:
            return
        raise Problem("nobody has agreed to that: `zond upload --yes` does", NO_CONSENT)
    click.echo(words.sharing(), err=True)
    if not click.confirm("Do you agree, and send?", err=True):
        raise Problem("nothing was sent", NO_CONSENT)
    if click.confirm("And after each run from now on, without being asked?", err=True):
        try:
            agreement.record_upload(folder)
        except OSError as exc:
            raise Problem(f"the consent cannot be written down: {exc}", FAILED) from exc


def _forget(agreed: bool) -> None:
    from probe import places
    from probe.upload.identity import Identity

    click.echo(FORGETTING, err=True)
    if not agreed:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise Problem("nobody has agreed to that: --yes does", NO_CONSENT)
        if not click.confirm("Forget it?", err=True):
            raise Problem("nothing was forgotten", NO_CONSENT)
    there = Identity(places.identity()).forget()
    click.echo("forgotten" if there else "there was none", err=True)
