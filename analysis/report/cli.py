"""``zond report``: what was found, as a page that opens in any browser, from disk."""

from __future__ import annotations

from pathlib import Path

import click

from analysis.ending import explained
from analysis.report.gather import gather
from analysis.report.sharing import for_sharing as coarser
from analysis.report.tell import Teller
from analysis.report.words import Words
from analysis.report.writing import Writer, take
from probe.i18n import language, language_option
from probe.places import database

COUNTRY = "belarus"


@click.command()
@language_option
@click.option(
    "--db", default=None, envvar="ZOND_DB", metavar="FILE", type=click.Path(path_type=Path),
    help="The database that 'zond run' wrote, by default where it writes by default; beside"
    " --dataset, where the evidence is.",
)
@click.option(
    "--dataset", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A dataset that 'zond analyse' or 'zond dataset build' wrote.",
)
@click.option(
    "--out", required=True, metavar="FILE.html|DIR", type=click.Path(path_type=Path),
    help="Where to write it: one file, or a folder.",
)
@click.option(
    "--for-sharing", is_flag=True,
    help="Say less of who measured: days in place of times, no evidence, no addresses.",
)
@click.option(
    "--country", default=COUNTRY, show_default=True, metavar="NAME|DIR",
    help="Whose regime: one that comes with zond, or a folder of data.",
)
def report(
    db: Path | None, dataset: Path | None, out: Path, for_sharing: bool, country: str
) -> None:
    """Write what was found as an HTML report: what is blocked here, since when, how sure.

    Example: zond report --out report.html --lang be
    """
    if dataset is None:
        db = db or database()
        if not db.exists():
            raise click.BadParameter(f"there is no file {db}", param_hint="--db")
    words = Words(language(), days_only=for_sharing)
    with explained():
        first, folder = _places(out, dataset is not None)
        if folder is not None:
            take(folder)
        facts = gather(db, dataset, Path(country) if Path(country).is_dir() else country)
        if for_sharing:
            facts = coarser(facts)
        written = Writer(facts, Teller(words, facts.regime, facts.events), first, folder).write()
    if folder is not None:
        click.echo(f"{len(written) - 1} pages in {folder}", err=True)
    click.echo(first)


def _places(out: Path, of_dataset: bool) -> tuple[Path, Path | None]:
    """The first page, and the folder of the pages behind it, where there are to be some."""
    if out.suffix.lower() not in (".html", ".htm") or out.is_dir():
        return out / "index.html", out / "pages"
    if not out.parent.is_dir():
        raise click.BadParameter(f"there is no folder {out.parent}", param_hint="--out")
    return out, out.with_name(f"{out.stem}_pages") if of_dataset else None
