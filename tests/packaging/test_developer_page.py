"""The examples for who adds to zond: written as the page says, run, and compared."""

from __future__ import annotations

import sqlite3
import sys
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from lab.resolvers import Name
from lab.sites import Article, Site
from lab.stage import Stage
from lab.world import Place, World
from lab.worlds.plan import truly
from tests.packaging.worked import blocks, printed, written

PAGE = "developer.md"
PROGRAMS = [
    (one.name, two.text)
    for one, two in pairwise(blocks(PAGE))
    if (one.kind, two.kind) == ("run", "prints")
]
# The nettest lies in a folder of its own: a file in probe/nettests/ would be everybody's.
START = """
import sys
import probe.nettests
from probe.cli import main
probe.nettests.__path__.append({folder!r})
sys.argv[0] = "zond"
main()
"""


@pytest.mark.parametrize(("program", "said"), PROGRAMS, ids=[name for name, _ in PROGRAMS])
def test_a_program_prints_what_the_page_says(program: str, said: str, tmp_path: Path) -> None:
    written(PAGE, tmp_path)
    assert said == printed(program, tmp_path)


def test_there_are_programs() -> None:
    assert {"rule.py", "hypothesis.py"} == {name for name, _ in PROGRAMS}


@pytest.mark.lab
def test_the_nettest_sees_what_the_page_says(tmp_path: Path) -> None:
    written(PAGE, tmp_path)
    start = tmp_path / "start.py"
    start.write_text(START.format(folder=str(tmp_path / "nettests")))
    site = Site(names=("www.vesti.info",), addresses=("46.4.1.7",), https=Article("vesti"))
    world = World(
        name="vesti", url="https://www.vesti.info/", truth=truly("ok"), sites=(site,),
        zone=(Name(name="www.vesti.info", addresses=site.addresses),),
    )  # fmt: skip
    database = tmp_path / "zond.db"
    with Stage([world], tmp_path / "country") as stage:
        process = stage.country.command(
            Place.HOME,
            [
                sys.executable, start, "run", "--yes", "--no-upload", "--no-follow-up",
                "--nettest", "ports", "--url", world.url, "--db", database,
            ],
            env=stage.environment(),
        )  # fmt: skip
        assert 0 == process.wait()
    connection = sqlite3.connect(database)
    rows = connection.execute("SELECT kind, record FROM evidence ORDER BY seq").fetchall()
    connection.close()
    [expected] = [block.text for block in blocks(PAGE) if block.kind == "output of"]
    assert expected == "".join(
        f"{kind} {fact.get('port') or fact['hostname']}\n"
        for kind, fact in ((kind, msgspec.json.decode(record)) for kind, record in rows)
    )
