"""The pictures of docs/report.md, and of every kind of chart and table, from made-up countries.

    python -m bench.report_pictures --lab FILE [--dir DIR]

FILE is a database of ``zond demo --db FILE``; the dataset is of simulated months (`lab.months`).
Needs the extras ``all``, ``test`` and ``bench``, and Chromium.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]
from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # as a script it stands beside what it is part of

from playwright.sync_api import Page  # noqa: E402

from analysis.dataset import manifest  # noqa: E402
from lab.months.simulate import Setting, simulate  # noqa: E402
from tests.report.browser import chromium  # noqa: E402

PICTURES = HERE.parent / "docs" / "report"
COLOURS = 96  # of a picture: the pages are quiet
ZOND = Path(sys.executable).with_name("zond")


def months(out: Path) -> Path:
    """A dataset of ninety simulated days, analysed."""
    name = "verdicts/date=2025-09-01/cc=BY/rows.parquet"
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    rows = simulate(Setting(days=90, targets=60), 2, use="tuning").table
    pq.write_table(rows, out / name, compression="zstd")
    files = manifest.Files(signature="pictures", files=(name,), rows=rows.num_rows)
    manifest.save(out, manifest.Manifest(verdicts={"date=2025-09-01/cc=BY": files}))
    subprocess.run([ZOND, "analyse", "--dataset", out, "--out", out, "--json"], check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    return out


def report(out: Path, *source: str | Path, lang: str = "en") -> Path:
    subprocess.run([ZOND, "report", *source, "--out", out, "--lang", lang], check=True)
    return out


def take(page: Page, name: str, at: str, height: int, width: int = 1000) -> None:
    """A picture of what begins at the element *at*."""
    page.set_viewport_size({"width": width, "height": height})
    for _drawn in range(2):  # what was out of view has its size once it is drawn
        page.evaluate("(at) => document.querySelector(at).scrollIntoView()", at)
        page.wait_for_timeout(500)
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(COLOURS).save(PICTURES / f"{name}.png", optimize=True)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--lab", type=Path, required=True)
    parser.add_argument("--dir", type=Path)
    given = parser.parse_args(arguments)
    folder = given.dir or Path(tempfile.mkdtemp(prefix="zond-pictures-"))
    folder.mkdir(parents=True, exist_ok=True)
    PICTURES.mkdir(exist_ok=True)
    run = report(folder / "run.html", "--db", given.lab)
    be = report(folder / "be.html", "--db", given.lab, lang="be")
    country = report(folder / "country.html", "--dataset", months(folder / "months"))
    with chromium() as browser:
        page = browser.new_page()
        page.goto(run.as_uri())
        take(page, "answer", "h1", 760)
        take(page, "path", "#where", 330)
        take(page, "regime", "#regime", 420)
        page.locator("details.site > summary", has_text="charter97.org").click()
        site = page.locator("details.site[open]")
        for part in ("The evidence", "looked at again"):
            site.locator("summary", has_text=part).first.click()
        take(page, "evidence", "details.site[open]", 700)
        page.locator(".came summary").first.click()
        take(page, "page", ".came", 520)
        page.goto(country.as_uri())
        take(page, "networks", "#sites", 760)
        take(page, "events", "#events", 900)
        take(page, "mechanisms", "#how", 560)
        page.goto(be.as_uri())
        take(page, "telephone", "h1", 740, width=360)
    size = sum(path.stat().st_size for path in PICTURES.glob("*.png"))
    print(f"{size / 1e3:.0f} kB in {PICTURES}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
