"""What an upload says to its user: what would leave, how far it is, and what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from probe.ending import DONE, FAILED, IN_PART

if TYPE_CHECKING:
    from probe.config import Config
    from probe.upload.ooni import Submitted
    from probe.upload.outbox import Outbox
    from probe.upload.sending import Sent

TROUBLES = 5  # kinds told of


def show(config: Config) -> None:
    """The plain lines of what waits, then of what would be made. Changes nothing."""
    from probe.formats import batch
    from probe.store import Store
    from probe.upload.outbox import Outbox
    from probe.upload.sending import scrubbing

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
        tell_of_bugs(outbox)
    click.echo(f"{count} documents would be sent; none was", err=True)
    if staying:
        click.echo(
            f"{staying} measurements stay here: of targets on no carried list (--personal"
            " would send them too)",
            err=True,
        )


def show_documents(config: Config, url: str) -> None:
    """As `show`, of what would go to the OONI collector at *url*."""
    from probe.exporting import Written
    from probe.upload.ooni import would_go
    from probe.upload.sending import scrubbing

    written, count = Written(), 0
    for data in would_go(config.database, url, scrubbing(config)[0], written):
        count += 1
        click.echo(data)
    click.echo(f"{count} documents would be sent; none was", err=True)
    tell_of_withheld(written.withheld)


def tell_of_withheld(count: int) -> None:
    """Measurements of targets that are the user's own."""
    if count:
        click.echo(f"{count} on no carried list stay here ([upload] personal)", err=True)


def tell_of_bugs(outbox: Outbox) -> None:
    """What stays because it could not be scrubbed."""
    for why in outbox.unscrubbed[:TROUBLES]:
        click.echo(f"a bug of ours, so that this one stays here: {why}", err=True)
    if outbox.unscrubbed:
        click.echo(f"{len(outbox.unscrubbed)} measurements could not be scrubbed", err=True)


def tell(sent: Sent, *, as_json: bool) -> None:
    """How an upload of batches went."""
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


def tell_of_documents(done: Submitted) -> int:
    """How an upload of OONI's documents went; the exit status."""
    for trouble, count in done.troubles.most_common(TROUBLES):
        click.echo(f"{count} x {trouble}", err=True)
    tell_of_withheld(done.withheld)
    click.echo(f"{done.accepted} accepted, {done.remaining} remain", err=True)
    if not done.troubles and not done.remaining:
        return DONE
    return IN_PART if done.accepted else FAILED


def status(sent: Sent) -> int:
    """The exit status of an upload."""
    if not sent.remaining:
        return DONE
    tried = bool(sent.troubles) and not sent.over_budget
    return FAILED if tried and not sent.delivered and not sent.carried else IN_PART


@contextmanager
def progress() -> Iterator[Callable[[Sent], None]]:
    """Something to be called after each attempt, which shows it on a terminal."""
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
