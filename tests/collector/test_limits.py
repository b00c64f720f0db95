"""Fair among clients and keys, and nowhere written down who they are."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import trio
import trustme
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analysis.collector import logs
from analysis.collector.intake import names
from analysis.collector.limits import Limits
from analysis.collector.server import Options, serve
from probe.serving.clients import Clients, Refused
from tests.collector.service import PATIENCE, collector, line, some_batch, some_measurement


@asynccontextmanager
async def serving(data: Path, limits: Limits, options: Options | None = None) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:

        async def run(task_status: trio.TaskStatus[str]) -> None:
            await serve(
                "127.0.0.1:0", data, limits=limits, options=options, stop=trio.Event(),
                task_status=task_status,
            )  # fmt: skip

        yield await nursery.start(run)
        nursery.cancel_scope.cancel()


async def put(
    client: httpx2.AsyncClient, url: str, *, key: Ed25519PrivateKey | None = None, of: str = ""
) -> httpx2.Response:
    """A batch signed by *key*, said to be forwarded for the address *of*."""
    name, packed, _ = some_batch(line(some_measurement()), key=key)
    headers = {"x-forwarded-for": of} if of else {}
    return await client.put(f"{url}v1/batches/{name}", content=packed, headers=headers)


async def test_a_client_is_told_to_come_again_and_others_are_not(tmp_path: Path) -> None:
    limits = Limits(batches_per_client=2)
    async with serving(tmp_path, limits, Options(behind_proxy=True)) as url:
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:
            first = [await put(client, url, of="10.9.9.9, 198.51.100.7") for _ in range(3)]
            other = await put(client, url, of="198.51.100.8")
    assert [a.status_code for a in first] == [200, 200, 429]
    assert int(first[2].headers["retry-after"]) > 0 and first[2].json()["reason"]
    assert other.status_code == 200


async def test_who_is_behind_no_proxy_cannot_choose_an_address(tmp_path: Path) -> None:
    async with serving(tmp_path, Limits(batches_per_client=2)) as url:
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:
            answers = [await put(client, url, of=f"198.51.100.{n}") for n in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]


async def test_a_key_has_a_quota_wherever_it_comes_from(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    async with serving(tmp_path, Limits(batches_per_key=2), Options(behind_proxy=True)) as url:
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:
            answers = [
                await put(client, url, key=key, of=f"198.51.100.{n}") for n in range(3)
            ]
            other = await put(client, url, of="198.51.100.1")
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert other.status_code == 200


async def test_bytes_are_counted_too(tmp_path: Path) -> None:
    async with serving(tmp_path, Limits(bytes_per_client=1500)) as url:
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:
            answers = [(await put(client, url)).status_code for _ in range(5)]
    assert answers[0] == 200 and answers[-1] == 429


async def test_the_addresses_of_one_home_are_one_client() -> None:
    clients = Clients(window=600)
    clients.spend("documents 2001:db8:1:2::1", 1)
    with pytest.raises(Refused):
        clients.spend("documents 2001:db8:1:2:ffff::2", 1)
    clients.spend("documents 2001:db8:1:100::1", 1)
    assert "2001" not in repr(vars(clients))


@pytest.mark.parametrize(("client", "text", "told"), [
    ("8.8.4.4", b'"at 8.8.4.4"', True),
    ("8.8.4.4", b'"8.8.4.40 18.8.4.4 8.8.4.4.1"', False),
    ("2606:2800::1", b'"2606:2800::1"', True),
    ("2606:2800::1", b'"2606:2800::1f"', False),
    ("127.0.0.1", b'"127.0.0.1"', False),
    ("", b"", False),
])  # fmt: skip
def test_a_clients_own_address_is_found_in_what_it_sends(
    client: str, text: bytes, told: bool
) -> None:
    assert names(client, text) is told


def test_no_address_of_a_client_is_on_the_disk_or_in_the_log(tmp_path: Path) -> None:
    transport = httpx2.HTTPTransport(local_address="127.0.0.77")
    client = httpx2.Client(transport=transport, timeout=PATIENCE)
    with collector(tmp_path) as running, client:
        name, packed, _ = some_batch(line(some_measurement()))
        assert client.put(f"{running.url}v1/batches/{name}", content=packed).status_code == 200
        assert client.put(f"{running.url}v1/batches/{name}", content=b"x").status_code == 400
        opened = client.post(f"{running.url}report", json={"test_name": "ndt"}).json()
        document = {"test_name": "ndt", "measurement_start_time": "2026-11-22 10:00:00"}
        submitted = client.post(
            f"{running.url}report/{opened['report_id']}",
            json={"format": "json", "content": document},
        )
        assert submitted.status_code == 200
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(PATIENCE)
        assert running.process.stderr is not None
        log = running.process.stderr.read()
    assert "stopped" in log
    needles = [b"127.0.0.77", bytes([127, 0, 0, 77]), b"7f00004d"]
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) >= 6
    for data in [log.encode(), *(p.read_bytes() for p in files)]:
        assert not any(needle in data for needle in needles)
    assert all(p.stat().st_mode & 0o077 == 0 for p in files)


def test_a_line_of_the_log_quotes_no_other_library() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Lines())
    for name in ("analysis.collector.x", "h2"):
        log = logging.getLogger(name)
        log.addHandler(handler)
        log.warning("met %s", "192.0.2.1", extra={"count": 3})
        log.removeHandler(handler)
    ours, other = map(json.loads, stream.getvalue().splitlines())
    assert (ours["event"], ours["count"]) == ("met 192.0.2.1", 3)
    assert "192.0.2.1" not in json.dumps(other)


async def test_it_speaks_tls_with_its_own_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "both.pem"
    )
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    both = str(tmp_path / "both.pem")
    options = Options(tls_cert=both, tls_key=both, key=tmp_path / "elsewhere.key")
    async with serving(tmp_path / "data", Limits(), options) as url:
        assert url.startswith("https://")
        async with httpx2.AsyncClient(verify=trust, timeout=PATIENCE) as client:
            assert (await put(client, url)).status_code == 200
    assert os.stat(tmp_path / "elsewhere.key").st_mode & 0o777 == 0o600
    assert not (tmp_path / "data" / "secret.key").exists()
