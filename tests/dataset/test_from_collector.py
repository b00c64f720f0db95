"""What was put to a collector that is serving is in the dataset; killed, put again, built again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from urllib.request import Request, urlopen

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.collector.service import (
    PATIENCE,
    ZOND,
    collector,
    line,
    run_line,
    some_batch,
    some_measurement,
    some_run,
)


def send(url: str, name: str, body: bytes) -> str:
    asked = Request(f"{url.rstrip('/')}/v1/batches/{name}", data=body, method="PUT")
    with urlopen(asked, timeout=PATIENCE) as answer:
        return str(json.load(answer)["stored"])


def zond(*arguments: str | Path) -> str:
    done = subprocess.run(
        [ZOND, "dataset", *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_batch_through_collector_dataset_and_query(tmp_path: Path) -> None:
    data, out = tmp_path / "collector", tmp_path / "dataset"
    key, run = Ed25519PrivateKey.generate(), some_run()
    first, second = (
        some_batch(
            run_line(run),
            line(some_measurement(run.id, url=f"https://{n}.example/", id=os.urandom(16).hex())),
            key=key,
        )
        for n in range(2)
    )
    with collector(data) as running:
        assert "now" == send(running.url, first[0], first[1])
        zond("build", "--collector-data", data, "--out", out)  # while it serves
        assert 1 == json.loads(zond("status", out))["measurements"]
        running.kill()
    with collector(data) as running:
        assert "before" == send(running.url, first[0], first[1])
        assert "now" == send(running.url, second[0], second[1])
        zond("build", "--collector-data", data, "--out", out)
    told = json.loads(zond("status", out))
    assert (2, 2, {}) == (told["batches"], told["measurements"], told["left_out"])
    rows = zond("query", out, "SELECT url, pseudonym FROM verdicts ORDER BY 1", "--format", "jsonl")
    assert [(f"https://{n}.example/", first[2].pseudonym) for n in range(2)] == [
        (row["url"], row["pseudonym"]) for row in map(json.loads, rows.splitlines())
    ]
