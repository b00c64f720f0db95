"""Controls that turned: they have their name and certificate still, and lie.

Each listens at the first control's place, on a port of its own. It puts each question to the
honest control beside it, so that a lie is as near to the truth as its teller likes, and
answers with what its `Lie` makes of that: other evidence, or other bytes.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import trio

from lab.stage import CONTROLS
from probe.control.protocol import RemoteEvidence, endpoint, read_question, unpack
from probe.evidence import (
    CertificateCheck,
    DNSAnswer,
    DNSExchange,
    HTTPExchange,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.wire.page import sketch
from probe.wire.url import parse

FIRST_PORT = 4400
DIGEST = "5e" * 32
ELSEWHERE = "203.0.113.80"
MEGA = 1 << 20
PAGE = b"<html><title>Nothing to see</title>" + b"".join(
    b"<p>word%d of a page that nobody wrote</p>" % n for n in range(200)
)


@dataclass(frozen=True)
class Asked:
    """A question: its URL, and the addresses that the probe knows."""

    url: str
    told: tuple[str, ...]


Twist = Callable[[Asked, Sequence[RemoteEvidence]], Sequence[RemoteEvidence]]
Say = Callable[[trio.abc.Stream, bytes], Awaitable[None]]  # the honest reply, with its head


@dataclass(frozen=True, kw_only=True)
class Lie:
    """*twist* changes the evidence, *say* how the reply is sent, *age* what it says of its
    age; *name*: whose certificate is shown."""

    about: str
    twist: Twist | None = None
    say: Say | None = None
    age: float = 0.0
    name: str = CONTROLS[0][1]


def page(asked: Asked, ip: str) -> HTTPExchange:
    where = parse(asked.url)
    return HTTPExchange(
        url=asked.url, ip=ip, port=where.port, tls=where.scheme == "https", status=200,
        headers=(("Content-Type", "text/html"), ("Server", "nginx")), title="Nothing to see",
        body_length=len(PAGE), body_sha256=DIGEST, sketch=sketch(PAGE), transaction=1,
        t0=0.2, t=0.3,
    )  # fmt: skip


def resolved(asked: Asked, ips: Sequence[str]) -> list[RemoteEvidence]:
    facts: dict[str, Any] = {"url": asked.url, "hostname": parse(asked.url).host, "rdtype": "A"}
    answer = (DNSAnswer(t=0.02, addresses=tuple(ips)),)
    return [
        DNSExchange(engine="udp", resolver="8.8.8.8:53", answers=answer, t=0.02, **facts),
        DNSExchange(
            engine="doh", resolver="https://dns.google/dns-query", answers=answer, t=0.05, **facts
        ),
    ]


def all_is_well(asked: Asked, honest: Sequence[RemoteEvidence]) -> list[RemoteEvidence]:
    """Whatever address the probe was given is right, and the page is there."""
    where = parse(asked.url)
    ips = [ip for ip in asked.told if ":" not in ip] or [ELSEWHERE]
    found = resolved(asked, ips)
    for ip in ips:
        at: dict[str, Any] = {"url": asked.url, "ip": ip, "port": where.port, "transaction": 1}
        found.append(TCPConnect(t0=0.02, t=0.06, **at))
        if where.scheme == "https":
            found.append(
                TLSHandshake(sni=where.host, version="TLSv1.3", chain_sha256=(DIGEST,),
                             t0=0.06, t=0.1, **at)
            )  # fmt: skip
            found.append(CertificateCheck(hostname=where.host, checked_at=1.0, **at))
    return [*found, page(asked, ips[0])]


def all_is_shut(asked: Asked, honest: Sequence[RemoteEvidence]) -> list[RemoteEvidence]:
    """The name is known, and every connection is reset."""
    where = parse(asked.url)
    ips = [ip for ip in asked.told if ":" not in ip] or [ELSEWHERE]
    return resolved(asked, ips) + [
        TCPConnect(url=asked.url, ip=ip, port=where.port, transaction=n, t0=0.02, t=0.06,
                   failure=Failure.CONNECTION_RESET)
        for n, ip in enumerate(ips, 1)
    ]  # fmt: skip


def another_page(asked: Asked, honest: Sequence[RemoteEvidence]) -> list[RemoteEvidence]:
    return [
        msgspec.structs.replace(
            e, status=200, location=None, title="Nothing to see", body_length=len(PAGE),
            body_sha256=DIGEST, sketch=sketch(PAGE),
        )
        if isinstance(e, HTTPExchange)
        else e
        for e in honest
    ]  # fmt: skip


def other_addresses(asked: Asked, honest: Sequence[RemoteEvidence]) -> list[RemoteEvidence]:
    """The name leads elsewhere, and there is the page."""
    there = Asked(asked.url, (ELSEWHERE,))
    return all_is_well(there, honest)


def no_such_name(asked: Asked, honest: Sequence[RemoteEvidence]) -> list[RemoteEvidence]:
    return [
        msgspec.structs.replace(
            e, failure=Failure.DNS_NXDOMAIN, answers=(DNSAnswer(t=0.02, rcode="NXDOMAIN"),)
        )
        for e in honest
        if isinstance(e, DNSExchange)
    ]


def other_certificates(asked: Asked, honest: Sequence[RemoteEvidence]) -> list[RemoteEvidence]:
    """Everybody who sees another certificate would have been shown a forged one."""
    return [
        msgspec.structs.replace(e, chain_sha256=(DIGEST,), failure=None)
        if isinstance(e, TLSHandshake)
        else msgspec.structs.replace(e, failure=None)
        if isinstance(e, CertificateCheck)
        else e
        for e in honest
    ]


def always_the_first() -> Twist:
    """The first answer again and again: it is about another target."""
    first: list[RemoteEvidence] = []

    def twist(asked: Asked, honest: Sequence[RemoteEvidence]) -> Sequence[RemoteEvidence]:
        first.extend(() if first else honest)
        return first

    return twist


def under_another_name() -> Twist:
    """The first answer that has a page, as if it were about this target."""
    first: list[RemoteEvidence] = []

    def twist(asked: Asked, honest: Sequence[RemoteEvidence]) -> Sequence[RemoteEvidence]:
        if not first and any(isinstance(e, HTTPExchange) for e in honest):
            first.extend(honest)
        host = parse(asked.url).host
        return [
            msgspec.structs.replace(e, url=asked.url, hostname=host)
            if isinstance(e, DNSExchange | CertificateCheck)
            else msgspec.structs.replace(e, url=asked.url)
            for e in first
        ]

    return twist


async def ten_megabytes(stream: trio.abc.Stream, reply: bytes) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (10 * MEGA))
    for _ in range(10):
        await stream.send_all(b" " * MEGA)


async def a_byte_a_second(stream: trio.abc.Stream, reply: bytes) -> None:
    for n in range(len(reply)):
        await stream.send_all(reply[n : n + 1])
        await trio.sleep(1)


async def half(stream: trio.abc.Stream, reply: bytes) -> None:
    await stream.send_all(reply[: len(reply) // 2])


async def never(stream: trio.abc.Stream, reply: bytes) -> None:
    await trio.sleep_forever()


async def elsewhere(stream: trio.abc.Stream, reply: bytes) -> None:
    to = f"https://{CONTROLS[1][1]}/".encode()
    head = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n"
    await stream.send_all(head % to)


async def rubbish(stream: trio.abc.Stream, reply: bytes) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n[[[[[[[[")


def lies() -> dict[str, Lie]:
    """Every lie by its name, anew: some remember what they were asked."""
    return {
        "well": Lie(about="says that everything is well", twist=all_is_well),
        "shut": Lie(about="says that everything is blocked", twist=all_is_shut),
        "page": Lie(about="names another page", twist=another_page),
        "address": Lie(about="names other addresses", twist=other_addresses),
        "name": Lie(about="says that there is no such name", twist=no_such_name),
        "certificate": Lie(about="names other certificates", twist=other_certificates),
        "target": Lie(about="answers for another target", twist=always_the_first()),
        "renamed": Lie(about="the same, under the name that was asked",
                       twist=under_another_name()),
        "old": Lie(about="answers of two hours ago", age=7200.0),
        "large": Lie(about="answers with 10 MB", say=ten_megabytes),
        "drip": Lie(about="a byte a second", say=a_byte_a_second),
        "half": Lie(about="closes midway", say=half),
        "silent": Lie(about="takes the question and is silent", say=never),
        "redirect": Lie(about="redirects to another control", say=elsewhere),
        "rubbish": Lie(about="answers rubbish", say=rubbish),
        "forged": Lie(about="shows another name's certificate", name=CONTROLS[1][1]),
    }  # fmt: skip


def run_liars(ready: Callable[[], None], chosen: Mapping[str, Lie], folder: Path) -> None:
    """The *chosen* lies, each on its port, as the whole of a process; see `port_of`."""

    async def main() -> None:
        trust = ssl.create_default_context(cafile=folder / "all-roots.pem")
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        async with (
            httpx2.AsyncClient(verify=trust, trust_env=False, timeout=60, limits=limits) as http,
            trio.open_nursery() as nursery,
        ):
            for name, lie in chosen.items():
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                context.load_cert_chain(folder / f"{lie.name}.pem", folder / f"{lie.name}.key")
                serve = partial(
                    trio.serve_ssl_over_tcp, partial(_answer, lie, http), port_of(name), context,
                    host=CONTROLS[0][2][0], https_compatible=True,
                )  # fmt: skip
                await nursery.start(serve)
            ready()

    trio.run(main)


def port_of(name: str) -> int:
    return FIRST_PORT + list(lies()).index(name)


def url_of(name: str) -> str:
    """Where the control that tells this lie is asked."""
    return f"https://{CONTROLS[0][1]}:{port_of(name)}/"


async def _answer(lie: Lie, http: httpx2.AsyncClient, stream: trio.SSLStream[Any]) -> None:
    try:
        async with stream:
            method, path, body = await _request(stream)
            reply = await http.request(
                method, f"https://{CONTROLS[0][2][0]}{path}", content=body,
                extensions={"sni_hostname": CONTROLS[0][1]},
            )  # fmt: skip
            said = _twisted(lie, body, reply.content) if path == "/" and body else reply.content
            head = f"HTTP/1.1 {reply.status_code} So\r\ncontent-length: {len(said)}\r\n"
            whole = f"{head}connection: close\r\n\r\n".encode() + said
            if lie.say is None or method == "GET":
                await stream.send_all(whole)
            else:
                await lie.say(stream, whole)
    except (trio.BrokenResourceError, trio.ClosedResourceError, httpx2.HTTPError, EOFError):
        return  # the probe or the honest control has gone


async def _request(stream: trio.SSLStream[Any]) -> tuple[str, str, bytes]:
    heard = b""
    while b"\r\n\r\n" not in heard:
        if not (part := await stream.receive_some(64 * 1024)):
            raise EOFError
        heard += part
    head, _, body = heard.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head.lower())
    while length is not None and len(body) < int(length[1]):
        if not (part := await stream.receive_some(64 * 1024)):
            raise EOFError
        body += part
    method, path, _ = head.decode("latin-1").split(" ", 2)
    return method, path, body


def _twisted(lie: Lie, body: bytes, answer: bytes) -> bytes:
    fields = msgspec.json.decode(answer)
    extra = fields.get("x_zond")
    if extra is None:
        return answer
    if lie.twist is not None:
        question = read_question(body)
        told = dict.fromkeys(endpoint(text)[0] for text in question.tcp_connect or ())
        asked = Asked(question.http_request, tuple(told))
        honest = unpack(msgspec.Raw(msgspec.json.encode(extra["evidence"])))
        extra["evidence"] = lie.twist(asked, honest)
    extra["age"] = lie.age
    return msgspec.json.encode(fields)
