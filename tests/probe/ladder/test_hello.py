"""The rungs of another hello, at servers that are choosy about hellos."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import dns.message
import dns.rrset
import pytest
from trio.testing import MockClock

from probe.config import Ladder
from probe.control.client import ControlClient
from probe.evidence import AnyEvidence, DNSAnswer, DNSExchange, TLSHandshake
from probe.failure import Failure
from probe.ladder.climb import Climb, Progress, Tuples, Turns
from probe.ladder.rung import Accused, Run
from probe.ladder.rungs import hello as rungs
from probe.steps import browser
from probe.steps.certificate import Verifier
from probe.steps.engine import Hello
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.trace import Trace
from probe.wire import dns as wire
from probe.wire.ja4 import ja4
from probe.wire.tls import client_hello, handshake_message
from probe.wire.url import parse
from tests.certificates import cafile
from tests.fakenet import Serve, ServerEnd, fake_internet
from tests.probe.steps.test_tls import ech_config

IP, NAME = "93.184.216.34", "site.by"

needs_browser = pytest.mark.skipif(not browser.available(), reason="utls is not installed")


def resets_if(dislikes: Callable[[bytes], bool]) -> Serve:
    """A server, or somebody before it, who judges by the first segment alone."""

    async def serve(stream: ServerEnd) -> None:
        if dislikes(await stream.receive_some()):
            await stream.reset()
        else:
            await stream.send_all(b"\x15\x03\x03\x00\x02\x02\x28")  # an alert: it was read

    return serve


async def climbed(
    run: Run, serve: Serve, folder: Path, *, hello: Hello = "browser",
    plain: Sequence[AnyEvidence] = (),
) -> list[TLSHandshake]:  # fmt: skip
    trace = Trace()
    accused = Accused(
        layer="tls", url=parse(f"https://{NAME}/"), ip=IP, port=443,
        how=Failure.CONNECTION_RESET,
    )  # fmt: skip
    async with fake_internet() as net:
        net.tcp[IP, 443] = serve
        tools = Tools(
            net=net, resolvers=Resolvers(own=()), verifier=Verifier(cafile(folder)), hello=hello
        )
        climb = Climb(
            tools=tools, trace=trace, accused=accused, plain=plain, progress=Progress(),
            settings=Ladder(), controls=cast(ControlClient, None), neutral=[],
            tuples=Tuples(), turns=Turns(1.0),
        )  # fmt: skip
        await run(climb, accused)
    return [e for e in trace.records if isinstance(e, TLSHandshake)]


def of_python(said: bytes) -> bool:
    return ja4(client_hello(handshake_message(said))).startswith("t13d18")


@needs_browser
@pytest.mark.parametrize(("usual", "other"), [("browser", "python"), ("python", "chrome-152")])
async def test_the_other_hello_is_the_one_that_the_plain_pass_did_not_send(
    usual: Hello, other: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    def dislikes(said: bytes) -> bool:
        return of_python(said) == (usual == "python")

    (record,) = await climbed(rungs.other_hello, resets_if(dislikes), tmp_path, hello=usual)
    assert (other, Failure.TLS_FAILED_HANDSHAKE) == (record.hello, record.failure)


async def test_where_there_is_one_hello_only_no_other_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr(browser, "available", lambda: False)
    assert [] == await climbed(rungs.other_hello, resets_if(bool), tmp_path)


@pytest.mark.parametrize("hello", ["python", pytest.param("browser", marks=needs_browser)])
async def test_who_reads_single_segments_misses_a_split_name(
    hello: Hello, tmp_path: Path, autojump_clock: MockClock
) -> None:
    serve = resets_if(lambda said: NAME.encode() in said)
    (record,) = await climbed(rungs.split_hello, serve, tmp_path, hello=hello)
    assert Failure.CONNECTION_RESET != record.failure
    assert (2, NAME) == (record.segments, record.sni)


def https_record(hostname: str, vantage: str, key: bytes) -> DNSExchange:
    message = dns.message.make_response(
        dns.message.from_wire(wire.query(hostname, "HTTPS", 1))
    )
    record = f"1 . alpn=h2 ech={b64encode(key).decode()}"
    message.answer.append(dns.rrset.from_text(f"{hostname}.", 60, "IN", "HTTPS", record))
    return DNSExchange(
        vantage=vantage, hostname=hostname, rdtype="HTTPS", engine="udp",
        answers=(DNSAnswer(raw=message.to_wire()),),
    )  # fmt: skip


@needs_browser
async def test_a_name_is_encrypted_with_the_key_of_its_own_record(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    plain = [
        https_record("other.by", "probe", ech_config("wrong.example")),
        https_record(NAME, "control", ech_config("wrong.example")),
        https_record(NAME, "probe", ech_config("cover.example")),
    ]
    serve = resets_if(lambda said: NAME.encode() in said)
    (record,) = await climbed(rungs.ech_hello, serve, tmp_path, plain=plain)
    assert (True, "cover.example") == (record.ech, record.outer_sni)
    assert Failure.TLS_FAILED_HANDSHAKE == record.failure
    assert [] == await climbed(rungs.ech_hello, serve, tmp_path, plain=plain[:2])
