"""Ports of the loopback that stay what they are while a test uses them.

A port that was given for the asking (port 0) and let go again is soon given to the next who
asks, in another test or another program.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCAL = "127.0.0.1"
KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM)


def free_port() -> int:
    """A port that nobody has, by TCP and UDP, and that nobody is given who asks for any."""
    given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(max(given - 12_000, 1024), given)
        try:
            for kind in KINDS:
                with socket.socket(socket.AF_INET, kind) as sock:
                    sock.bind((LOCAL, port))
        except OSError:
            continue
        return port


@contextmanager
def refusing_port(kind: socket.SocketKind) -> Iterator[int]:
    """A port where whoever comes is refused: it is taken, and nobody listens there."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((LOCAL, 0))
        if kind is socket.SOCK_DGRAM:
            sock.connect(sock.getsockname())  # for no datagrams but its own
        yield sock.getsockname()[1]
