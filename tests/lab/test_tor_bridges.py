"""A bridge that somebody was given, from its line to the verdict: only it hears of itself."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from lab.country import LabError
from lab.stage import DELAYS, Setting, Stage
from lab.trial import HURRY
from lab.wire import WireSettings
from lab.world import Place, Wire
from lab.worlds.plan import build

pytestmark = pytest.mark.lab

IP, PORT = "37.187.20.20", 29017
TORRC = f"""DataDirectory {{folder}}/data
SocksPort 0
ORPort {IP}:{PORT}
Address {IP}
Nickname secret
AssumeReachable 1
PublishServerDescriptor 0
BridgeRelay 1
Log notice file {{folder}}/log
DirAuthority d orport=443 v3ident={"1" * 40} 127.0.0.9:80 {"2" * 40}
"""
_HEADER, _RECORD = 24, 16  # bytes of a pcap's, and of each packet's


def fingerprint_of(folder: Path, process: subprocess.Popen[bytes]) -> str:
    """The bridge's, once it has made its keys, which it does after it listens."""
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        told = folder / "data" / "fingerprint"
        if told.exists() and "\n" in told.read_text():
            return told.read_text().split()[1]
        time.sleep(0.1)
    raise LabError("the bridge did not come up")


def packets(path: Path) -> Iterator[bytes]:
    """IP packets of a capture."""
    data, at = path.read_bytes(), _HEADER
    while at + _RECORD <= len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        yield data[at + _RECORD : at + _RECORD + size]
        at += _RECORD + size


def words(fingerprint: str) -> list[bytes]:
    raw = ip_address(IP).packed
    told = [IP.encode(), fingerprint.encode(), fingerprint.lower().encode(), f":{PORT}".encode()]
    told += [raw, raw.hex().encode(), bytes.fromhex(fingerprint), str(int(ip_address(IP))).encode()]
    return told + [base64.b64encode(word).rstrip(b"=")[:-1] for word in told if len(word) > 6]


def test_of_a_bridge_only_the_bridge_hears(tmp_path: Path) -> None:
    (tmp_path / "bridge").mkdir()
    (tmp_path / "bridge" / "torrc").write_text(TORRC.format(folder=tmp_path / "bridge"))
    line = WireSettings(delay=DELAYS[Wire.LINE], capture=tmp_path / "line.pcap")
    setting = Setting(wires={Wire.LINE: line}, config=HURRY, icmp_ratelimit=0)
    db, home = tmp_path / "zond.db", tmp_path / "home"
    with Stage([build("plain_site")], home, setting) as stage:
        argv = ["tor", "-f", str(tmp_path / "bridge" / "torrc"), "--defaults-torrc", "/dev/null"]
        # It ends with the country.
        bridge = stage.country.command(Place.ABROAD, argv, stdout=subprocess.DEVNULL)
        fingerprint = fingerprint_of(tmp_path / "bridge", bridge)
        added = stage.zond(
            "tor", "bridge", "add", "--channel", "email",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        said = "".join(added.communicate(f"{IP}:{PORT} {fingerprint}\n"))
        done = stage.run(db, "--list", "my-bridges", "--json")
    assert 0 == done.returncode, done.stderr
    name = said.split()[0]
    assert name.startswith("bridge-")
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert f"tor://{name}" in {verdict["url"] for verdict in verdicts}

    telling = words(fingerprint)
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("zond.db*"))
    assert name.encode() in stored
    assert b'"identity":"proved"' in stored
    kept = b"".join(
        file.read_bytes() for file in home.rglob("*") if file.is_file() and os.access(file, os.R_OK)
    )
    for where, content in (
        ("database", stored), ("screen", f"{said}{done.stdout}{done.stderr}".encode()),
        ("files at home", kept),
    ):  # fmt: skip
        assert [] == [word for word in telling if word in content], where
    raw = ip_address(IP).packed
    with_bridge = [p for p in packets(tmp_path / "line.pcap") if raw in (p[12:16], p[16:20])]
    others = [p for p in packets(tmp_path / "line.pcap") if raw not in (p[12:16], p[16:20])]
    assert len(with_bridge) > 10
    assert len(others) > 50
    # What an ICMP error quotes of a packet to the bridge would be found here as well.
    assert [] == [word for word in telling for packet in others if word in packet]
