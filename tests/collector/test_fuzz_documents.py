"""Whoever has a key may send what they like: it is stored or refused with a reason, never a fault.

The batches are whole and signed; what is in them is what no probe of ours writes.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.collector.reading import Received, received
from probe.formats import batch
from probe.upload.identity import month_of
from tests.collector.service import ZOND, Running, asked, collector
from tests.probe.records import everything

NASTY: list[Any] = [
    None, True, -1, 0, 2**31, 2**63, -(2**63), 2**64, 10**400, 1e308, -1e308, 1e-320, "", "\0",
    "\ud800", "\u202e", "x" * 70_000, 0.0, -1.5, 1e6, 4e9, 1.5e9, False,
    "../../../../etc/passwd", "'; DROP TABLE batches; --",
    "=1+1", "2026-13", "99999", "::ffff:127.0.0.1%lo", "http://[::1", [], {}, [[]] * 3,
    {"kind": "measurement"}, {"kind": 7}, "%s%n", "<script>", "NaN", "-0", "AS0",
]  # fmt: skip
RAW = [
    b"", b"{", b"[]", b"null", b"NaN", b'{"kind":"measurement"', b"\xff\xfe", b'{"kind":NaN}',
    b'{"kind":"batch"}', b"[" * 5000 + b"]" * 5000, b'{"a":' * 2000 + b"1" + b"}" * 2000,
    b'{"kind":"run","kind":"measurement","id":"00"}', b'"' + b"\\u0000" * 9000 + b'"',
    b'{"kind":"run","id":"\\ud800"}', b"1e999", b"-" + b"9" * 5000, b"\xef\xbb\xbf{}", b"\r",
]  # fmt: skip


def documents() -> list[Any]:
    now = time.time()
    run, measurement, canary = everything(
        lambda kind, place: "text" if kind is str else b"bytes", "00ff00ff", "https://a.example/"
    )
    run = msgspec.structs.replace(run, started_at=now, probe_cc="BY", resolver_cc="BY")
    measurement = msgspec.structs.replace(measurement, id="ab" * 8, about="", started_at=now)
    found = []
    for kind, record in (("run", run), ("measurement", measurement), ("canary", canary)):
        found.append({"kind": kind, **msgspec.json.decode(msgspec.json.encode(record))})
    return found


GOOD = documents()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], new)
    return copy


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(RAW))
    value = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(0, 3))):
        path, old = draw(st.sampled_from(list(places(value))))
        # Of its own type more often than not: that gets further.
        alike = [new for new in NASTY if type(new) is type(old)]
        value = changed(value, path, draw(st.sampled_from(draw(st.sampled_from(
            [alike or NASTY, alike or NASTY, NASTY]
        )))))  # fmt: skip
    return _json(value)


def _json(value: Any) -> bytes:
    # ensure_ascii writes a lone surrogate as an escape, which is how one would arrive.
    return json.dumps(value, ensure_ascii=True).encode()


@st.composite
def headers(draw: st.DrawFn) -> dict[str, Any]:
    """What of a header may be wrong; mostly nothing."""
    if draw(st.integers(0, 3)):
        return {}
    field = draw(st.sampled_from(["software", "probe_cc", "probe_asn", "month", "nonce", "format",
                                  "documents", "pseudonym"]))  # fmt: skip
    return {field: draw(st.sampled_from([*NASTY, "0001-01", "9999-12", "２０２６-11"]))}


def put(running: Running, found: list[bytes], wrong: dict[str, Any]) -> None:
    """A batch of the lines *found* is stored, or refused with a reason."""
    key = Ed25519PrivateKey.generate()
    header = {
        "kind": "batch", "format": 1, "software": "zond", "probe_cc": "BY", "probe_asn": 6697,
        "pseudonym": batch.pseudonym(key.public_key()), "month": month_of(time.time()),
        "nonce": os.urandom(32).hex(), "documents": len(found), **wrong,
    }  # fmt: skip
    text = b"".join(line + b"\n" for line in [_json(header), *found])
    name = batch.name(text)
    address = f"{running.url}v1/batches/{name}"
    answer = asked("PUT", address, content=batch.pack(text, key))
    assert answer.status_code in (200, 400, 422), answer.text
    said = answer.json()
    assert said["sha256"] == name if answer.status_code == 200 else said["reason"]


def test_what_is_in_a_batch_is_no_fault_of_the_collector_and_becomes_a_dataset(
    tmp_path: Path,
) -> None:
    data = tmp_path / "collector"
    with collector(data) as running:

        @settings(max_examples=60, suppress_health_check=list(HealthCheck))
        @given(found=st.lists(lines(), max_size=5), wrong=headers())
        def anything(found: list[bytes], wrong: dict[str, Any]) -> None:
            put(running, found, wrong)

        anything()
        assert running.process.poll() is None
        items = list(received(data))
        assert all(isinstance(item, Received) for item in items)
        assert len(items) == asked("GET", f"{running.url}health").json()["batches"] > 0
    where = ["--collector-data", str(data), "--out", str(tmp_path / "dataset")]
    done = subprocess.run([str(ZOND), "dataset", "build", *where], capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{len(items)} new batches" in done.stderr
