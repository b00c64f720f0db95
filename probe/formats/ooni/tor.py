"""Tor: relays and bridges (tor, ts-023), clients' bootstraps (vanilla_tor ts-016, torsf ts-030).

Each relay is a `RelayLink` beside the records of how it was reached. A bridge whose
address is kept secret (``[scrubbed]``) has the hash of it, by which it is one and the same
in other documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from probe.evidence import AnyEvidence, Bootstrap, RelayLink
from probe.failure import Failure
from probe.formats.ooni.document import MAX_PARTS, MAX_TEXT, Document, Part, Unreadable, seconds
from probe.formats.ooni.failures import failure_of
from probe.formats.ooni.registry import reader
from probe.formats.ooni.shared_keys import Operations, Records, said, target_of

MAX_LINES = 500  # of a client's log
MAX_LINE = 1_000
# "Problem bootstrapping. Stuck at 5% (conn): ... (Connection refused; CONNECTREFUSED; count 1;"
_TROUBLE = re.compile(r"\([^;()]{0,80}; ([A-Z_]{3,24}); count \d")
_KEY = re.compile(r"[0-9A-Za-z]{16,64}")


class Summary(msgspec.Struct):
    failure: str | None = None


class Target(Operations):
    summary: dict[str, Summary] | None = None
    target_address: str | None = None
    target_name: str | None = None
    target_protocol: str | None = None
    target_source: str | None = None


class TorKeys(msgspec.Struct):
    targets: dict[str, Target] | None = None
    dir_port_total: int | None = None
    dir_port_accessible: int | None = None
    obfs4_total: int | None = None
    obfs4_accessible: int | None = None
    or_port_total: int | None = None
    or_port_accessible: int | None = None
    or_port_dirauth_total: int | None = None
    or_port_dirauth_accessible: int | None = None


class ClientKeys(msgspec.Struct):
    bootstrap_time: float | None = 0.0
    error: str | None = None
    failure: str | None = None
    success: bool | None = None
    timeout: float | None = 0.0
    tor_logs: list[str] | None = None
    tor_progress: int | None = None
    tor_progress_tag: str | None = None
    tor_version: str | None = None
    transport_name: str | None = None
    rendezvous_method: str | None = None


_tor = msgspec.json.Decoder(TorKeys | None)
_client = msgspec.json.Decoder(ClientKeys | None)


@reader("tor")
def tor(document: Document) -> Iterator[Part]:
    keys = document.keys(_tor)
    if keys is None:
        raise Unreadable("no test_keys")
    targets = keys.targets or {}
    if len(targets) > MAX_PARTS:
        raise Unreadable("too many targets")
    evidence = [e for key, target in targets.items() for e in _target(document, key, target)]
    counts = [name for name in keys.__struct_fields__ if name != "targets"]
    if evidence:
        yield Part(url="tor://tor", evidence=tuple(evidence), facts=said(keys, *counts))


def _target(document: Document, key: str, target: Target) -> list[AnyEvidence]:
    ip, port = target_of(target.target_address or key)
    secret = key if _KEY.fullmatch(key) and not ip else ""
    if not ip and not secret:
        return []
    url = f"tor://{secret or (f'[{ip}]' if ':' in ip else ip)}" + ("" if secret else f":{port}")
    failure, detail = failure_of(target.failure)
    failed = (name for name, step in (target.summary or {}).items() if step.failure is not None)
    operation = target.failed_operation or next(failed, "") if failure else ""
    link = RelayLink(
        url=url,
        failure=failure,
        detail=detail,
        relay=(target.target_protocol or "unknown")[:MAX_TEXT],
        ip=ip,
        port=port,
        key=secret,
        name=(target.target_name or "")[:MAX_TEXT],
        channel=(target.target_source or "")[:MAX_TEXT],
        operation=operation[:MAX_TEXT],
    )
    return [*Records(document, target, url=url, at=(ip, port)).evidence, link]


@reader("vanilla_tor")
def vanilla_tor(document: Document) -> Iterator[Part]:
    yield from _client_part(document, "vanilla")


@reader("torsf")
def torsf(document: Document) -> Iterator[Part]:
    yield from _client_part(document, "snowflake")


def _client_part(document: Document, transport: str) -> Iterator[Part]:
    keys = document.keys(_client)
    if keys is None:
        raise Unreadable("no test_keys")
    failure, detail = failure_of(keys.failure)
    if failure is None and (keys.success is False or keys.error):
        failure, detail = Failure.UNKNOWN, (keys.error or "no success")[:MAX_TEXT]
    lines = [line[:MAX_LINE] for line in (keys.tor_logs or ())[:MAX_LINES]]
    progress = keys.tor_progress if keys.tor_progress is not None else -1
    bootstrap = Bootstrap(
        failure=failure,
        detail=detail,
        transport=(keys.transport_name or transport)[:MAX_TEXT],
        rendezvous=(keys.rendezvous_method or "")[:MAX_TEXT],
        progress=min(max(progress, -1), 100),
        stage=(keys.tor_progress_tag or "")[:MAX_TEXT],
        seconds=max(0.0, seconds(keys.bootstrap_time)),
        limit=max(0.0, seconds(keys.timeout)),
        tool=(keys.tor_version or "")[:MAX_TEXT],
        troubles=tuple(m.group(1) for line in lines if (m := _TROUBLE.search(line))),
    )
    yield Part(url=f"tor://{transport}", evidence=(bootstrap,), facts=said(keys, "success"))
