"""A server of WireGuard that answers whoever knows its public key, and carries nothing.

It is there to be measured: a tunnel's own server is silent to strangers, so that nobody could
tell it from one that is blocked. An answer is shorter than what asked for it. Nothing is logged.
"""

from __future__ import annotations

import trio

from probe.serving.clients import Clients, Refused
from probe.wire.wireguard import BadInitiation, Responder

PER_CLIENT = 600  # answers in one window
LONGEST = 2048  # bytes of a datagram that are read


async def serve_wireguard(
    ip: str,
    port: int,
    responder: Responder,
    clients: Clients,
    *,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve at *ip* until cancelled; tells *task_status* the port. Raises OSError."""
    family = trio.socket.AF_INET6 if ":" in ip else trio.socket.AF_INET
    with trio.socket.socket(family, trio.socket.SOCK_DGRAM) as udp:
        await udp.bind((ip, port))
        task_status.started(udp.getsockname()[1])
        while True:
            try:
                datagram, client = await udp.recvfrom(LONGEST)
                answer = responder.answer(datagram)
                clients.spend(f"wireguard {client[0]}", PER_CLIENT)
                await udp.sendto(answer, client)
            except (OSError, BadInitiation, Refused):
                continue  # whoever it was, there are others
