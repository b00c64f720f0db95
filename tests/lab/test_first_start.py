"""A volunteer's first start in a country: nothing leaves before the last answer."""

from __future__ import annotations

import os
import pty
import select
from codecs import getincrementaldecoder
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.stage import Setting, Stage
from lab.trial import HURRY
from lab.world import Wire
from lab.worlds.plan import build
from probe.consent import agreement
from probe.store import Store

pytestmark = pytest.mark.lab

PATIENCE = 120.0  # seconds
HERE = "Што рабіць?"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    worlds = [build("plain_site"), build("tls_reset")]
    with Stage(worlds, tmp_path_factory.mktemp("first"), Setting(config=HURRY)) as stage:
        yield stage


def test_a_first_start_from_the_questions_to_the_verdicts(stage: Stage, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = stage.zond(
        "run", "--list", stage.list_file, "--db", tmp_path / "z.db", "--no-follow-up",
        stdin=theirs, stdout=theirs, stderr=theirs, env={"ZOND_LANG": "be", "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    said, decoder = "", getincrementaldecoder("utf-8")()

    def read() -> str:
        text = ""
        while not text:  # what came may be half a letter
            ready, _, _ = select.select([ours], [], [], PATIENCE)
            assert ready, said
            try:
                text = decoder.decode(os.read(ours, 65536))
            except OSError:
                break  # nobody writes there any more
        return text

    # Agreed; low and medium risk, not high; straight; not shared.
    os.write(ours, "так\nт\nт\nн\n1\nн\n".encode())
    while HERE not in said:
        more = read()
        assert more, said
        said += more
    assert 0 == stage.country.counters()[Wire.LINE].packets_out
    os.write(ours, b"2\n")  # this time
    while more := read():
        said += more
    os.close(ours)
    assert 0 == process.wait(PATIENCE), said
    assert "вымерана: 2" in said and "адрозніваецца" in said
    with Store(tmp_path / "z.db") as store:
        assert {world.url for world in stage.worlds} == {m.url for m in store.measurements()}
    folder = stage.folder / ".local/share/zond"
    assert ("low", "medium") == agreement.tiers(folder)
    assert not agreement.upload_recorded(folder)
    unattended = stage.zond("run", "--list", stage.list_file, "--db", tmp_path / "z.db", stdin=-3)
    assert 4 == unattended.wait(PATIENCE)  # "this time" was for that time
