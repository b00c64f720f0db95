"""What each TLS engine costs, and whether what a hostile server sends can break it.

    python -m bench.hellos [--handshakes 4000] [--spoilt 20000] [--seed 1]

First good handshakes: CPU of our side, and the memory that stays. Then as many with a
server whose flights are spoilt (bits, lengths, parts cut out, doubled, put in; TLS 1.2 and 1.3,
RSA and ECDSA), fed in pieces of any size and used on after the failure. Whatever is raised
but `ssl.SSLError` is printed and fails the run; a crash of the library ends the process.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import ssl
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import trustme

from probe.steps import browser
from probe.steps.engine import Engine, Hello, engine

NAME, ALPN = "site.by", ("h2", "http/1.1")
_PAGE = 4  # kB


class Server:
    """A real server on memory, one flight at a time."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def answer(self, said: bytes) -> bytes:
        self._incoming.write(said)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self._outgoing.read()


def servers() -> list[ssl.SSLContext]:
    found = []
    authority = trustme.CA()
    for key in (trustme.KeyType.RSA, trustme.KeyType.ECDSA):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(NAME, key_type=key).configure_cert(context)
            context.maximum_version = version
            context.set_alpn_protocols(["h2"])
            found.append(context)
    return found


def resident() -> int:
    """Memory of this process, kB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def good(hello: Hello, count: int, context: ssl.SSLContext) -> dict[str, float]:
    spent, kept = 0.0, 0
    for n in range(count):
        server = Server(context)
        began = time.thread_time()
        client = engine(NAME, ALPN, hello=hello)
        said = client.hello()
        spent += time.thread_time() - began
        done = False
        while not done:
            answer = server.answer(said)
            began = time.thread_time()
            client.feed(answer)
            done, said = client.handshake(), client.unsent()
            spent += time.thread_time() - began
        if n == count // 5:
            gc.collect()
            kept = resident()
    gc.collect()
    return {"cpu_ms": round(1000 * spent / count, 3), "memory_growth_kb": resident() - kept}


class Spoiler(NamedTuple):
    chance: random.Random

    def spoil(self, flight: bytes) -> bytes:
        chance, spoilt = self.chance, bytearray(flight)
        for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
            at, size = chance.randrange(len(spoilt) or 1), chance.randrange(1, 20)
            match chance.randrange(5):
                case 0:
                    spoilt[at : at + 1] = chance.randbytes(1)
                case 1:
                    spoilt[at:at] = chance.randbytes(size)
                case 2:
                    del spoilt[at : at + size]
                case 3:
                    spoilt[at : at + 2] = chance.choice((b"\xff\xff", b"\0\0", b"\x40\0"))
                case 4:
                    spoilt[at:at] = spoilt[chance.randrange(len(spoilt) or 1) :][: 10 * size]
        return bytes(spoilt)

    def feed(self, client: Engine, flight: bytes) -> bool:
        """In pieces, as a network may; whether the handshake is done."""
        while flight:
            size = self.chance.choice((len(flight), self.chance.randrange(1, 50), 1400))
            client.feed(flight[:size])
            flight = flight[size:]
            if client.handshake():
                return True
        return False

    def handshake(self, client: Engine, server: Server) -> str:
        """How a handshake of which one flight is spoilt ends."""
        said, which = client.hello(), self.chance.randrange(3)
        for number in range(3):
            flight = server.answer(said)
            if not flight:
                break
            done = self.feed(client, self.spoil(flight) if number == which else flight)
            said = client.unsent()
            if done:
                client.feed(self.chance.randbytes(300))
                client.read(1000)
                return "done"
        return "waits"


def hostile(hello: Hello, count: int, contexts: list[ssl.SSLContext], seed: int) -> Counter[str]:
    """How *count* spoilt handshakes ended, and how long the slowest took."""
    spoiler = Spoiler(random.Random(seed))
    ends: Counter[str] = Counter()
    longest = 0.0
    for _ in range(count):
        server = Server(spoiler.chance.choice(contexts))
        client = engine(NAME, ALPN, hello=hello)
        began = time.thread_time()
        try:
            ends[spoiler.handshake(client, server)] += 1
        except ssl.SSLError:
            ends["refused"] += 1
        client.chain(), client.version(), client.cipher(), client.alpn(), client.unsent()
        try:
            client.handshake()
            client.read(10)
        except ssl.SSLError:
            ends["refused again"] += 1
        longest = max(longest, time.thread_time() - began)
    ends["longest_cpu_us"] = round(1e6 * longest)
    return ends


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--handshakes", type=int, default=4000)
    parser.add_argument("--spoilt", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not browser.available():
        sys.exit("utls is not installed")
    contexts = servers()
    kinds: tuple[Hello, ...] = ("python", "browser")
    for hello in kinds:
        said = {
            "hello": hello,
            "good": good(hello, options.handshakes, contexts[-1]),
            "spoilt": dict(hostile(hello, options.spoilt, contexts, options.seed)),
        }
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
