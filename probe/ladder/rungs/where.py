"""At which hop: the same trigger with rising TTL (`probe.ladder.hop_search`)."""

from __future__ import annotations

from probe.evidence import PROBE, HTTPExchange, TCPConnect, TLSHandshake
from probe.failure import Failure
from probe.ladder.climb import Climb
from probe.ladder.hop_search import AddressSearch, NameSearch
from probe.ladder.rung import Accused, rung
from probe.steps.quic import available

DNS_PORT = 53


@rung("where_tls", of=("tls", "certificate"), phase="where")
async def where_tls(climb: Climb, accused: Accused) -> None:
    """At which hop does the name in a ClientHello meet its fate?"""
    if accused.url.ip_literal is None and not _cut_off_unspoken(climb, accused):
        await NameSearch(climb, accused, accused.ip, accused.port, trigger="tls").run()


@rung("where_readdressed", of=("certificate",), phase="where")
async def where_readdressed(climb: Climb, accused: Accused) -> None:
    """From which hop on are packets to the address not heard of, though they get somewhere?"""
    await AddressSearch(climb, accused, accused.ip, accused.port, mute=True).run()


@rung("where_http", of=("http", "page"), phase="where")
async def where_http(climb: Climb, accused: Accused) -> None:
    """At which hop does a plain request meet its fate? (Inside TLS nobody can read one.)"""
    if not accused.url.tls and not _cut_off_unspoken(climb, accused):
        await NameSearch(climb, accused, accused.ip, accused.port, trigger="http").run()


@rung("where_dns", of=("dns",), phase="where")
async def where_dns(climb: Climb, accused: Accused) -> None:
    """At which hop does a query for the name to the accused resolver meet its fate?"""
    await NameSearch(climb, accused, accused.ip, DNS_PORT, trigger="dns").run()


@rung("where_dns_nowhere", of=("dns",), phase="where")
async def where_dns_nowhere(climb: Climb, accused: Accused) -> None:
    """At which hop does a query meet its fate that goes where no resolver is?"""
    for ip in climb.choose_neutral(DNS_PORT, 1):
        search = NameSearch(climb, accused, ip, DNS_PORT, trigger="dns")
        if search.silent or await search.is_forged():
            await search.run()


@rung("where_quic", of=("quic",), phase="where")
async def where_quic(climb: Climb, accused: Accused) -> None:
    """At which hop does the name in a QUIC Initial meet its fate?"""
    if accused.url.ip_literal is None and available():
        await NameSearch(climb, accused, accused.ip, accused.port, trigger="quic").run()


@rung("where_tcp", of=("tcp",), phase="where")
async def where_tcp(climb: Climb, accused: Accused) -> None:
    """At which hop do packets to the address end?"""
    if accused.how != Failure.CONNECTION_RESET:  # then the SYN has passed
        await AddressSearch(climb, accused, accused.ip, accused.port).run()


def _cut_off_unspoken(climb: Climb, accused: Accused) -> bool:
    """Whether connections are cut off where nothing is said, or something harmless: then what
    answers a limited packet has not minded what is in it."""
    held = any(
        isinstance(e, TCPConnect) and e.held and (e.ip, e.port) == (accused.ip, accused.port)
        and e.vantage == PROBE and e.failure is Failure.CONNECTION_RESET
        for e in climb.plain
    )  # fmt: skip
    harmless = [e for e in climb.trace.records if e.step == "harmless"]
    passed = any(isinstance(e, TLSHandshake | HTTPExchange) and not e.failure for e in harmless)
    return held and not passed
