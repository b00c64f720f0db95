"""How a client of OpenVPN begins, and what a server answers: bytes, no sockets.

A control channel is opened by a reset packet with a session's random number, and a server that
asks for no key before (neither ``tls-auth`` nor ``tls-crypt``) answers with a reset of its own
that names that number (https://openvpn.net/community-docs, "OpenVPN protocol"; RFC draft
"OpenVPN Wire Protocol"). No TLS follows, and nobody is logged in.
"""

from __future__ import annotations

import secrets

CLIENT, SERVER = 7 << 3, 8 << 3  # P_CONTROL_HARD_RESET_CLIENT_V2 and _SERVER_V2, key 0
SESSION = 8  # bytes
MAX_ACKNOWLEDGED = 8  # packets in one acknowledgement


class NotOpenVPN(ValueError):
    """What came is no answer of OpenVPN; the text says why."""


class Reset:
    """One client's reset, and the reading of the answer to it."""

    def __init__(self) -> None:
        self.session = secrets.token_bytes(SESSION)

    def datagram(self) -> bytes:
        """Opcode, session, no acknowledgements, packet 0."""
        return bytes([CLIENT]) + self.session + bytes(1) + bytes(4)

    def segment(self) -> bytes:
        """The same over TCP, after its length."""
        said = self.datagram()
        return len(said).to_bytes(2) + said

    def answered(self, datagram: bytes) -> bool:
        """Whether *datagram* is the server's reset in answer to ours."""
        if len(datagram) < 1 + SESSION + 1 or datagram[0] & 0xF8 != SERVER:
            return False
        count = datagram[1 + SESSION]
        at = 2 + SESSION + 4 * count
        return 0 < count <= MAX_ACKNOWLEDGED and datagram[at : at + SESSION] == self.session

    def answered_by_segment(self, received: bytes) -> bool:
        """Whether *received*, all that has come over TCP, begins with that.

        Raises `NotOpenVPN` for what begins otherwise.
        """
        if len(received) < 2 or len(received) < 2 + int.from_bytes(received[:2]):
            if len(received) > 2 and received[2] & 0xF8 != SERVER:
                raise NotOpenVPN("not a reset of a server's")
            return False
        if not self.answered(received[2 : 2 + int.from_bytes(received[:2])]):
            raise NotOpenVPN("not an answer to our reset")
        return True
