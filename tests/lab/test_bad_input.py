"""Whatever is wrong with what a run is given: a clear line, the right status, the rest done.

Each program here is the ordinary one, in a country with real packets. A traceback is
never an answer.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from analysis.verdict import verdicts as judged
from lab.resolvers import Name
from lab.sites import Article, Fixed, Hangup, Page, Port, Site, big, truncated
from lab.stage import CONTROLS, Setting, Stage, verdicts
from lab.trial import HURRY, try_country
from lab.world import Wire
from lab.worlds.plan import build
from lab.worlds.whole.line import captive_portal
from probe.evidence import ControlQuery
from probe.store import Store

pytestmark = pytest.mark.lab

WORLDS = (
    "plain_site", "http_only_site", "site_refuses", "name_does_not_exist",
    "tls_reset", "tcp_refused", "dns_injected", "http_blockpage_unlisted",
)  # fmt: skip
GOOD = f"https://{CONTROLS[0][1]}/"
JSON = (("Content-Type", "application/json"),)
ANSWER = b'{"tcp_connect": {}, "http_request": {"body_length": 12, "failure": null, "title": '


def _answering(body: bytes, status: int = 200) -> Page:
    return Fixed(body, status, JSON)


RUBBISH: dict[str, Port] = {
    "html": Article("a page in place of an answer"),
    "other-json": _answering(b'[{"url": 1}]'),
    "cut-json": _answering(ANSWER),
    "cut-body": truncated(_answering(ANSWER + b" " * 4000), 60),
    "error": _answering(b'{"error": "oh"}', 500),
    "endless": big(_answering(ANSWER + b'"'), 60_000_000),
    "closes": Hangup(after_first=True),
    "resets": Hangup(after_first=True, hard=True),
}


def _control_sites() -> Iterator[Site]:
    for number, (kind, port) in enumerate(RUBBISH.items()):
        yield Site(
            names=(f"{kind}.controls.example",), addresses=(f"51.38.77.{10 + number}",),
            http=None, https=port,
        )  # fmt: skip


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    sites = tuple(_control_sites())
    zone = tuple(Name(name=site.names[0], addresses=site.addresses) for site in sites)
    setting = Setting(config=HURRY, sites=sites, zone=zone)
    worlds = [build(name) for name in WORLDS]
    with Stage(worlds, tmp_path_factory.mktemp("bad"), setting) as stage:
        yield stage


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Nothing was ever measured here: no connection of before has anything left to say."""
    setting = Setting(controls=(False, False))
    with Stage([build("plain_site")], tmp_path_factory.mktemp("untouched"), setting) as stage:
        yield stage


def zond(
    stage: Stage, *arguments: str | Path, before: Sequence[str] = (), patience: float = 300.0
) -> Done:
    """``zond ARGUMENTS`` at home, to its end. No traceback, whatever happens."""
    process = stage.zond(
        *arguments, before=before, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    out, err = process.communicate(timeout=patience)
    assert "Traceback" not in err, err
    return Done(process.returncode, out, err)


def run(stage: Stage, db: Path, *arguments: str | Path, **more: Sequence[str]) -> Done:
    return zond(stage, "run", "--yes", "--no-upload", "--db", db, *arguments, **more)  # type: ignore[arg-type]


def one_url(stage: Stage) -> str:
    return f"--url={stage.worlds[0].url}"


# What to measure


def test_a_broken_line_costs_itself_alone(stage: Stage, tmp_path: Path) -> None:
    url = stage.worlds[0].url
    lines = [
        "url,category_code", "http:///nobody,NEWS", f"{url},NEWS", "https://[::1,NEWS",
        f"{stage.worlds[1].url},NOSUCH", "one column", f"{url},NEWS", '"https://a.by/,NEWS',
        "ftp://files.by/,NEWS",
    ]  # fmt: skip
    path = tmp_path / "mixed.csv"
    path.write_bytes("\n".join(lines).encode() + b"\nhttps://\xff.by/,NEWS\n\x00,\x00\n")
    done = run(stage, tmp_path / "z.db", "--list", path)
    assert 5 == done.status
    refused = [line for line in done.lines if line.startswith(f"{path}, line ")]
    numbers = [int(line.removeprefix(f"{path}, line ").partition(":")[0]) for line in refused]
    assert [2, 4, 5, 6, 7, 8, 9, 10, 11] == numbers
    with Store(tmp_path / "z.db") as store:
        assert [url] == [m.url for m in store.measurements()]
        assert len(numbers) == len(store.refused(store.runs()[0].id))


def test_a_url_without_a_host_is_refused_and_one_beside_it_measured(
    stage: Stage, tmp_path: Path
) -> None:
    alone = run(stage, tmp_path / "z.db", "--url", "http:///path")
    assert 2 == alone.status
    assert not (tmp_path / "z.db").exists()
    assert 2 == len(alone.lines)
    beside = run(stage, tmp_path / "z.db", "--url", "http:///path", one_url(stage))
    assert 5 == beside.status
    with Store(tmp_path / "z.db") as store:
        assert 1 == len(list(store.measurements()))


@pytest.mark.parametrize("content", [None, b"", b"\x00\xff" * 5000], ids=["none", "empty", "noise"])
def test_a_list_with_nothing_in_it_is_an_argument_that_is_wrong(
    stage: Stage, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "list.csv"
    if content is not None:
        path.write_bytes(content)
    done = run(stage, tmp_path / "z.db", "--list", path)
    assert 2 == done.status
    assert 1 <= len(done.lines) <= 2
    assert "list" in done.err or "nothing to measure" in done.err


def test_a_list_that_is_a_directory_is_told_in_one_line(stage: Stage, tmp_path: Path) -> None:
    done = run(stage, tmp_path / "z.db", "--list", tmp_path)
    assert (2, 1) == (done.status, len(done.lines))
    assert str(tmp_path) in done.err


# How to measure


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"concurency = 5\n", "concurency"),
        (b"[limits]\nper_adress = 1.0\n", "limits.per_adress"),
        (b"[limits]\nconcurrency = -1\n", "limits.concurrency"),
        (b"[[controls]]\nname = 'x'\nurl = 'gopher://x'\n", "controls"),
        (b"db = [\n", "not TOML"),
        (b"\xff\xfe\x00", "not TOML"),
    ],
    ids=["key", "key in a table", "value", "control", "no TOML", "no text"],
)
def test_a_wrong_setting_is_named_in_one_line(
    untouched: Stage, tmp_path: Path, text: bytes, named: str
) -> None:
    path = tmp_path / "zond.toml"
    path.write_bytes(text)
    done = run(untouched, tmp_path / "z.db", "--config", path, one_url(untouched))
    assert (2, 1) == (done.status, len(done.lines)), done.err
    assert named in done.err and str(path) in done.err
    assert 0 == untouched.country.counters()[Wire.LINE].packets_out


def test_no_consent_sends_no_packet(untouched: Stage, tmp_path: Path) -> None:
    done = zond(untouched, "run", "--db", tmp_path / "z.db", "--list", untouched.list_file)
    assert 4 == done.status
    assert 0 == untouched.country.counters()[Wire.LINE].packets_out
    assert not (tmp_path / "z.db").exists()


# Where to keep it


def _directory(path: Path) -> None:
    path.mkdir()


def _text(path: Path) -> None:
    path.write_text("Dear diary,\n" * 500)


def _noise_after_the_magic(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\x00" + bytes(range(256)) * 64)


def _of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE moz_places (url TEXT)")
    connection.close()


@pytest.mark.parametrize(
    "make", [_directory, _text, _noise_after_the_magic, _of_another_program],
    ids=lambda make: make.__name__.strip("_"),
)  # fmt: skip
@pytest.mark.parametrize("command", ["run", "verdicts"])
def test_what_is_no_database_of_ours_is_told_in_one_line_and_left_alone(
    stage: Stage, tmp_path: Path, make: object, command: str
) -> None:
    db = tmp_path / "z.db"
    assert callable(make)
    make(db)
    before = None if db.is_dir() else db.read_bytes()
    done = (
        run(stage, db, one_url(stage)) if command == "run" else zond(stage, "verdicts", "--db", db)
    )
    assert (1, 1) == (done.status, len(done.lines)), done.err
    assert str(db) in done.err
    assert before is None or before == db.read_bytes()


def in_a_mount(kind: str, folder: Path, keep: Path) -> list[str]:
    """The front of a command line: *folder* is a file system of *kind* for that command alone.

    What it held at the end is copied to *keep*.
    """
    script = (
        f'mount -t tmpfs -o {kind} none "{folder}" || exit 99; "$@"; status=$?;'
        f' cp -a "{folder}/." "{keep}/"; exit $status'
    )
    return ["sh", "-c", script, "sh"]


def test_a_directory_that_cannot_be_written_is_told_in_one_line(
    stage: Stage, tmp_path: Path
) -> None:
    folder, keep = tmp_path / "card", tmp_path / "kept"
    folder.mkdir()
    keep.mkdir()
    done = run(stage, folder / "z.db", one_url(stage), before=in_a_mount("ro", folder, keep))
    assert (1, 1) == (done.status, len(done.lines)), done.err
    assert str(folder) in done.err


def test_a_full_disk_ends_the_run_and_what_was_stored_stays(stage: Stage, tmp_path: Path) -> None:
    folder, keep = tmp_path / "card", tmp_path / "kept"
    folder.mkdir()
    keep.mkdir()
    done = run(
        stage, folder / "z.db", "--concurrency=1", "--json", "--list", stage.list_file,
        before=["env", "ZOND_BUDGET__RESERVE_BYTES=0", *in_a_mount("size=480k", folder, keep)],
    )  # fmt: skip
    assert 1 == done.status, done.err
    assert 1 == sum("disk is full" in line for line in done.lines), done.err
    said = len(done.out.splitlines())
    with Store(keep / "z.db") as store:
        assert said == len(list(store.measurements()))
    assert 0 < said < len(WORLDS)
    outcomes = [line["outcome"] for line in verdicts(keep / "z.db").values()]
    assert len(WORLDS) - said == outcomes.count("not_measured")

    # With room again it goes on where it was.
    shutil.copytree(keep, tmp_path / "bigger")
    again = run(stage, tmp_path / "bigger" / "z.db", "--resume", "--list", stage.list_file)
    assert 0 == again.status, again.err
    with Store(tmp_path / "bigger" / "z.db") as store:
        assert 1 == len(store.runs())
        assert len(WORLDS) == len(list(store.measurements()))


def test_a_file_that_may_not_grow_ends_the_run_in_one_line(stage: Stage, tmp_path: Path) -> None:
    db = tmp_path / "z.db"
    done = run(stage, db, "--list", stage.list_file, before=["prlimit", "--fsize=300000"])
    assert 1 == done.status, done.err
    assert 1 == sum(line.startswith("Error: ") for line in done.lines), done.err
    with Store(db) as store:
        assert "done" != store.runs()[-1].ended


def test_a_second_run_on_a_database_waits_for_nobody(stage: Stage, tmp_path: Path) -> None:
    db = tmp_path / "z.db"
    first = stage.start_run(db, "--concurrency=1")
    assert first.stderr is not None
    assert "to measure" in first.stderr.readline()
    first.send_signal(signal.SIGSTOP)  # it is not at its end before the second has begun
    try:
        second = run(stage, db, one_url(stage))
    finally:
        first.send_signal(signal.SIGCONT)
    assert (75, 1) == (second.status, len(second.lines))
    _, err = first.communicate()
    assert 0 == first.returncode, err
    with Store(db) as store:
        assert 1 == len(store.runs())


# Whom to ask


def test_rubbish_from_a_control_is_on_record_and_makes_no_verdict_stronger(
    stage: Stage, tmp_path: Path
) -> None:
    def start(name: str, *controls: str) -> subprocess.Popen[str]:
        asked = [f"--control={url}" for url in controls]
        return stage.start_run(tmp_path / f"{name}.db", *asked)

    running = {"": start("alone", GOOD)}
    for kind in RUBBISH:
        running[kind] = start(kind, GOOD, f"https://{kind}.controls.example/")
        if len(running) % 3 == 0:  # each is a whole program, and the machine may be small
            running[kind].wait(300)
    for kind, process in running.items():
        _, err = process.communicate(timeout=300)
        assert 0 == process.returncode, (kind, err)
        assert "Traceback" not in err, (kind, err)
    with Store(tmp_path / "alone.db") as store:
        alone = {verdict.url: verdict for verdict in judged(store, store.runs())}
    assert {"ok", "blocked"} <= {verdict.outcome for verdict in alone.values()}
    for kind in RUBBISH:
        with Store(tmp_path / f"{kind}.db") as store:
            found = judged(store, store.runs())
            queries = [
                e
                for m in store.measurements()
                for e in m.evidence
                if isinstance(e, ControlQuery) and e.control == "control-2"
            ]
        assert queries, kind
        assert all(query.failure is not None for query in queries), kind
        assert len(alone) == len(found), kind
        for verdict in found:
            before = alone[verdict.url]
            assert set(verdict.mechanisms) <= set(before.mechanisms), (kind, verdict, before)
            assert verdict.outcome in ("inconclusive", before.outcome), (kind, verdict, before)


# Where one is


def test_behind_a_captive_portal_nothing_is_measured(tmp_path: Path) -> None:
    trial = try_country(captive_portal(0), tmp_path)
    assert 3 == trial.status
    assert "captive portal" in trial.said and "Traceback" not in trial.said
    assert all(r.right for r in trial.results)
