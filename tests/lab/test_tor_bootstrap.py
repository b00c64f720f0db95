"""The real client brought up in the lab by the ordinary probe, and what is left of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from lab.censors import AddressRefuse
from lab.clock import wrong_clock
from lab.middlebox import Middlebox
from lab.stage import DELAYS, Setting, Stage, verdicts
from lab.tor.network import TorNetwork
from lab.tor.plan import SMALL, by_kind
from lab.trial import HURRY
from lab.wire import WireSettings
from lab.world import Wire
from probe.budget import total
from probe.evidence import Bootstrap
from probe.failure import Failure
from probe.store import Store
from probe.tor.private_folder import PREFIX

BRIDGE = by_kind(SMALL, "bridge")[0]

pytestmark = pytest.mark.lab

SOON = {"ZOND_TOR__SECONDS": "25"}  # for a client that will not come up


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, TorNetwork]]:
    folder = tmp_path_factory.mktemp("stage")
    tor = f'\n[tor]\nseconds = 100.0\nnetwork = "{folder}/network"\nbridges = "{folder}/bridges"\n'
    refuse = Middlebox([AddressRefuse(addresses=tuple(d.address for d in SMALL))])
    line = WireSettings(
        delay=DELAYS[Wire.LINE], prepared={"relays": refuse}, capture=folder / "line.pcap"
    )
    setting = Setting(
        controls=(False, False),  # none could say anything of a bootstrap
        config=HURRY + tor, wires={Wire.LINE: line},
    )  # fmt: skip
    with (
        Stage((), folder, setting) as built,
        TorNetwork(built.country, folder / "tor") as network,
    ):
        (folder / "network").write_text(network.torrc)
        (folder / "bridges").write_text(f"{network.bridge_line(BRIDGE)}\n")
        yield built, network


def came_up(stage: Stage, db: Path, *ways: str, **popen: object) -> dict[str, Bootstrap]:
    stage.list_file.write_text("".join(f"tor://{way}\n" for way in ways))
    done = stage.run(db, **popen)
    assert 0 == done.returncode, done.stderr
    with Store(db) as store:
        measurements = list(store.measurements())
    found = {m.url: e for m in measurements for e in m.evidence if isinstance(e, Bootstrap)}
    assert sorted(found) == sorted(f"tor://{way}" for way in ways)
    return found


def outcomes(db: Path) -> dict[str, str]:
    return {url: verdict["outcome"] for url, verdict in verdicts(db).items()}


def clients(network: int) -> dict[int, Path]:
    """The clients that a probe has started in a network namespace, and their folders."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"/tor") and words[1:3] == [b"-f", b"-"]:
                if os.stat(entry / "ns/net").st_ino == network:
                    found[int(entry.name)] = (entry / "cwd").readlink()
        except OSError:
            continue  # no process, or one that has ended
    return found


def started(process: subprocess.Popen[str]) -> tuple[int, Path]:
    """The network that the run is in, and its client's folder, as soon as there is one."""
    while True:
        network = os.stat(f"/proc/{process.pid}/ns/net").st_ino  # it enters the lab's first
        for folder in clients(network).values():
            return network, folder
        time.sleep(0.01)


def test_tor_comes_up_with_and_without_a_bridge(
    stage: tuple[Stage, TorNetwork], tmp_path: Path
) -> None:
    db = tmp_path / "zond.db"
    found = came_up(stage[0], db, "vanilla", "obfs4", "webtunnel")
    with Store(db) as store:
        used = total(store.uses(), time.time())
    assert 50_000 < used.line  # a consensus and descriptors, twice
    for way in ("vanilla", "obfs4"):
        record = found[f"tor://{way}"]
        assert (None, 100) == (record.failure, record.progress)
        assert 0 < record.seconds < record.limit and record.tool.startswith("tor 0.")
    assert "absent" == found["tor://webtunnel"].stage
    assert {
        "tor://vanilla": "ok", "tor://obfs4": "ok", "tor://webtunnel": "not_measured"
    } == outcomes(db)  # fmt: skip


def test_a_bridge_is_nowhere_in_what_is_kept_or_said(
    stage: tuple[Stage, TorNetwork], tmp_path: Path
) -> None:
    db = tmp_path / "zond.db"
    built, network = stage
    built.list_file.write_text("tor://obfs4\n")
    done = built.run(db, "--json")
    line = network.bridge_line(BRIDGE).split()
    secrets = [BRIDGE.address, network.identity(BRIDGE).fingerprint, *line[3:]]
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    said = done.stdout.encode() + done.stderr.encode()
    sent = (built.folder / "line.pcap").read_bytes()
    for where in (kept, said, sent):
        assert [] == [secret for secret in secrets if secret.encode() in where]
    # It was really used: the line has packets to its address.
    assert ip_address(BRIDGE.address).packed in sent


def test_relays_that_refuse_are_told_by_stage_and_trouble_and_accuse_nobody(
    stage: tuple[Stage, TorNetwork], tmp_path: Path
) -> None:
    built, _ = stage
    db = tmp_path / "zond.db"
    built.country.switch(Wire.LINE, "relays")
    try:
        found = came_up(built, db, "vanilla", env=SOON)["tor://vanilla"]
    finally:
        built.country.switch(Wire.LINE, "relays", False)
    assert (Failure.TIMEOUT, "conn") == (found.failure, found.stage)
    assert {"CONNECTREFUSED"} == {*found.troubles}
    assert {"tor://vanilla": "inconclusive"} == outcomes(db)


def test_a_clock_that_is_off_by_a_day_is_our_own_fault(
    stage: tuple[Stage, TorNetwork], tmp_path: Path
) -> None:
    built, _ = stage
    built.list_file.write_text("tor://vanilla\n")
    db = tmp_path / "zond.db"
    process = built.start_run(db, before=wrong_clock("-2d"), env=SOON)
    _, said = process.communicate()
    with Store(db) as store:
        (record,) = (e for m in store.measurements() for e in m.evidence)
    assert isinstance(record, Bootstrap)
    assert record.failure is not None, said
    assert "CLOCK_SKEW" in record.troubles
    assert {"tor://vanilla": "local_fault"} == outcomes(db)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_leaves_no_client_and_no_folder(
    stage: tuple[Stage, TorNetwork], tmp_path: Path, number: signal.Signals
) -> None:
    built, _ = stage
    built.list_file.write_text("tor://obfs4\n")
    process = built.start_run(tmp_path / "zond.db")
    network, folder = started(process)
    process.send_signal(number)
    process.communicate()
    assert 128 + number == process.returncode
    assert {} == clients(network)
    assert folder.parent.name.startswith(PREFIX) and not folder.parent.exists()


def test_a_client_ends_by_itself_when_the_probe_is_killed(
    stage: tuple[Stage, TorNetwork], tmp_path: Path
) -> None:
    built, _ = stage
    built.list_file.write_text("tor://obfs4\n")
    process = built.start_run(tmp_path / "zond.db")
    network, folder = started(process)
    process.kill()
    process.communicate()
    end = time.monotonic() + 120  # it looks for us every 15 seconds
    while clients(network) and time.monotonic() < end:
        time.sleep(0.1)
    assert {} == clients(network)
    shutil.rmtree(folder.parent, ignore_errors=True)  # or another run has, a minute later
