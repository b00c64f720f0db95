from __future__ import annotations

import socket
import subprocess
import sys
from typing import Literal

import pytest

from probe.sockets import is_ours

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="proc(5)")

HOLD = """
import socket, sys
held = socket.socket()
held.bind(("127.0.0.1", 0))
held.listen()
print(held.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_port_is_ours_while_our_socket_has_it(
    protocol: Literal["tcp", "udp"], host: str
) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(family, kind) as sock:
        sock.bind((host, 0))
        if protocol == "tcp":
            sock.listen()
        port = sock.getsockname()[1]
        assert is_ours(protocol, port)
        assert not is_ours("udp" if protocol == "tcp" else "tcp", port)
    assert not is_ours(protocol, port)


def test_a_port_of_another_program_is_not() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert not is_ours("tcp", int(other.stdout.readline()))
        other.communicate()
