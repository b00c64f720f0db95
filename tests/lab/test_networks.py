"""A network that nobody approved sees no packet: real interfaces, routers and neighbour tables."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from probe.consent import agreement

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
HOME, CAFE, VIRTUAL = "b8:27:eb:00:00:01", "b8:27:eb:00:00:02", "00:50:56:12:35:02"
CONTAINER = "be:1f:00:12:35:02"  # made up, as Docker does

# A namespace with one Ethernet link, at whose other end everything that is sent is counted.
LINK = """
import json, socket, subprocess, sys, threading, time
from lab.namespace import new_network, take_power
from pyroute2 import IPRoute

take_power()
new_network()
seen = []

def watch(sock):
    while True:
        frame, (_, kind, packet_type, *_rest) = sock.recvfrom(2048)
        if kind in (0x0800, 0x86dd):  # IP; a router is asked for its address by ARP before
            seen.append(frame)

with IPRoute() as ip:
    ip.link("set", index=ip.link_lookup(ifname="lo")[0], state="up")
    ip.link("add", ifname="eth0", kind="veth", peer={"ifname": "far"})
    here, far = (ip.link_lookup(ifname=name)[0] for name in ("eth0", "far"))
    for name in ("eth0", "far"):  # no neighbour discovery of the kernel's own
        with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w") as file:
            file.write("1")
    ip.link("set", index=far, state="up")
    ip.link("set", index=here, state="up")
    ip.addr("add", index=here, address="10.1.0.2", prefixlen=24)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    sock.bind(("far", 3))
    threading.Thread(target=watch, args=(sock,), daemon=True).start()

    def router(mac):
        for _ in ip.get_default_routes(family=socket.AF_INET, table=254):
            ip.route("del", dst="0.0.0.0/0", gateway="10.1.0.1")
        for known in ip.get_neighbours(ifindex=here, family=socket.AF_INET):
            ip.neigh("del", dst=known.get("NDA_DST"), ifindex=here)
        if mac is not None:
            ip.route("add", dst="0.0.0.0/0", gateway="10.1.0.1")
        if mac:
            ip.neigh("replace", dst="10.1.0.1", lladdr=mac, ifindex=here, state=0x80)

    for line in sys.stdin:
        order = json.loads(line)
        answer = {}
        if "router" in order:
            router(order["router"])
        if "zond" in order:
            before = len(seen)
            process = subprocess.Popen(order["zond"], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            while order.get("at_first_packet") and process.poll() is None:
                if len(seen) > before:
                    router(order["moved_to"]) if "moved_to" in order else process.kill()
                    break
                time.sleep(0.05)
            out, err = process.communicate()
            answer = {"status": process.returncode, "out": out, "err": err,
                      "packets": len(seen) - before}
        print(json.dumps(answer), flush=True)
"""


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str
    packets: int


@dataclass(frozen=True)
class Link:
    """The machine's one link, and ``zond`` on it. ``packets`` are those that left."""

    process: subprocess.Popen[str]

    def ask(self, **order: object) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return cast(dict[str, Any], json.loads(self.process.stdout.readline()))

    def router(self, mac: str | None) -> None:
        """The router's hardware address from now on; empty: not known, None: no router."""
        self.ask(router=mac)

    def zond(self, *arguments: str, **more: str) -> Done:
        code = "from probe.cli import main; main()"
        return Done(**self.ask(zond=[sys.executable, "-c", code, *arguments], **more))

    def run(self, **more: str) -> Done:
        """A run that nobody sits before."""
        done = self.zond("run", "--url", "http://93.184.215.14/", "--no-upload", **more)
        assert "Traceback" not in done.err
        return done

    def measures(self, *arguments: str) -> bool:
        """Whether a run sends anything. It is ended where it does."""
        done = self.zond("run", "--url", "http://93.184.215.14/", *arguments, at_first_packet="yes")
        return done.packets > 0


@pytest.fixture
def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("ZOND_LIMITS__OFFLINE_SECONDS", "4")
    monkeypatch.setenv("ZOND_LIMITS__CANARY_SECONDS", "1")
    agreement.record(tmp_path / "zond", ["low", "medium"])
    with subprocess.Popen(
        [sys.executable, "-c", LINK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=ROOT,
    ) as process:  # fmt: skip
        yield Link(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


def test_only_the_network_that_was_approved_sees_a_packet(link: Link) -> None:
    link.router(HOME)
    stranger = link.run()
    assert (4, 0) == (stranger.status, stranger.packets)
    assert "zond consent networks --approve-this" in stranger.err
    approved = link.zond("consent", "networks", "--approve-this")
    assert (0, 0) == (approved.status, approved.packets)
    assert link.measures()
    link.router(CAFE)
    at_the_cafe = link.run()
    assert (4, 0) == (at_the_cafe.status, at_the_cafe.packets)
    link.router(HOME)
    assert 0 == link.zond("consent", "networks", "--forget-this").status
    forgotten = link.run()
    assert (4, 0) == (forgotten.status, forgotten.packets)


def test_yes_is_for_the_network_that_it_is_said_on(link: Link) -> None:
    link.router(HOME)
    assert link.measures("--yes")
    assert (4, 0) == ((again := link.run()).status, again.packets)


@pytest.mark.parametrize(
    ("router", "status", "said"),
    [
        (VIRTUAL, 4, "virtual machine"), (CONTAINER, 4, "virtual machine"),
        ("", 4, "not been heard of"), (None, 3, "on no network"),
    ],
    ids=["virtual", "container", "unknown", "none"],
)
def test_a_network_that_cannot_be_told_from_others_is_none_that_was_approved(
    link: Link, router: str | None, status: int, said: str
) -> None:
    link.router(router)
    done = link.run()
    assert (status, 0) == (done.status, done.packets)
    assert said in done.err
    refused = link.zond("consent", "networks", "--approve-this")
    assert 1 == refused.status and said.removeprefix("on no") in refused.err
    assert 0 == refused.packets


def test_a_machine_that_never_moves_measures_wherever_it_is(link: Link) -> None:
    link.router(VIRTUAL)
    assert 0 == link.zond("consent", "networks", "--anywhere", "yes").status
    assert link.measures()
    assert 0 == link.zond("consent", "networks", "--anywhere", "no").status
    assert (4, 0) == ((back := link.run()).status, back.packets)


@pytest.mark.parametrize("agreed", [("consent", "networks", "--approve-this"), ("run", "--yes")])
def test_a_run_that_is_carried_to_another_network_ends(link: Link, agreed: Sequence[str]) -> None:
    link.router(HOME)
    moved = {"at_first_packet": "yes", "moved_to": CAFE}
    if agreed[0] == "run":
        done = link.zond(*agreed, "--url", "http://93.184.215.14/", "--no-upload", **moved)
    else:
        link.zond(*agreed)
        done = link.run(**moved)
    assert "another network" in done.err
    assert 3 == done.status


@pytest.mark.parametrize(
    "arguments", [("--approve-this",), ("--forget",), ("--forget-this",), ("--anywhere", "yes")]
)
def test_what_is_approved_names_no_router(
    link: Link, tmp_path: Path, arguments: Sequence[str]
) -> None:
    link.router(HOME)
    link.zond("consent", "networks", "--approve-this")
    link.zond("consent", "networks", *arguments)
    kept = (tmp_path / "zond/consent_networks.json").read_bytes().lower()
    for spelling in (HOME, HOME.replace(":", ""), HOME.replace(":", "-"), "10.1.0.1", "eth0"):
        assert spelling.encode() not in kept
    assert bytes.fromhex(HOME.replace(":", "")) not in kept
