"""`zond doctor` on the machine itself: with each fault the line about it turns.

What only packets can tell is tried in tests/lab/test_doctor.py.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import minisign
import pytest
from click.testing import CliRunner, Result

from lab.clock import wrong_clock
from probe import places
from probe.cli import zond
from probe.config import Budget, Config, Upload
from probe.consent import agreement, networks
from probe.doctor import machine, stored
from probe.doctor.finding import Finding, fault, ok, status, together, unknown, warning
from probe.evidence import Measurement
from probe.extras import install
from probe.schedule import diary
from probe.schedule.plan import Installed, Plan
from probe.store import Store
from probe.surroundings.way_out import WayOut
from probe.upload.outbox import Outbox
from testlists import Shelf
from testlists.release import Version, comment, make
from testlists.shelf import carried_version
from tests.probe.uploading import a_run

ROOT = Path(__file__).parents[2]
ZOND = Path(sys.executable).with_name("zond")
TODAY = carried_version().day
DAY = 86400.0


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def folder() -> Path:
    return places.data_directory()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(db=str(tmp_path / "db" / "zond.db"))


def filled(config: Config, at: float | None = None) -> Config:
    """With a run of one measurement in its database."""
    with Store(config.database, write=True) as store:
        run = a_run("a0" * 16, started_at=at or time.time())
        store.begin_run(run, [])
        store.append([
            Measurement(
                id="ab" * 16, run_id=run.id, nettest="web_connectivity", nettest_version="0.1.0",
                url="https://charter97.org/", started_at=run.started_at,
            )
        ])  # fmt: skip
    return config


def local(
    *before: str, arguments: Sequence[str] = ("--local",), **environment: str
) -> dict[str, dict[str, Any]]:
    """The local part, as a program of its own after *before*."""
    done = subprocess.run(
        [*before, ZOND, "doctor", "--json", *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return {line["about"]: line for line in map(json.loads, done.stdout.splitlines())}


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(zond, ["doctor", *arguments])


# What was agreed to


def test_who_has_not_agreed_is_told_what_to_do(folder: Path) -> None:
    finding = machine.agreed(folder)
    assert ("fault", True, "zond consent ask") == (finding.state, finding.stops, finding.do)
    agreement.record(folder, ("low",))
    finding = machine.agreed(folder)
    assert ("ok", "targets of low risk; what is measured is not shared") == (
        finding.state, finding.seen,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("here", "state"),
    [
        (networks.Here((), "no_route"), "fault"),
        (networks.Here((frozenset({b"\xb8\x27\xeb\0\0\2"}),), ""), "warning"),
        (networks.Here((), "no_router"), "warning"),
        (networks.Here((frozenset({b"\xb8\x27\xeb\0\0\1"}),), ""), "ok"),
    ],
    ids=["none", "another", "one that cannot be told", "the approved"],
)
def test_a_network_that_nobody_approved_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, here: networks.Here, state: str
) -> None:
    approved = networks.Networks(folder)
    approved.approve(networks.Here((frozenset({b"\xb8\x27\xeb\0\0\1"}),), ""))
    monkeypatch.setattr(networks, "here", lambda: here)
    assert state == machine.network(folder).state


@pytest.mark.parametrize(
    ("way", "state"),
    [(WayOut("tun0", "tunnel"), "warning"), (WayOut("eth0", "plain"), "ok"), (WayOut(), "unknown")],
)
def test_a_tunnel_is_told_without_a_packet(
    monkeypatch: pytest.MonkeyPatch, way: WayOut, state: str
) -> None:
    monkeypatch.setattr(machine, "way_out", lambda: way)
    finding = machine.vpn()
    assert (state, True) == (finding.state, way.name in finding.seen)


# What is installed


def test_a_clock_before_this_program_was_written_is_a_fault() -> None:
    found = local(*wrong_clock("@2001-01-01 00:00:00"), TZ="UTC")["clock"]
    assert ("fault", "it is not 2001-01-01: this program is younger") == (
        found["state"], found["seen"],
    )  # fmt: skip
    assert "unknown" == machine.clock(time.time()).state


def test_who_may_not_capture_is_told_that_it_is_not_needed() -> None:
    powerless = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
    found = local(*(powerless if os.geteuid() == 0 else ()))["privileges"]
    assert ("warning", True) == (found["state"], found["do"].startswith("not needed"))


def test_too_few_open_files_are_a_warning() -> None:
    found = local("prlimit", "--nofile=200:200")
    assert "only 200 files may be open at once" == found["open files"]["seen"]
    assert "open files" not in local("prlimit", "--nofile=4096:4096")


@pytest.mark.parametrize("name", machine.EXTRAS)
def test_what_is_not_installed_is_named_with_how(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert "ok" == machine.extras().state
    monkeypatch.setitem(sys.modules, name, None)
    finding = machine.extras()
    assert ("warning", install(machine.EXTRAS[name])) == (
        finding.state, finding.do,
    )  # fmt: skip


# What is stored


def on_a_disk(options: str, tmp_path: Path) -> dict[str, Any]:
    """The line about the disk where the database is on one of its own."""
    mount = f"mount -t tmpfs -o {options} none {tmp_path} && exec \"$@\""
    powers = () if os.geteuid() == 0 else ("--map-root-user",)
    found = local(
        "unshare", "--mount", *powers, "sh", "-c", mount, "sh", ZOND_DB=str(tmp_path / "zond.db")
    )
    return found["disk"]


def test_a_full_disk_is_a_fault(tmp_path: Path) -> None:
    found = on_a_disk("size=1m", tmp_path)
    assert ("fault", True) == (found["state"], found["stops"])
    assert "warning" == on_a_disk("size=300m", tmp_path)["state"]
    assert "ok" == on_a_disk("size=2g", tmp_path)["state"]


def test_a_disk_that_cannot_be_written_to_is_a_fault(tmp_path: Path) -> None:
    found = on_a_disk("ro", tmp_path)
    assert ("fault", f"{tmp_path} cannot be written to") == (found["state"], found["seen"])


def test_a_bound_that_the_user_set_counts_as_the_disk_s_end(config: Config) -> None:
    bounded = Config(db=config.db, budget=Budget(reserve_bytes=2**62))
    assert "fault" == machine.disk(bounded).state


def test_a_database_is_told_of(config: Config) -> None:
    assert "there is none yet: the first run makes it" == stored.database(config).seen
    finding = stored.database(filled(config))
    assert ("ok", True) == (finding.state, finding.seen.startswith("runs: 1, the last on 20"))


def overwrite(path: Path) -> None:
    """In the middle, where tables are."""
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 8192))


def truncate(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 400)


def of_another(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()


@pytest.mark.parametrize("damage", [overwrite, truncate, of_another])
def test_a_database_that_cannot_be_used_is_a_fault(
    config: Config, damage: Callable[[Path], None]
) -> None:
    filled(config)
    damage(config.database)
    assert "fault" == stored.database(config).state


def test_a_database_that_others_can_read_is_a_warning(config: Config) -> None:
    filled(config).database.chmod(0o644)
    finding = stored.database(config)
    assert ("warning", f"chmod 600 {config.database}") == (finding.state, finding.do)


def test_an_encrypted_database_is_looked_at_with_its_passphrase(config: Config) -> None:
    filled(config)
    encrypt = [str(ZOND), "encrypt", "--db", str(config.database)]
    environment = {**os.environ, "ZOND_PASSPHRASE": "a blue horse"}
    subprocess.run(encrypt, check=True, capture_output=True, env=environment)
    opened = local(ZOND_DB=str(config.database), ZOND_PASSPHRASE="a blue horse")["database"]
    assert ("ok", "runs: 1,") == (opened["state"], opened["seen"][:8])
    shut = local(ZOND_DB=str(config.database), ZOND_PASSPHRASE="another")["database"]
    assert ("fault", True) == (shut["state"], "give its passphrase" in shut["do"])


def test_a_run_that_goes_on_does_not_hinder(config: Config) -> None:
    with Store(config.database, write=True) as store:
        store.begin_run(a_run("a0" * 16), [])
        assert "ok" == stored.database(config).state


# What is old


def test_old_lists_are_a_warning(folder: Path) -> None:
    assert "ok" == stored.lists(folder, TODAY).state
    later = TODAY + timedelta(days=stored.OLD_LISTS + 1)
    assert "warning" == stored.lists(folder, later).state


def test_a_list_of_ones_own_with_a_bad_line_is_a_warning(folder: Path) -> None:
    Shelf(folder).keep("own", "mine", b"https://a.example.com/\nnonsense\n")
    assert "mine, line 2: no http:// or https:// URL" == stored.lists(folder, TODAY).seen


def test_a_damaged_release_is_a_warning(folder: Path) -> None:
    keys, version = minisign.KeyPair.generate(), Version(date(2099, 1, 1))
    archive = make({"by": b"https://a.example.com/\n"}, version)
    signature = bytes(keys.secret_key.sign(archive, trusted_comment=comment(version)))
    Shelf(folder).install(archive, signature, bytes(keys.public_key).decode())
    assert "of 2099-01-01" in stored.lists(folder, version.day).seen
    (folder / "releases" / "2099-01-01" / "lists.zip").write_bytes(archive[:-9])
    finding = stored.lists(folder, TODAY)
    assert ("warning", True) == (finding.state, "2099-01-01 is damaged" in finding.seen)


def test_an_old_address_table_is_a_warning_and_a_broken_one_a_fault(tmp_path: Path) -> None:
    assert "ok" == stored.addresses(Config(), TODAY).state
    later = TODAY + timedelta(days=stored.OLD_TABLE)
    assert "warning" == stored.addresses(Config(), later).state
    (tmp_path / "asn.mmdb").write_bytes(b"no table")
    broken = Config(asn_database=str(tmp_path / "asn.mmdb"))
    assert "fault" == stored.addresses(broken, TODAY).state


# What runs by itself, and what is to leave


def scheduled(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, trouble: str = "", every: int = 1
) -> None:
    plan = Plan(program=("zond",), folder=str(folder), every=every)
    found = [Installed(by="cron", plan=plan, trouble=trouble)]
    monkeypatch.setattr("probe.schedule.standing.installed", lambda: found)


def test_a_schedule_that_works_is_ok(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agreement.record(folder)
    scheduled(monkeypatch, folder)
    diary.note(folder, "began")
    assert "ok" == stored.schedule(folder).state


def test_a_schedule_without_consent_is_a_fault(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled(monkeypatch, folder)
    assert "fault" == stored.schedule(folder).state


def test_a_schedule_that_is_broken_or_does_not_run_is_a_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreement.record(folder)
    scheduled(monkeypatch, folder, trouble="the timer is not enabled")
    assert "the timer is not enabled" in stored.schedule(folder).seen
    scheduled(monkeypatch, folder)
    diary.note(folder, "began", at=time.time() - 2 * DAY)
    assert ("warning", True) == (
        (finding := stored.schedule(folder)).state, "the last turn was on" in finding.seen,
    )  # fmt: skip
    for _ in range(stored.MISSED):
        diary.note(folder, "left out", "the battery is low")
    seen = stored.schedule(folder).seen
    assert "the last turns measured nothing: left out: the battery is low" == seen


def test_sharing_without_a_collector_is_a_fault(config: Config, folder: Path) -> None:
    assert "ok" == stored.sharing(config, folder).state
    agreement.record_upload(folder)
    assert "fault" == stored.sharing(config, folder).state


def test_a_backlog_is_a_warning_when_it_is_old(config: Config, folder: Path) -> None:
    agreement.record_upload(folder)
    config = Config(db=config.db, upload=Upload(collector="https://collector.example/"))
    assert "nothing is waiting" == stored.sharing(config, folder).seen
    filled(config)
    assert ("ok", "delivered: 0 batches; waiting: 0; measurements in none: 1") == (
        (finding := stored.sharing(config, folder)).state, finding.seen,
    )  # fmt: skip
    config.database.unlink()
    filled(config, at=time.time() - (stored.OLD_BACKLOG + 1) * DAY)
    finding = stored.sharing(config, folder)
    assert ("warning", "zond upload") == (finding.state, finding.do)


def test_batches_that_were_refused_too_often_are_a_warning(
    config: Config, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from probe.upload.sending import make_batches

    agreement.record_upload(folder)
    config = Config(db=config.db, upload=Upload(collector="https://collector.example/"))
    filled(config)
    with Store(config.database) as store, Outbox(config.database, write=True) as outbox:
        make_batches(store, outbox, config, all_runs=True)
        (batch,) = outbox.waiting()
        while not outbox.refused(batch.sha256, "direct", "status 400"):
            pass
    finding = stored.sharing(config, folder)
    assert ("warning", "batches that were refused too often: 1") == (finding.state, finding.seen)


# The command


def test_settings_that_cannot_be_read_keep_everything_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy in them would not be known: then nothing is sent, also with --yes."""
    monkeypatch.setattr("probe.doctor.line.look", None)  # who calls it fails
    (tmp_path / "zond.toml").write_text('porxy = "socks5h://127.0.0.1:9050"\n')
    result = typed("--yes", "--config", str(tmp_path / "zond.toml"))
    assert 3 == result.exit_code
    assert "FAULT      settings" in result.stdout and "unknown key 'porxy'" in result.stdout


@pytest.mark.parametrize(("language", "said"), [("be", "ЗБОЙ"), ("ru", "СБОЙ")])
def test_it_speaks_the_user_s_language(language: str, said: str) -> None:
    result = typed("--local", "--lang", language)
    assert said in result.stdout
    english = re.compile("[a-z]{2,} [a-z]{2,} [a-z]{2,}")
    found = english.findall(result.stdout + result.stderr)
    assert [] == [words for words in found if not words.startswith("zond ")]  # commands


def test_what_would_be_sent_is_said_and_by_which_way() -> None:
    result = typed("--local", "--control", "https://c.example/", "--proxy", "socks5h://127.0.0.1:9")
    assert "https://c.example/: one request each, by: socks5h://127.0.0.1:9" in result.stderr
    assert "www.debian.org: a connection to port 443" in result.stderr


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([ok("dns", ""), warning("ipv6", "", ""), unknown("clock", "")], 0),
        ([ok("dns", ""), fault("dns", "", "")], 1),
        ([fault("consent", "", "", stops=True), fault("dns", "", "")], 4),
        ([fault("consent", "", "", stops=True), fault("line", "", "", stops=True)], 3),
        ([fault("portal", "", "", stops=True)], 3),
    ],
)
def test_the_status_is_that_of_the_worst(findings: list[Finding], expected: int) -> None:
    assert expected == status(findings)


def test_what_the_line_showed_takes_the_place_of_what_the_machine_thought() -> None:
    machine = [unknown("clock", "?"), ok("disk", "")]
    assert [ok("clock", "!"), ok("disk", ""), ok("dns", "")] == together(
        machine, [ok("clock", "!"), ok("dns", "")]
    )


def test_every_line_that_is_not_ok_says_what_to_do(folder: Path) -> None:
    lines = [json.loads(line) for line in typed("--local", "--json").stdout.splitlines()]
    assert len(lines) > 10
    assert all(line["do"] for line in lines if line["state"] in ("warning", "fault"))


def test_the_page_has_every_line_and_no_other() -> None:
    files = [ROOT / "probe/commands/doctor.py", *(ROOT / "probe/doctor").glob("*.py")]
    code = "".join(path.read_text() for path in files)
    said = set(re.findall(r"\b(?:ok|warning|fault|unknown)\(\s*\"([a-z ]+)\"", code))
    page = (ROOT / "docs" / "doctor.md").read_text().partition("## The lines")[2]
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert said | {"ipv4", "ipv6"} == {name for row in rows for name in re.findall("`(.+?)`", row)}
