"""Packets leave in a file that tcpdump reads, whole or not at all."""

from __future__ import annotations

import shutil
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from probe.evidence import AnyEvidence, Measurement, PacketCapture, PacketFacts, Run, TCPConnect
from probe.formats.pcap import LINKTYPE_RAW
from probe.store import Store

ZOND = "from probe.cli import main; main()"
SITE = "93.184.215.14"
SYN = bytes(IP(src="0.0.0.0", dst=SITE, ttl=64) / TCP(sport=43100, dport=443, flags="S"))
HELLO = bytes(
    IP(src="0.0.0.0", dst=SITE) / TCP(sport=43100, dport=443, flags="PA") / (b"h" * 1000)
)
RESET = bytes(IP(src=SITE, dst="0.0.0.0", ttl=58) / TCP(sport=443, dport=43100, flags="R"))
RESET_6 = bytes(IPv6(src="2001:db8::1", dst="::") / TCP(sport=443, dport=43100, flags="R"))


def capture(*packets: tuple[float, bytes]) -> PacketCapture:
    facts = tuple(PacketFacts(t=t) for t, _ in packets)
    return PacketCapture(ip=SITE, packets=facts, raw=tuple(raw for _, raw in packets))


def measured(path: Path, *follow_ups: tuple[AnyEvidence, ...]) -> Path:
    """A database with a plain measurement and *follow_ups* of it."""
    with Store(path, write=True) as store:
        store.begin_run(Run(id="r", started_at=1.0), [])
        plain = Measurement(
            id="plain", run_id="r", nettest="web_connectivity", nettest_version="1",
            url="https://news.example/", evidence=(TCPConnect(ip=SITE, port=443),),
        )  # fmt: skip
        store.append([plain])
        for number, evidence in enumerate(follow_ups):
            store.append(
                [
                    Measurement(
                        id=f"f{number}", run_id="r", nettest="diagnosis", nettest_version="1",
                        url=plain.url, about=plain.id, started_at=1000.0 * (number + 1),
                        evidence=evidence,
                    )
                ]
            )  # fmt: skip
    return path


def export(db: Path, out: Path | str, form: str = "pcap") -> subprocess.CompletedProcess[bytes]:
    arguments = ("export", "--db", db, "--format", form, "--out", out)
    return subprocess.run(
        [sys.executable, "-c", ZOND, *map(str, arguments)], capture_output=True, check=False
    )


def records(file: bytes) -> list[tuple[float, int, bytes]]:
    """Time, length on the wire and bytes of each packet in a pcap file."""
    assert (0xA1B2C3D4, 2, 4, LINKTYPE_RAW) == struct.unpack("<IHH12xI", file[:24])
    found, at = [], 24
    while at < len(file):
        seconds, microseconds, kept, whole = struct.unpack("<IIII", file[at : at + 16])
        found.append((seconds + microseconds / 1e6, whole, file[at + 16 : at + 16 + kept]))
        at += 16 + kept
    return found


def test_packets_of_all_follow_ups_with_their_calendar_time(tmp_path: Path) -> None:
    db = measured(
        tmp_path / "zond.db",
        (capture((0.5, HELLO[:200]), (0.25, SYN)), TCPConnect(ip=SITE, port=443)),
        (capture((0.125, RESET), (0.25, RESET_6)),),
    )
    done = export(db, tmp_path / "p.pcap")
    assert (0, b"") == (done.returncode, done.stdout), done.stderr
    assert b"4 packets" in done.stderr
    assert [
        (1000.25, len(SYN), SYN), (1000.5, len(HELLO), HELLO[:200]),
        (2000.125, len(RESET), RESET), (2000.25, len(RESET_6), RESET_6),
    ] == records((tmp_path / "p.pcap").read_bytes())  # fmt: skip


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump")
def test_tcpdump_reads_it(tmp_path: Path) -> None:
    packets = capture((0.1, SYN), (0.2, HELLO[:200]), (0.3, RESET), (0.4, RESET_6))
    db = measured(tmp_path / "zond.db", (packets,))
    piped = export(db, "-")
    assert 0 == piped.returncode, piped.stderr
    read = subprocess.run(
        ["tcpdump", "-n", "-r", "-"], input=piped.stdout, capture_output=True, check=True
    )
    lines = read.stdout.decode().splitlines()
    assert [f"0.0.0.0.43100 > {SITE}.443", "Flags [P.]", f"IP {SITE}.443 > ", "IP6 "] == [
        part if part in line else line
        for part, line in zip(
            [f"0.0.0.0.43100 > {SITE}.443", "Flags [P.]", f"IP {SITE}.443 > ", "IP6 "],
            lines, strict=True,
        )
    ]  # fmt: skip
    assert "length 1000" in lines[1]


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    db = measured(tmp_path / "zond.db", (capture((0.1, SYN)),))
    assert 0 == export(db, tmp_path / "p.pcap").returncode
    assert 0o600 == stat.S_IMODE((tmp_path / "p.pcap").stat().st_mode)


@pytest.mark.parametrize("damage", ["raw[:-1]", "empty"])
def test_packets_that_do_not_fit_their_facts_are_left_out(tmp_path: Path, damage: str) -> None:
    whole = capture((0.1, SYN), (0.2, RESET))
    raw = (SYN,) if damage == "raw[:-1]" else (SYN, b"")
    odd = PacketCapture(ip=SITE, packets=whole.packets, raw=raw)
    db = measured(tmp_path / "zond.db", (odd,))
    assert 0 == export(db, tmp_path / "p.pcap").returncode
    assert [SYN] == [data for _, _, data in records((tmp_path / "p.pcap").read_bytes())]


# What cannot be done is one line


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    (line,) = done.stderr.decode().splitlines()
    return line


def test_a_database_without_packets(tmp_path: Path) -> None:
    not_captured = PacketCapture(ip=SITE, status="not_captured", detail="no")
    db = measured(tmp_path / "zond.db", (not_captured,))
    done = export(db, tmp_path / "p.pcap")
    assert (1, True) == (done.returncode, "holds no captured packets" in said(done))
    assert ["zond.db"] == sorted(p.name for p in tmp_path.iterdir() if "zond.db-" not in p.name)


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_bytes(b"not a database at all, but a text of some length" * 9)
    assert 1 == export(tmp_path / "no.db", tmp_path / "p.pcap").returncode
    missing = export(tmp_path / "missing.db", tmp_path / "p.pcap")
    assert (2, True) == (missing.returncode, "there is no file" in said(missing))


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    db = measured(tmp_path / "zond.db", (capture((0.1, SYN)),))
    (tmp_path / "p.pcap").write_text("last year's")
    done = export(db, tmp_path / "p.pcap")
    assert (2, True) == (done.returncode, "not written over" in said(done))
    assert "last year's" == (tmp_path / "p.pcap").read_text()


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    db = measured(tmp_path / "zond.db", (capture((0.1, SYN)),))
    done = export(db, tmp_path / "nowhere" / "p.pcap")
    assert (1, True) == (done.returncode, "No such file" in said(done))


def test_a_format_that_is_none(tmp_path: Path) -> None:
    done = export(tmp_path / "zond.db", tmp_path / "p.pcap", form="word")
    assert (2, True) == (done.returncode, "pcap" in said(done))
