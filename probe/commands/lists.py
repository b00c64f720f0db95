"""``zond lists``: what there is to measure, whose it is, and changing it.

Exit statuses as everywhere (`probe.cli`): 0 done, 1 refused or in vain, 2 the arguments are
wrong, 5 done in part (lines of a file were left out).
"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from probe.commands.completion import list_names
from probe.ending import BAD_ARGUMENTS, IN_PART, Problem

if TYPE_CHECKING:
    from testlists import Book, Shelf, Target

WHOSE = {
    "carried": "came with zond",
    "release": "a signed release",
    "citizenlab": "imported; CC BY-NC-SA 4.0",
    "own": "yours; stays here",
}
SHOWN = 20  # changes of one kind told of by URL
_path = click.Path(path_type=Path, dir_okay=False)
_existing = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group()
def lists() -> None:
    """What is measured: show it, check it, renew it, add your own.

    Example: zond lists show by
    """


@lists.command()
@click.argument("name", required=False, shell_complete=list_names)
@click.option("--max-risk", type=click.Choice(["low", "medium", "high"]), help="Leave out riskier.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each.")
def show(name: str | None, max_risk: str | None, as_json: bool) -> None:
    """The lists that there are, or the targets of the list NAME.

    Example: zond lists show by --max-risk medium
    """
    shelf = _shelf()
    if name is None:
        rows = [_summary(_book(shelf, each)) for each in shelf.names()]
        _print(rows, ("name", "targets", "low", "medium", "high", "version", "whose"), as_json)
        return
    from testlists import select
    from testlists.parsing import records
    from testlists.risks import REASONS

    book = _book(shelf, name)
    reasons = {row["url"].strip(): row.get("risk_reason", "") for _, row in records(book.content)}
    chosen = select(book.targets()[0], max_risk=max_risk or "high")  # type: ignore[arg-type]
    rows = [
        {
            "url": t.url, "category": t.category, "risk": t.risk,
            "risk_reason": reasons.get(t.written or t.url, ""), "date_added": t.date_added,
            "source": t.source, "notes": t.notes, **dict(t.attributes),
        }
        for t in chosen
    ]  # fmt: skip
    _print(rows, ("url", "category", "risk", "risk_reason", "notes"), as_json)
    for reason in dict.fromkeys(row["risk_reason"] for row in rows):
        if not as_json and reason in REASONS:
            click.echo(f"{reason}: {REASONS[reason].meaning}", err=True)


@lists.command()
@click.argument("names", nargs=-1, metavar="[NAME|FILE]...", shell_complete=list_names)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each problem.")
def validate(names: tuple[str, ...], as_json: bool) -> None:
    """Check lists against the rules for lists that others will read. Without names: all of
    the project's.

    Example: zond lists validate my.csv
    """
    from testlists.lint import lint_together

    shelf = _shelf()
    given = names or tuple(n for n in shelf.names() if _book(shelf, n).public)
    contents = {name: _content(shelf, name) for name in given}
    found = lint_together(contents, datetime.now(UTC).date())
    bad = [(name, problem) for name, problems in found.items() for problem in problems]
    if as_json:
        _print([{"list": name, "line": p.line, "reason": p.reason} for name, p in bad], (), True)
    else:
        click.echo("".join(f"{name}, {problem}\n" for name, problem in bad), nl=False)
    click.echo(f"{len(contents)} lists, {len(bad)} problems", err=True)
    if bad:
        sys.exit(1)


@lists.command()
@click.argument("source", required=False, metavar="FILE|URL")
@click.option("--key", type=_existing, help="Who signed it, where it was not the project.")
@click.option("--go-back", is_flag=True, help="To the release before this one.")
def update(source: str | None, key: Path | None, go_back: bool) -> None:
    """Take newer lists of the project from a signed release; the signature is SOURCE.minisig.

    Nothing is fetched unless you name a URL, and then by the way that [upload] and proxy say.
    What changes is told. Lists that a release does not have stay as they are.

    Example: zond lists update zond-lists-2026-12-01.zip
    """
    from probe.lists_release import release_from
    from testlists.release import BadRelease
    from testlists.shelf import ShelfError, carried_key

    if go_back == bool(source):
        raise Problem("either the file or URL of a release, or --go-back", BAD_ARGUMENTS)
    shelf = _shelf()
    try:
        if go_back:
            click.echo(f"lists of {shelf.go_back()} are in use", err=True)
            return
        archive, signature = release_from(source or "")
        before = {name: _book(shelf, name) for name in shelf.names() if shelf.is_public_name(name)}
        release = shelf.install(archive, signature, key.read_text() if key else carried_key())
    except (BadRelease, ShelfError) as exc:
        raise Problem(f"{source}: {exc}" if source else str(exc)) from exc
    except (OSError, UnicodeError) as exc:
        raise Problem(f"{getattr(exc, 'filename', None) or source}: {exc}") from exc
    for name in release.lists:
        _tell_changes(before.get(name), _book(shelf, name))
    click.echo(f"lists of {release.version} are in use", err=True)


@lists.command()
@click.argument("name")
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--file", "file", type=_existing, help="A list file to take targets from.")
@click.option("--category", default="", help="Citizen Lab's code of what the sites are about.")
@click.option("--risk", type=click.Choice(["low", "medium", "high"]), help="If not medium.")
@click.option("--note", default="", help="Why you measure them.")
def add(name: str, urls: tuple[str, ...], file: Path | None, **said: str | None) -> None:
    """Add targets to a list of your own. It stays on this machine, and so does what is
    measured from it unless you decide otherwise ([upload] personal).

    Example: zond lists add mine https://example.org/ --note "asked for by a friend"
    """
    from testlists.own import NotAdded, grown
    from testlists.shelf import ShelfError

    if not urls and file is None:
        raise Problem("nothing to add: name URLs, or --file", BAD_ARGUMENTS)
    shelf = _shelf()
    try:
        old = shelf.book(name).content if name in shelf.names() else b""
        taken = file.read_bytes() if file else b""
        today = datetime.now(UTC).date()
        content, added, problems = grown(old, urls, taken, today, **said)  # type: ignore[arg-type]
        for problem in problems:
            click.echo(f"{file}, {problem}", err=True)
        path = shelf.keep("own", name, content)
    except (NotAdded, ShelfError) as exc:
        raise Problem(str(exc), BAD_ARGUMENTS) from exc
    except OSError as exc:
        raise Problem(f"{exc.filename or file}: {exc.strerror or exc}") from exc
    click.echo(f"{added} added to {name}, kept in {path}; measure it: zond run --list {name}")
    if problems:
        sys.exit(IN_PART)


@lists.command("import")
@click.argument("files", nargs=-1, required=True, type=_existing, metavar="FILE...")
def import_(files: tuple[Path, ...]) -> None:
    """Take in test lists of Citizen Lab's that you have, as citizenlab-NAME.

    They are licensed CC BY-NC-SA 4.0: not for commerce, and what is made from them only under
    the same terms. They are kept apart from ours, with the licence at their head.

    Example: zond lists import test-lists/lists/by.csv
    """
    from testlists.citizenlab import PREFIX, NotCitizenLab, converted, known_reasons
    from testlists.shelf import ShelfError

    shelf = _shelf()
    ours = [book.content for name in shelf.names() if (book := _book(shelf, name)).public]
    known, today = known_reasons(ours), datetime.now(UTC).date()
    left_out = 0
    for file in files:
        name = PREFIX + file.stem.lower()
        try:
            content, problems = converted(_limited(file), file.name, known, today)
            path = shelf.keep("citizenlab", name, content)
        except (NotCitizenLab, ShelfError) as exc:
            raise Problem(f"{file}: {exc}") from exc
        except OSError as exc:
            raise Problem(f"{exc.filename or file}: {exc.strerror or exc}") from exc
        for problem in problems:
            click.echo(f"{file}, {problem}", err=True)
        left_out += len(problems)
        targets = len(_book(shelf, name).targets()[0])
        click.echo(f"{targets} targets, kept in {path}; measure them: zond run --list {name}")
    if left_out:
        sys.exit(IN_PART)


@lists.command()
@click.argument("name", shell_complete=list_names)
def remove(name: str) -> None:
    """Remove a list that you added or imported.

    Example: zond lists remove mine
    """
    from testlists.shelf import ShelfError

    try:
        _shelf().remove(name)
    except KeyError as exc:
        raise Problem(str(exc.args[0]), BAD_ARGUMENTS) from exc
    except (ShelfError, OSError) as exc:
        raise Problem(str(exc)) from exc


def _shelf() -> Shelf:
    from probe.places import lists as directory
    from testlists import Shelf

    return Shelf(directory())


def _book(shelf: Shelf, name: str) -> Book:
    try:
        return shelf.book(name)
    except KeyError as exc:
        raise Problem(str(exc.args[0]), BAD_ARGUMENTS) from exc
    except OSError as exc:
        raise Problem(f"list {name}: {exc.strerror or exc}") from exc


def _content(shelf: Shelf, name: str) -> bytes:
    if name in shelf.names():
        return _book(shelf, name).content
    try:
        return _limited(Path(name))
    except OSError as exc:
        there = ", ".join(shelf.names())
        hint = f"{name}: {exc.strerror or exc}; lists that there are: {there}"
        raise Problem(hint, BAD_ARGUMENTS) from exc


def _limited(path: Path) -> bytes:
    from testlists.parsing import MAX_BYTES

    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Problem(f"{path}: larger than {MAX_BYTES // 2**20} MB, and no list")
    return content


def _summary(book: Book) -> dict[str, Any]:
    targets, problems = book.targets()
    risks = Counter(target.risk for target in targets)
    return {
        "name": book.name,
        "targets": len(targets),
        **{risk: risks[risk] for risk in ("low", "medium", "high")},
        "version": str(book.version or ""),
        "whose": WHOSE[book.kind],
        "unread_lines": len(problems),
    }


def _print(rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        import msgspec

        for row in rows:
            click.echo(msgspec.json.encode(row))
        return
    widths = {c: max(len(c), *(len(str(row[c])) for row in rows), 0) for c in columns}
    for row in [dict(zip(columns, columns, strict=True)), *rows]:
        cells = [f"{row[c]!s:<{widths[c]}}" for c in columns]
        click.echo("  ".join(cells).rstrip())


def _tell_changes(before: Book | None, after: Book) -> None:
    """What a release changes, before it is measured: new targets are asked for from here."""
    old = {t.url: t for t in before.targets()[0]} if before else {}
    new = {t.url: t for t in after.targets()[0]}
    changed: dict[str, list[Target]] = {
        "new": [t for url, t in new.items() if url not in old],
        "gone": [t for url, t in old.items() if url not in new],
        "of another risk": [t for url, t in new.items() if url in old and old[url].risk != t.risk],
    }
    for how, targets in changed.items():
        if targets:
            click.echo(f"{after.name}: {len(targets)} {how}")
        for target in targets[:SHOWN]:
            click.echo(f"  {target.url} ({target.risk} risk)")
        if len(targets) > SHOWN:
            click.echo(f"  and {len(targets) - SHOWN} more: zond lists show {after.name}")
