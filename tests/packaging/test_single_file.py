"""The single file: the same bytes twice, signed, and at work where there is nothing but Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.censors import SNIReset, a_censor
from lab.resolvers import Name
from lab.sites import Article, Site
from lab.stage import Setting, Stage
from lab.trial import HURRY
from lab.world import Place, Wire, World
from lab.worlds.plan import truly

ROOT = Path(__file__).parents[2]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def build(out: Path, umask: int) -> Path:
    subprocess.run(
        [sys.executable, ROOT / "scripts/build-single-file", "--python", PYTHON, "--out", out],
        check=True, umask=umask,
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("one") / "zond.pyz", 0o022)


def started(single: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As on a machine without pip and without a network: no package of this one is seen."""
    nothing = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    alone = ["unshare", "--map-root-user", "--net", sys._base_executable]  # type: ignore[attr-defined]
    return subprocess.run(
        [*alone, "-I", str(single), *arguments], capture_output=True, text=True, env=nothing
    )


def test_the_same_commit_gives_the_same_bytes(single: Path, tmp_path: Path) -> None:
    again = build(tmp_path / "elsewhere.pyz", 0o077)
    assert single.read_bytes() == again.read_bytes()


def test_it_works_where_there_is_nothing_but_python(single: Path, tmp_path: Path) -> None:
    told = started(single, tmp_path, "--help")
    assert (0, "") == (told.returncode, told.stderr)
    assert "Find out what is blocked on this network" in told.stdout
    listed = started(single, tmp_path, "lists", "show", "by-panel-2026", "--json")
    assert 71 == len(listed.stdout.splitlines()), listed.stderr
    measured = started(single, tmp_path, "run", "--yes", "--url", "https://example.org/")
    assert 3 == measured.returncode, measured.stderr  # no network: and said, after all was loaded
    assert "no network" in measured.stderr
    assert (tmp_path / ".cache/zond").is_dir()


@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_a_schedule_starts_the_file_itself(mode: int, single: Path, tmp_path: Path) -> None:
    file = tmp_path / single.name
    file.write_bytes(single.read_bytes())
    file.chmod(mode)
    agreed = started(file, tmp_path, "consent", "--yes", "--networks", "any", "--tiers", "low")
    assert 0 == agreed.returncode, agreed.stderr
    shown = started(file, tmp_path, "schedule", "install", "--by", "cron", "--dry-run")
    [line] = [each for each in shown.stdout.splitlines() if "schedule now" in each]
    program = line.split(" * * * * ")[1].split(" schedule now")[0].split()
    assert str(file) == program[-1]
    assert all(Path(part).is_file() for part in program)


def test_what_it_has_not_is_said_in_one_line(single: Path, tmp_path: Path) -> None:
    told = started(single, tmp_path, "verdicts")
    assert 1 == told.returncode
    assert 1 == len(told.stderr.splitlines()), told.stderr


@pytest.mark.lab
def test_it_measures_as_an_installed_program_does(single: Path, tmp_path: Path) -> None:
    site = Site(names=("www.vesti.info",), addresses=("46.4.1.7",), https=Article("vesti"))
    censor = a_censor(SNIReset(names=site.names))
    world = World(
        name="vesti", url="https://www.vesti.info/", truth=truly("blocked", "tls.reset"),
        sites=(site,), zone=(Name(name="www.vesti.info", addresses=site.addresses),),
        censors={Wire.BORDER_1: (censor,), Wire.BORDER_2: (censor,)},
    )  # fmt: skip
    database = tmp_path / "zond.db"
    with Stage([world], tmp_path / "country", Setting(config=HURRY)) as stage:
        run = [
            sys._base_executable, "-I", single, "run", "--yes", "--no-upload", "--no-follow-up",  # type: ignore[attr-defined]
            "--url", world.url, "--db", database,
        ]  # fmt: skip
        assert 0 == stage.country.command(Place.HOME, run, env=stage.environment()).wait()
        [found] = stage.results(database)
    assert found.right, found


def test_no_folder_of_the_machine_it_was_built_on_is_in_it(single: Path, tmp_path: Path) -> None:
    started(single, tmp_path, "--help")
    places = {str(ROOT).encode(), sys.prefix.encode()}
    naming = [
        path.name
        for path in (tmp_path / ".cache/zond").rglob("*")
        if path.is_file() and any(place in path.read_bytes() for place in places)
        if path.suffix != ".pyc"
    ]
    assert [] == naming


def test_minisign_tells_it_from_one_that_was_changed(single: Path, tmp_path: Path) -> None:
    key, public = tmp_path / "secret.key", tmp_path / "public.key"
    subprocess.run(["minisign", "-G", "-W", "-s", key, "-p", public], check=True)
    subprocess.run(["minisign", "-S", "-s", key, "-m", single], check=True)
    verify = ["minisign", "-V", "-q", "-p", str(public), "-m"]
    assert 0 == subprocess.run([*verify, single]).returncode
    changed = tmp_path / single.name
    changed.write_bytes(single.read_bytes()[:-1] + b"x")
    os.link(f"{single}.minisig", f"{changed}.minisig")
    assert 0 != subprocess.run([*verify, changed]).returncode
