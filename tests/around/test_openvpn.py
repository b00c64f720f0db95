"""OpenVPN's own server, Debian's, answers the reset; whoever does not speak it, does not."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.failure import Failure
from probe.wire.openvpn import NotOpenVPN, Reset
from tests.around.conftest import Around
from tests.certificates import authority
from tests.ports import free_port, refusing_port

VPN = "93.184.216.94"
OPENVPN = shutil.which("openvpn") or shutil.which("openvpn", path="/usr/sbin:/sbin") or "openvpn"

LISTENING = (b"UDPv4 link remote", b"Listening for incoming TCP connection")


def server(folder: Path, proto: str, port: int, *more: str) -> subprocess.Popen[bytes]:
    """A real server on loopback that makes no interface, once it listens."""
    leaf = authority("good").issue_cert("vpn.example")
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    leaf.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    authority("good").cert_pem.write_to_path(folder / "ca.pem")
    options = [
        "--dev", "null", "--tls-server", "--proto", proto, "--port", str(port), "--dh", "none",
        "--local", "127.0.0.1", "--ca", "ca.pem", "--cert", "cert.pem", "--key", "key.pem",
        "--data-ciphers-fallback", "AES-256-GCM", "--verb", "3", *more,
    ]  # fmt: skip
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [OPENVPN, "--cd", str(folder), *options], stdout=out, stderr=subprocess.STDOUT
        )
    end = time.monotonic() + 60
    while not any(word in log.read_bytes() for word in LISTENING):
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise AssertionError(log.read_text())
        time.sleep(0.05)
    return process


@pytest.fixture
def real(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    proto, *more = request.param
    port = free_port()
    if "--tls-auth" in more:
        key = str(tmp_path / "ta.key")
        subprocess.run([OPENVPN, "--genkey", "secret", key], check=True)
        more.append(key)
    process = server(tmp_path, proto if proto == "udp" else "tcp-server", port, *more)
    yield proto, port
    process.kill()
    process.wait()


@pytest.mark.parametrize("real", [("udp",), ("tcp",)], indirect=True)
async def test_the_real_server_answers(
    real: tuple[str, int], around: Around
) -> None:
    proto, port = real
    around.net.ports[VPN, 1194] = port
    (tried,) = await around.reached("openvpn", f"openvpn://{VPN}", proto=proto)
    assert (None, 1194, "openvpn") == (tried.failure, tried.port, tried.part)


@pytest.mark.usefixtures("unanswered")
@pytest.mark.parametrize("real", [("udp", "--tls-auth")], indirect=True)
async def test_a_server_that_wants_a_key_first_says_nothing(
    real: tuple[str, int], around: Around
) -> None:
    around.net.ports[VPN, 1194] = real[1]
    found = await around.reached("openvpn", f"openvpn://{VPN}:1194")
    assert [("handshake", Failure.TIMEOUT)] * 2 == [(e.operation, e.failure) for e in found]


async def test_nobody_listens(around: Around) -> None:
    with refusing_port(socket.SOCK_DGRAM) as port:
        around.net.ports[VPN, 1194] = port
        found = await around.reached("openvpn", f"openvpn://{VPN}")
    assert [("handshake", Failure.CONNECTION_REFUSED)] * 2 == [
        (e.operation, e.failure) for e in found
    ]


def test_only_an_answer_to_our_session_counts() -> None:
    reset, other = Reset(), Reset()
    said = bytes([8 << 3]) + bytes(8) + b"\x01" + bytes(4) + reset.session + bytes(4)
    assert reset.answered(said)
    assert not other.answered(said)
    assert not any(reset.answered(said[:at]) for at in range(22))
    framed = len(said).to_bytes(2) + said
    assert not any(reset.answered_by_segment(framed[:at]) for at in range(len(framed)))
    assert reset.answered_by_segment(framed)
    with pytest.raises(NotOpenVPN):
        other.answered_by_segment(framed)


