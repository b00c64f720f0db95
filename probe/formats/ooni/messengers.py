"""Messengers: telegram (ts-020), whatsapp (ts-018), signal (ts-029), facebook_messenger (ts-019).

A document is one measurement of one service, ``telegram://telegram``, with the evidence of
all its endpoints; which of them are which part of the service is the analysis's to know.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from probe.formats.ooni.document import Document, Part, Unreadable
from probe.formats.ooni.registry import reader
from probe.formats.ooni.shared_keys import Operations, Records, said


class TelegramKeys(Operations):
    telegram_http_blocking: bool | None = None
    telegram_tcp_blocking: bool | None = None
    telegram_web_status: str | None = None
    telegram_web_failure: str | None = None


class WhatsappKeys(Operations):
    registration_server_status: str | None = None
    registration_server_failure: str | None = None
    whatsapp_endpoints_status: str | None = None
    whatsapp_endpoints_blocked: list[str] | None = None
    whatsapp_web_status: str | None = None
    whatsapp_web_failure: str | None = None


class SignalKeys(Operations):
    signal_backend_status: str | None = None
    signal_backend_failure: str | None = None


class FacebookKeys(Operations):
    facebook_dns_blocking: bool | None = None
    facebook_tcp_blocking: bool | None = None


_telegram = msgspec.json.Decoder(TelegramKeys | None)
_whatsapp = msgspec.json.Decoder(WhatsappKeys | None)
_signal = msgspec.json.Decoder(SignalKeys | None)
_facebook = msgspec.json.Decoder(FacebookKeys | None)


@reader("telegram")
def telegram(document: Document) -> Iterator[Part]:
    yield from _part(document, document.keys(_telegram))


@reader("whatsapp")
def whatsapp(document: Document) -> Iterator[Part]:
    yield from _part(document, document.keys(_whatsapp))


@reader("signal")
def signal(document: Document) -> Iterator[Part]:
    yield from _part(document, document.keys(_signal))


@reader("facebook_messenger")
def facebook_messenger(document: Document) -> Iterator[Part]:
    yield from _part(document, document.keys(_facebook))


def _part(document: Document, keys: Operations | None) -> Iterator[Part]:
    if keys is None:
        raise Unreadable("no test_keys")
    found = Records(document, keys)
    own = [name for name in keys.__struct_fields__ if name not in Operations.__struct_fields__]
    if found.evidence:
        yield Part(
            url=f"{document.nettest}://{document.nettest}",
            evidence=tuple(found.evidence),
            addresses=found.addresses,
            facts=said(keys, *own),
        )
