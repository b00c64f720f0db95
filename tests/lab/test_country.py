"""Real packets through the country."""

from __future__ import annotations

import gc
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from lab import topology
from lab.country import Country, LabError, Ready
from lab.namespace import explain_if_impossible
from lab.topology import place_of
from lab.wire import WireSettings
from lab.world import Action, Place, Way, Wire
from probe.asn import AddressBook
from tests.nobody import as_nobody, device_is_open

WHY_NOT = explain_if_impossible()
lab = [
    pytest.mark.lab,
    pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)),
]
pytestmark = lab

LOW, HIGH = "93.184.216.34", "203.0.112.80"  # abroad, through gateway 1 and gateway 2
LOW6, HIGH6 = "2606:2800:220:1::80", "2a04:4e42::80"
PATIENCE = 60.0  # seconds for what must come
SILENCE = 0.3  # seconds after which what must not come has not


def serve_echo(ready: Ready, *addresses: str) -> None:
    """TCP and UDP on port 7 of each address: what comes goes back."""
    streams, datagrams = [], []
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        stream = socket.create_server((address, 7), family=family)
        datagram = socket.socket(family, socket.SOCK_DGRAM)
        datagram.bind((address, 7))
        streams.append(stream)
        datagrams.append(datagram)
    ready()
    while True:
        readable, _, _ = select.select(streams + datagrams, [], [])
        for sock in readable:
            if sock in streams:
                connection, _ = sock.accept()
                connection.sendall(connection.recv(100))
                connection.close()
            else:
                data, sender = sock.recvfrom(2048)
                sock.sendto(data, sender)


def at(country: Country, place: Place, code: str, *arguments: str) -> str:
    """What *code* (Python, with a few imports and helpers) prints when it runs in *place*."""
    process = country.command(
        place,
        [sys.executable, "-c", HELPERS + code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    output, _ = process.communicate(timeout=PATIENCE)
    assert 0 == process.returncode
    return str(output).strip()


HELPERS = """
import errno, os, socket, sys, time

def tcp(address, port=7, patience=30):
    try:
        with socket.create_connection((address, port), patience) as s:
            s.sendall(b"hello")
            return s.recv(100).decode()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))

def udp(address, port=7, patience=30, data=b"hello"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(patience)
        try:
            s.connect((address, port))
            s.send(data)
            return s.recv(2048).decode()
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error))

def hops(address):
    v6 = ":" in address
    found = []
    for ttl in range(1, 9):
        with socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(41 if v6 else 0, 25 if v6 else 11, 1)  # RECVERR
            s.setsockopt(41 if v6 else 0, 16 if v6 else 2, ttl)
            s.connect((address, 7))
            s.send(b"x")
            for _ in range(3000):
                time.sleep(0.01)
                try:
                    _, (control, *_), _, _ = s.recvmsg(512, 512, socket.MSG_ERRQUEUE)
                except BlockingIOError:
                    try:
                        s.recv(10, socket.MSG_DONTWAIT)
                    except OSError:
                        continue
                    return found + [address]
                where = control[2][24:40] if v6 else control[2][20:24]
                found.append(socket.inet_ntop(s.family, where))
                break
"""


@pytest.mark.parametrize("address", [LOW, HIGH, LOW6, HIGH6])
def test_tcp_and_udp_reach_an_address_abroad_that_nobody_configured(address: str) -> None:
    with Country() as country:
        country.start(Place.ABROAD, serve_echo, address)
        assert "hello hello" == at(
            country, Place.HOME, "print(tcp(sys.argv[1]), udp(sys.argv[1]))", address
        )
        assert "ECONNREFUSED" == at(country, Place.HOME, "print(tcp(sys.argv[1], 8))", address)


@pytest.mark.parametrize(
    ("place", "address"),
    [
        (Place.DOMESTIC, "86.57.200.1"),
        (Place.DOMESTIC, "2a0a:7d80::1"),
        (Place.RESOLVERS, "8.8.8.8"),
        (Place.RESOLVERS, "2620:fe::fe"),
        *((Place.OPERATOR, address) for address in topology.OPERATOR_RESOLVER_ADDRESSES),
        *((Place.CONTROL_1, address) for address in topology.CONTROL_1_ADDRESSES),
        *((Place.CONTROL_2, address) for address in topology.CONTROL_2_ADDRESSES),
    ],
)
def test_each_place_serves_its_addresses_to_home_and_to_a_control(
    place: Place, address: str
) -> None:
    assert place is place_of(address)
    with Country() as country:
        country.start(place, serve_echo, address)
        for client in (Place.HOME, Place.CONTROL_1):
            assert "hello" == at(country, client, "print(tcp(sys.argv[1]))", address)


def test_a_ping_is_answered_and_no_program_is_needed_for_it() -> None:
    with Country() as country:
        assert "True" == at(
            country,
            Place.HOME,
            f"""
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.settimeout(30)
s.connect(("{HIGH}", 0))
s.send(bytes([8, 0, 0, 0, 0, 0, 0, 1]) + b"hello")
print(s.recv(100).endswith(b"hello"))
""",
        )


@pytest.mark.parametrize(
    ("address", "routers"),
    [
        (LOW, ["178.124.180.1", "93.84.4.2", "62.115.40.1"]),
        (HIGH, ["178.124.180.1", "195.50.23.2", "212.187.128.1"]),
        (LOW6, ["2a02:2208:b4::1", "2a02:2208:1:1::2", "2001:2034:0:40::1"]),
    ],
)
def test_hops_are_the_operator_its_gateway_and_the_exchange(
    address: str, routers: list[str]
) -> None:
    with Country(icmp_ratelimit=0) as country:
        country.start(Place.ABROAD, serve_echo, address)
        found = at(country, Place.HOME, "print(*hops(sys.argv[1]))", address).split()
        assert [*routers, address] == found


@pytest.mark.parametrize(
    ("address", "used", "unused"),
    [(LOW, Wire.UPLINK_1, Wire.UPLINK_2), (HIGH, Wire.UPLINK_2, Wire.UPLINK_1)],
)
def test_a_gateway_sees_both_directions(address: str, used: Wire, unused: Wire) -> None:
    with Country() as country:
        country.start(Place.ABROAD, serve_echo, address)
        assert "hello" == at(country, Place.HOME, "print(udp(sys.argv[1]))", address)
        traffic = country.counters()
        assert (1, 33, 1, 33) == traffic[used]
        assert (0, 0, 0, 0) == traffic[unused]
        assert (1, 33, 1, 33) == traffic[Wire.LINE]


def test_delay_adds_up_along_the_path() -> None:
    wires = {wire: WireSettings(delay=0.01) for wire in (Wire.LINE, Wire.UPLINK_1, Wire.HOSTING)}
    with Country(wires) as country:
        country.start(Place.ABROAD, serve_echo, LOW)
        took = at(
            country,
            Place.HOME,
            "began = time.monotonic(); udp(sys.argv[1]); print(time.monotonic() - began)",
            LOW,
        )
        assert float(took) >= 0.06


def test_a_dead_line_is_silence_and_not_an_error() -> None:
    with Country({Wire.LINE: WireSettings(loss=1.0)}) as country:
        country.start(Place.ABROAD, serve_echo, LOW)
        assert "timed out" == at(country, Place.HOME, f"print(udp('{LOW}', patience={SILENCE}))")


def test_a_wire_can_be_cut_and_restored() -> None:
    with Country() as country:
        country.start(Place.ABROAD, serve_echo, LOW, HIGH)
        silent = f"print(udp('{LOW}', patience={SILENCE}), udp('{HIGH}'))"
        country.set(Wire.UPLINK_1, cut=True)
        assert "timed out hello" == at(country, Place.HOME, silent)
        country.set(Wire.UPLINK_1, cut=False)
        assert "hello hello" == at(country, Place.HOME, f"print(udp('{LOW}'), udp('{HIGH}'))")


def to_port_7(packet: bytes) -> bool:
    return packet[0] >> 4 == 4 and packet[22:24] == (7).to_bytes(2, "big")


def test_a_censor_drops_what_it_wants_once_switched_on() -> None:
    def drop(packet: bytes, way: Way, now: float) -> Sequence[Action] | None:
        return [] if way is Way.OUT and to_port_7(packet) else None

    with Country({Wire.BORDER_1: WireSettings(prepared={"drop": drop})}) as country:
        country.start(Place.ABROAD, serve_echo, LOW)
        ask = f"print(udp('{LOW}'), tcp('{LOW}', 8))"
        silent = f"print(udp('{LOW}', patience={SILENCE}), tcp('{LOW}', 8))"
        assert "hello ECONNREFUSED" == at(country, Place.HOME, ask)
        country.switch(Wire.BORDER_1, "drop")
        assert "timed out ECONNREFUSED" == at(country, Place.HOME, silent)
        country.switch(Wire.BORDER_1, "drop", on=False)
        assert "hello ECONNREFUSED" == at(country, Place.HOME, ask)


def test_a_censor_injects_an_answer_before_the_true_one() -> None:
    def forge(packet: bytes, way: Way, now: float) -> Sequence[Action] | None:
        if way is Way.BACK or not to_port_7(packet):
            return None
        # Addresses and ports change places; with no UDP checksum the header's is all
        # there is, and it does not change when its words only move.
        head = packet[:12] + packet[16:20] + packet[12:16]
        answer = head + packet[22:24] + packet[20:22] + packet[24:26] + b"\0\0" + b"FORGE"
        return [(packet, way, 0.0), (answer, Way.BACK, 0.0)]

    with Country(
        {
            Wire.UPLINK_1: WireSettings(censors=(forge,)),
            Wire.HOSTING: WireSettings(delay=0.02),
        }
    ) as country:
        country.start(Place.ABROAD, serve_echo, LOW)
        assert "FORGE" == at(country, Place.HOME, f"print(udp('{LOW}'))")


def test_a_broken_censor_is_loud() -> None:
    def broken(packet: bytes, way: Way, now: float) -> Sequence[Action] | None:
        raise KeyError("a bug in the censor")

    with (
        pytest.raises(LabError, match="a bug in the censor"),
        Country({Wire.LINE: WireSettings(censors=(broken,))}) as country,
    ):
        at(country, Place.HOME, f"print(udp('{LOW}', patience={SILENCE}))")
        assert_soon(lambda: country._ground.failure() is not None)


def test_a_server_that_cannot_start_raises_with_its_reason() -> None:
    with Country() as country, pytest.raises(LabError, match="Cannot assign requested address"):
        country.start(Place.HOME, serve_echo, LOW)


def test_a_server_that_dies_later_is_told_at_the_end() -> None:
    def dies(ready: Ready) -> None:
        ready()
        raise RuntimeError("a bug in the server")

    with pytest.raises(LabError, match="a bug in the server"), Country() as country:
        child = country.start(Place.ABROAD, dies)
        assert_soon(lambda: child.failure() is not None)


def test_what_is_garbage_here_is_not_ended_in_a_child() -> None:
    """A database's connection would wait there for threads that only we have."""
    here = os.getpid()

    class Held:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            if os.getpid() != here:
                os._exit(7)

    def collects(ready: Ready) -> None:
        gc.collect()
        ready()
        signal.pause()

    gc.disable()
    try:
        Held()
        with Country() as country:
            assert country.start(Place.ABROAD, collects).failure() is None
    finally:
        gc.enable()


def test_nothing_leaves() -> None:
    with Country(icmp_ratelimit=0) as country:
        for place in Place:
            devices = at(country, place, "print(*(name for _, name in socket.if_nameindex()))")
            wires = {str(link.wire) for link in topology.LINKS if place in (link.near, link.far)}
            assert {"lo", *wires} == set(devices.split())
        for address in ("10.0.0.1", "192.168.1.1", "178.124.180.5", "fd00::1"):
            answer = at(country, Place.HOME, "print(tcp(sys.argv[1]))", address)
            assert (address, answer) in ((address, "EHOSTUNREACH"), (address, "ENETUNREACH"))
        # A real address is answered by the lab: nobody listens there.
        assert "ECONNREFUSED" == at(country, Place.HOME, "print(tcp('151.101.1.140', 443))")


def test_a_household_without_ipv6_has_none() -> None:
    with Country(ipv6=False) as country:
        country.start(Place.ABROAD, serve_echo, LOW, LOW6)
        assert "hello" == at(country, Place.HOME, f"print(tcp('{LOW}'))")
        assert at(country, Place.HOME, f"print(udp('{LOW6}'))") in ("ENETUNREACH", "EADDRNOTAVAIL")
        assert "hello" == at(country, Place.CONTROL_1, f"print(tcp('{LOW6}'))")


def test_broken_ipv6_is_silence_beside_working_ipv4() -> None:
    with Country(ipv6="broken") as country:
        country.start(Place.ABROAD, serve_echo, LOW, LOW6)
        assert "hello" == at(country, Place.HOME, f"print(tcp('{LOW}'))")
        silent = f"print(udp('{LOW6}', patience={SILENCE}))"
        assert "timed out" == at(country, Place.HOME, silent)


def test_a_command_reads_the_resolvers_and_names_it_was_given() -> None:
    host = Path("/etc/resolv.conf").read_text()
    with Country() as country:
        process = country.command(
            Place.HOME,
            ["cat", "/etc/resolv.conf", "/etc/hosts"],
            resolv_conf=("8.8.8.8", "1.1.1.1"),
            hosts={"router": "178.124.180.1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        output, _ = process.communicate(timeout=PATIENCE)
        expected = "nameserver 8.8.8.8\nnameserver 1.1.1.1\n127.0.0.1 localhost\n"
        assert expected + "178.124.180.1 router\n" == output
    assert host == Path("/etc/resolv.conf").read_text()


def test_a_command_keeps_its_exit_status_its_signals_and_its_process() -> None:
    with Country() as country:
        assert 7 == country.command(Place.HOME, ["sh", "-c", "exit 7"]).wait(PATIENCE)
        process = country.command(
            Place.HOME, ["sh", "-c", "echo $$; exec sleep 60"], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout:
            assert process.pid == int(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert -signal.SIGTERM == process.wait(PATIENCE)
        with pytest.raises(FileNotFoundError):
            country.command(Place.HOME, ["no-such-program"])


def test_a_country_ends_with_the_children_of_its_programs() -> None:
    with ExitStack() as stack:
        with Country() as country:
            process = country.command(
                Place.HOME,
                ["sh", "-c", "sleep 61 & echo $!; exec sleep 62"],
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            with process.stdout:
                grandchild = int(process.stdout.readline())
            held = [os.dup(namespace.network) for namespace in country._namespaces.values()]
            for handle in held:
                stack.callback(os.close, handle)
            inodes = numbers(held)
            assert inodes <= networks_in_use()
        assert_soon(lambda: not alive(grandchild))
        assert_soon(lambda: not inodes & networks_in_use(ignoring=held))


def test_kill_minus_nine_of_the_controller_leaves_nothing() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        controller = os.fork()
        if controller == 0:
            try:
                gc.freeze()
                country = Country().__enter__()
                country.start(Place.ABROAD, serve_echo, LOW)
                country.command(Place.HOME, ["sh", "-c", "sleep 63 & exec sleep 64"])
                handles = [namespace.network for namespace in country._namespaces.values()]
                socket.send_fds(theirs, [b"."], handles)
                time.sleep(60)
            finally:
                os._exit(1)
        theirs.close()
        _, held, _, _ = socket.recv_fds(ours, 1, len(Place), socket.MSG_CMSG_CLOEXEC)
    with ExitStack() as stack:
        for handle in held:
            stack.callback(os.close, handle)
        inodes = numbers(held)
        assert len(Place) == len(inodes)
        assert inodes <= networks_in_use(ignoring=held)
        os.kill(controller, signal.SIGKILL)
        os.waitpid(controller, 0)
        assert_soon(lambda: not inodes & networks_in_use(ignoring=held))


def test_a_capture_is_readable_by_others(tmp_path: Path) -> None:
    if shutil.which("tcpdump") is None:
        pytest.skip("no tcpdump here")
    path = tmp_path / "line.pcap"
    with Country({Wire.LINE: WireSettings(capture=path)}) as country:
        country.start(Place.ABROAD, serve_echo, LOW)
        at(country, Place.HOME, f"udp('{LOW}')")
    shown = subprocess.run(
        ["tcpdump", "-n", "-r", path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert 2 == len(shown)
    assert "IP 178.124.180.77." in shown[0] and f"> {LOW}.7: UDP, length 5" in shown[0]
    assert f"IP {LOW}.7 > 178.124.180.77." in shown[1]


def test_an_ordinary_user_can_have_a_country_where_the_device_is_open() -> None:
    done = as_nobody(
        """
import os, subprocess
from lab.country import Country
from lab.world import Place
def serve(ready):
    import socket
    server = socket.create_server(("93.184.216.34", 80))
    ready()
    while True:
        connection, _ = server.accept()
        connection.sendall(b"served")
        connection.close()
with Country() as country:
    country.start(Place.ABROAD, serve)
    client = "import socket; print(socket.create_connection(('93.184.216.34', 80)).recv(10))"
    import sys
    process = country.command(
        Place.HOME, ["sh", "-c", f'cat /etc/resolv.conf; "{sys.executable}" -c "{client}"'],
        stdout=subprocess.PIPE, text=True)
    print(os.getuid(), process.communicate(timeout=60)[0])
""",
        open_to_all=True,
    )
    assert 0 == done.returncode, done.stderr
    assert "65534 nameserver 178.124.130.53\nb'served'" == done.stdout.strip()


def test_an_ordinary_user_is_told_what_to_do_where_it_is_not() -> None:
    if device_is_open():
        pytest.skip("the device is open to all here")
    done = as_nobody(
        "from lab.namespace import explain_if_impossible; print(explain_if_impossible())",
        open_to_all=False,
    )
    assert 0 == done.returncode, done.stderr
    assert 1 == len(done.stdout.splitlines())
    assert "sudo chmod 0666 /dev/net/tun" in done.stdout


def numbers(handles: Sequence[int]) -> set[int]:
    """Of network namespaces. The kernel gives a number to the next as soon as nobody holds it."""
    return {os.fstat(handle).st_ino for handle in handles}


def networks_in_use(ignoring: Sequence[int] = ()) -> set[int]:
    """The network namespaces that a living process is in or holds open.

    Of our own open files those of *ignoring* do not count.
    """
    ours = {f"/proc/{os.getpid()}/fd/{handle}" for handle in ignoring}
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found.add(process.joinpath("ns/net").stat().st_ino)
            handles = list(process.joinpath("fd").iterdir())
        except OSError:
            continue  # it has ended
        for handle in handles:
            if str(handle) in ours:
                continue
            with suppress(OSError):  # closed by now
                target = os.readlink(handle)
                if target.startswith("net:["):
                    found.add(int(target[5:-1]))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def assert_soon(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_every_address_of_a_router_is_nobody_elses() -> None:
    for link in topology.LINKS:
        for address in (*link.near_addresses, *link.far_addresses):
            assert place_of(address) in (None, Place.CONTROL_1, Place.CONTROL_2)
            assert not any(
                ip_address(address) in ip_network(prefix) for prefix in topology.NOT_ROUTED
            )


OPERATORS = [(topology.MTS, 25106), (topology.A1, 42772), (topology.BUSINESS_NETWORK, 12406)]


@pytest.mark.parametrize(("household", "asn"), OPERATORS)
def test_a_customer_of_another_operator_has_its_addresses_and_reaches_everybody(
    household: topology.Household, asn: int
) -> None:
    with AddressBook() as book:
        for address in (*household.addresses, *household.router, *household.resolver):
            assert asn == book.lookup(address).asn, address
    domestic, domestic6 = "86.57.250.10", "2a0a:7d80:0:250::10"
    with Country(household=household) as country:
        country.start(Place.DOMESTIC, serve_echo, domestic, domestic6)
        country.start(Place.ABROAD, serve_echo, LOW, HIGH6)
        for address in (domestic, domestic6, LOW, HIGH6):
            answers = at(country, Place.HOME, f"print(tcp({address!r}), udp({address!r}))")
            assert answers.split() == ["hello", "hello"], address
        assert household.router[0] in at(country, Place.HOME, f"print(hops({LOW!r}))")
