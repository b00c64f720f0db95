"""What this machine tells of itself, so that it can be found in what leaves."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from probe.scrubbing.known import collect

ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlp3s0\t00000000\t0107A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
"""
ARP = """\
IP address       HW type     Flags       HW address            Mask     Device
192.168.7.1      0x1         0x2         d8:0d:17:aa:bb:cc     *        wlp3s0
192.168.7.44     0x1         0x0         00:00:00:00:00:00     *        wlp3s0
"""
INET6 = """\
2a02d247123456000001000200030004 03 40 00 00     wlp3s0
00000000000000000000000000000001 01 80 10 80       lo
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    files = {
        "proc/net/route": ROUTE,
        "proc/net/arp": ARP,
        "proc/net/if_inet6": INET6,
        "etc/resolv.conf": "nameserver 192.168.7.2\nnameserver 8.8.8.8\n",
        "etc/machine-id": "5fd3b2c08a7e4c1c9f0e1d2c3b4a5968\n",
        "etc/timezone": "Europe/Minsk\n",
        "sys/class/net/wlp3s0/address": "a4:5e:60:c1:2b:3d\n",
        "sys/class/net/lo/address": "00:00:00:00:00:00\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_the_machine_is_asked_for_all_that_it_can_tell(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setenv("LC_ALL", "be_BY.UTF-8")
    monkeypatch.setenv("HOME", "/home/anna.k")
    monkeypatch.setenv("LOGNAME", "anna.k")
    monkeypatch.setattr(socket, "gethostname", lambda: "annas-laptop.lan")
    known = collect(["93.85.101.20"], root=machine)
    expected = {
        "93.85.101.20", "192.168.7.1", "192.168.7.2", "192.168.7.44", "2a02:d247:1234:5600:1:2:3:4",
    }  # fmt: skip
    assert expected <= set(known.addresses)
    assert not {"8.8.8.8", "::1", "127.0.0.1"} & set(known.addresses)
    assert {"a4:5e:60:c1:2b:3d", "d8:0d:17:aa:bb:cc"} == set(known.macs)
    names = {"annas-laptop.lan", "annas-laptop", "anna.k", "/home/anna.k"}
    assert names | {"5fd3b2c08a7e4c1c9f0e1d2c3b4a5968"} <= set(known.names)
    assert (known.zone, known.locale) == ("Europe/Minsk", "be_BY.UTF-8")


def test_a_machine_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    known = collect(root=tmp_path)
    assert known.macs == ()
    assert "" not in known.names


def test_this_machine_is_known() -> None:
    known = collect()
    assert socket.gethostname() in known.names
