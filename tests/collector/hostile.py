"""A path that does to requests what paths do, and worse: a TCP proxy, seeded.

Each connection carries one request; what becomes of it is drawn from `FAULTS`. Nothing here
knows what a batch is: only HTTP's outside is read, so that the proxy can cut, repeat and
reorder whole requests beside bytes. What it did is counted, so that a test can demand that
everything happened.
"""

from __future__ import annotations

import random
import socket
import struct
from collections import Counter

import trio

MAX_REQUEST = 16 * 2**20
PATIENCE = 60.0  # seconds for a peer that says nothing
IMPATIENCE = 0.5  # where it has reason to

# What happens, and how often in relation to the others.
FAULTS = {
    "straight": 30,
    "slow": 6,  # in pieces, with pauses
    "cut request": 8,  # at a random byte, with a reset
    "corrupt request": 8,  # some bits are others
    "shuffle request": 4,  # two pieces of the body change places
    "stutter request": 4,  # a piece of the body comes twice, the end is missing
    "late": 8,  # the client is cut off; its request arrives later, after others
    "repeat": 8,  # the request arrives again, up to three times, later
    "lose answer": 8,  # the collector has answered, the client never hears of it
    "cut answer": 6,
    "corrupt answer": 6,
    "lie": 4,  # the proxy says 200 with a receipt of its own, or one of another batch
    "refuse": 4,  # the proxy answers in the collector's place
    "silence": 2,  # nobody answers
}
LIES = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s",
    b'{"sha256":"%s","receipt":"%s","stored":"now"}',
)
REFUSALS = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-length: 18\r\n\r\n{\"reason\":\"no no\"}",
    b"HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/blocked\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 7\r\n\r\n<html/>",
    b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 429 Slow down\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n<html></html>",
    b"rubbish\r\n\r\n",
)  # fmt: skip


class HostilePath:
    """Listens on the loopback and leads to *target*, which may move; see `FAULTS`.

    *counts* says how often each fault was met, *requests* how many came and *answers* how many
    the target answered; *sent* and *received*, where *record* is set, are the bytes of both.
    The target sees them come from *source*.
    """

    def __init__(
        self, seed: int, *, faults: dict[str, int] | None = None, record: bool = False,
        source: str = "127.0.0.1",
    ) -> None:  # fmt: skip
        self._source = source
        self.target: tuple[str, int] | None = None
        self.counts: Counter[str] = Counter()
        self.requests = self.answers = 0
        self.sent: list[bytes] = []
        self.received: list[bytes] = []
        self.port = 0
        self._faults = FAULTS if faults is None else faults
        self._random = random.Random(seed)
        self._record = record
        self._heard: list[bytes] = []
        self._passed = trio.Condition()
        self._nursery: trio.Nursery | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as self._nursery:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            self.port = listeners[0].socket.getsockname()[1]
            task_status.started()
            await trio.serve_listeners(self._connection, listeners, handler_nursery=self._nursery)

    async def after(self, requests: int = 0, *, answers: int = 0) -> None:
        """Return when so many more requests have come, and so many more were answered."""
        requests, answers = self.requests + requests, self.answers + answers
        async with self._passed:
            while self.requests < requests or self.answers < answers:
                await self._passed.wait()

    async def _count(self, *, requests: int = 0, answers: int = 0) -> None:
        self.requests += requests
        self.answers += answers
        async with self._passed:
            self._passed.notify_all()

    async def _connection(self, client: trio.SocketStream) -> None:
        chance = random.Random(self._random.getrandbits(64))
        try:
            with trio.move_on_after(PATIENCE * 3):
                request = await _message(client)
                if request is None:
                    return
                fault = chance.choices(list(self._faults), [*self._faults.values()])[0]
                self.counts[fault] += 1
                if self._record:
                    self.sent.append(request)
                await self._count(requests=1)
                await self._meet(fault, client, request, chance)
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            self.counts["broken"] += 1  # by the other side: it was killed, or gave up
        finally:
            await trio.aclose_forcefully(client)

    async def _meet(
        self, fault: str, client: trio.SocketStream, request: bytes, chance: random.Random
    ) -> None:
        match fault:
            case "cut request":
                _reset(client)
                await self._forward(request[: chance.randrange(len(request))], cut=True)
                return
            case "late":
                _reset(client)
                await trio.aclose_forcefully(client)
                self._later(request, chance)
                return
            case "silence":
                await trio.sleep(chance.uniform(0.5, 2))
                _reset(client)
                return
            case "lie":
                await client.send_all(self._lie(request, chance))
                return
            case "refuse":
                await client.send_all(chance.choice(REFUSALS))
                return
            case "corrupt request":
                request = _flipped(request, chance)
            case "shuffle request":
                request = _shuffled(request, chance)
            case "stutter request":
                request = _stuttered(request, chance)
            case "repeat":
                for _ in range(chance.randint(1, 3)):
                    self._later(request, chance)
        answer = await self._forward(
            request,
            whole=fault not in ("corrupt request", "shuffle request", "stutter request"),
            slowly=chance if fault == "slow" else None,
        )
        match fault:
            case "lose answer":
                answer = b""
            case "cut answer":
                answer = answer[: chance.randrange(len(answer) + 1)]
            case "corrupt answer" if answer:
                answer = _flipped(answer, chance)
        if fault in ("lose answer", "cut answer"):
            _reset(client)
        if fault == "slow":
            await trio.sleep(chance.uniform(0, 0.5))
        if answer:
            await client.send_all(answer)

    async def _forward(
        self, request: bytes, *, whole: bool = True, cut: bool = False,
        slowly: random.Random | None = None,
    ) -> bytes:  # fmt: skip
        """What the target answers to *request*; nothing where it is not there."""
        if self.target is None:
            return b""
        try:
            collector = await trio.open_tcp_stream(*self.target, local_address=self._source)
        except OSError:
            return b""
        async with collector:
            if slowly is not None:
                for start in range(0, len(request), max(1, len(request) // 5)):
                    await collector.send_all(request[start : start + max(1, len(request) // 5)])
                    await trio.sleep(slowly.uniform(0, 0.1))
            else:
                await collector.send_all(request)
            if cut:
                _reset(collector)
                return b""
            # Whoever lost a part of a body or got a longer length waits for the rest.
            answer = None
            with trio.move_on_after(PATIENCE if whole else IMPATIENCE):
                answer = await _message(collector)
            if answer is None:
                _reset(collector)
        if answer:
            await self._count(answers=1)
        if answer and answer.startswith(b"HTTP/1.1 200"):
            self._heard.append(answer)
        if self._record and answer:
            self.received.append(answer)
        return answer or b""

    def _later(self, request: bytes, chance: random.Random) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(self._again, request, chance.randint(1, 9), chance.uniform(0, 3))

    async def _again(self, request: bytes, behind: int, seconds: float) -> None:
        """Deliver *request* behind so many others, or when that time is over."""
        with trio.move_on_after(seconds):
            await self.after(behind)
        try:
            await self._forward(request)
            self.counts["delivered again"] += 1
        except (trio.BrokenResourceError, OSError):
            self.counts["broken"] += 1

    def _lie(self, request: bytes, chance: random.Random) -> bytes:
        if self._heard and chance.random() < 0.5:
            return chance.choice(self._heard)
        path = request.split(b" ", 2)[1]
        name = path.rpartition(b"/")[2]
        said = LIES[1] % (name, chance.randbytes(32).hex().encode())
        return LIES[0] % (len(said), said)


async def _message(stream: trio.SocketStream) -> bytes | None:
    """One HTTP/1.1 message with its body, or what came of it; None where nothing did."""
    data = bytearray()
    end = MAX_REQUEST
    while len(data) < end:
        part = await stream.receive_some()
        if not part:
            break
        data += part
        if end == MAX_REQUEST and (head := data.find(b"\r\n\r\n")) >= 0:
            end = head + 4 + _length(bytes(data[:head]))
    return bytes(data) or None


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return 0


def _body_at(message: bytes) -> int:
    return message.find(b"\r\n\r\n") + 4


def _flipped(message: bytes, chance: random.Random) -> bytes:
    """Up to three bits are others; one time in four in the head."""
    body = _body_at(message)
    in_head = chance.random() < 0.25 or body == len(message)
    start, end = (0, body) if in_head else (body, len(message))
    changed = bytearray(message)
    for _ in range(chance.randint(1, 3)):
        changed[chance.randrange(start, end)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _shuffled(message: bytes, chance: random.Random) -> bytes:
    body = _body_at(message)
    a, b, c = sorted(chance.randrange(body, len(message) + 1) for _ in range(3))
    return message[:a] + message[b:c] + message[a:b] + message[c:]


def _stuttered(message: bytes, chance: random.Random) -> bytes:
    body = _body_at(message)
    a, b = sorted(chance.randrange(body, len(message) + 1) for _ in range(2))
    return (message[:b] + message[a:])[: len(message)]


def _reset(stream: trio.SocketStream) -> None:
    """What is closed next is closed with a reset, and what is unsent is lost."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
