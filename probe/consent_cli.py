"""``zond consent``: what was agreed to on this machine, and changing it.

Measuring and sharing are two questions; who answers one has not answered the other.
"""

from __future__ import annotations

import click

from probe.ending import Problem


@click.command()
@click.option("--upload/--no-upload", "upload", default=None, help="Share after each run, or not.")
def consent(upload: bool | None) -> None:
    """Show what was agreed to on this machine; change what happens after a run.

    Example: zond consent --no-upload
    """
    from probe import consent as agreed
    from probe.places import data_directory

    folder = data_directory()
    try:
        if upload is not None:
            click.echo(agreed.UPLOAD_TEXT if upload else "Nothing is sent by itself.", err=True)
            (agreed.record_upload if upload else agreed.withdraw_upload)(folder)
    except OSError as exc:
        raise Problem(f"{exc.filename or folder}: {exc.strerror or exc}") from exc
    click.echo(f"to measure: {'yes' if agreed.recorded(folder) else 'no'}")
    click.echo(f"to upload after each run: {'yes' if agreed.upload_recorded(folder) else 'no'}")
