"""OONI's documents through our collector and dataset: the same verdicts as by `zond import`?

    python -m bench.ooni_collected DIR [--write]

DIR holds OONI documents (``*.json``, in any folders). They are not ours, and not in this
repository. Each is sent as OONI's probes send it, over the report protocol and over
submit_measurement in turn, plain, with gzip and with zstd in turn, and once more as after a
lost answer; then ``zond dataset build`` makes tables of what the collector holds. The verdicts
in them are compared with those on the same files imported. Exit status 1 where a byte, a
document or a verdict differs. --write puts what was counted into ``docs/collector.md``.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2

from analysis.collector.reading import ReceivedOoni, received
from analysis.verdict import judge, observations
from probe.formats.ooni import Imported, read
from probe.importing import import_files, sources
from probe.store import Store
from tests.collector.service import ZOND, collector

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PAGE = Path(__file__).parent.parent / "docs" / "collector.md"
MARKED = re.compile(r"<!-- bench/ooni_collected.py -->.*?<!-- end -->", re.DOTALL)
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes, "gzip": gzip.compress, "zstd": zstd.compress,
}  # fmt: skip
OPENING = ("data_format_version", "probe_asn", "probe_cc", "software_name", "software_version",
           "test_name", "test_version", "test_start_time")  # fmt: skip

UNKNOWN = -1.0  # a probability, in the dataset
Said = dict[tuple[str, str], tuple[str, str, str, float]]


class Sender:
    """Sends documents as OONI's probes do; *client* knows the collector's URL."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        self._sent = 0
        self.refused: Counter[str] = Counter()

    def send(self, data: bytes) -> str:
        """The uid that the collector has *data* under; empty where it was refused."""
        encoding = list(ENCODINGS)[self._sent % 3]
        legacy = self._sent % 2 == 0
        self._sent += 1
        if legacy:
            whole = json.loads(data)
            asked = {key: whole[key] for key in OPENING if isinstance(whole.get(key), str)}
            report = self._post("report", json.dumps(asked | {"format": "json"}).encode(), "")
            path = f"report/{report['report_id']}"
            body = b'{"format":"json","content":' + data + b"}"
        else:
            path = "api/v1/submit_measurement"
            body = json.dumps({
                "format": "json", "content": data.decode(), "nym": None, "zkp_request": None,
                "manifest_version": None, "protocol_version": None,
            }).encode()  # fmt: skip
        answer = self._post(path, body, encoding)
        if legacy:
            self._post(f"{path}/close", b"", "")
        return str(answer.get("measurement_uid", ""))

    def _post(self, path: str, body: bytes, encoding: str) -> dict[str, Any]:
        headers = {"content-type": "application/json"}
        if encoding:
            headers["content-encoding"] = encoding
        answer = self._client.post(path, content=ENCODINGS[encoding](body), headers=headers)
        said: dict[str, Any] = answer.json()
        if answer.status_code != 200:
            self.refused[str(said.get("reason"))] += 1
        return said


def by_import(folder: Path, db: Path) -> Said:
    with Store(db, write=True) as store:
        import_files(store, list(sources([folder])))
        rows = [row for run in store.runs() for row in observations(store, run)]
    return {
        (row.measurement_id, row.url): (
            v.outcome, ",".join(v.mechanisms), ",".join(v.rules),
            UNKNOWN if v.probability is None else v.probability,
        )
        for row, v in zip(rows, judge(rows), strict=True)
    }


def by_dataset(data: Path, out: Path) -> Said:
    _zond("dataset", "build", "--collector-data", data, "--out", out)
    lines = _zond(
        "dataset", "query", out, "--format", "jsonl",
        "SELECT measurement_id, url, outcome, mechanisms, rules, probability FROM verdicts",
    )  # fmt: skip
    return {
        (row["measurement_id"], row["url"]): (
            row["outcome"], row["mechanisms"], row["rules"], row["probability"]
        )
        for row in map(json.loads, lines.splitlines())
    }  # fmt: skip


def _zond(*arguments: str | Path) -> str:
    done = subprocess.run([ZOND, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"zond {arguments[0]} {arguments[1]}: {done.stderr}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    documents = {file: file.read_bytes().strip() for file in sorted(given.folder.rglob("*.json"))}
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "collector"
        with (
            collector(data) as running,
            httpx2.Client(base_url=running.url, timeout=60) as client,
        ):
            sender = Sender(client)
            uids = {file: sender.send(text) for file, text in documents.items()}
            again = {file: sender.send(text) for file, text in documents.items()}
        held = {item.uid: item for item in received(data) if isinstance(item, ReceivedOoni)}
        collected = by_dataset(data, Path(scratch) / "dataset")
        imported = by_import(given.folder, Path(scratch) / "imported.db")
    altered = [f for f, uid in uids.items() if uid and held[uid].document != documents[f]]
    moved = [f for f in documents if uids[f] != again[f]]
    unread = sum(not isinstance(read(text), Imported) for text in documents.values())
    different = {k for k in collected.keys() | imported.keys()
                 if collected.get(k) != imported.get(k)}  # fmt: skip
    for key in sorted(different):
        print(f"{key}: collected {collected.get(key)}, imported {imported.get(key)}")
    for file in [*altered, *moved]:
        print(f"{file}: not as it was sent, or under two uids")
    for reason, times in sender.refused.items():
        print(f"refused {times} x {reason}")
    names = {hashlib.sha256(text).digest() for text in documents.values()}
    said = (
        f"{len(documents)} documents ({len(names)} different ones), each sent twice, over both\n"
        f"calls and all encodings: {len(held)} held, {len(altered)} altered, {len(moved)} under two"
        f" uids, {sender.refused.total()} refused;\n"
        f"{unread} that nobody here can read are kept and set aside. Of {len(imported)} verdicts"
        f" by `zond import`,\n{len(imported.keys() - different)} are the same in the dataset,"
        f" {len(different)} differ."
    )
    print(said)
    if given.write:
        marked = f"<!-- bench/ooni_collected.py -->\n{said}\n<!-- end -->"
        PAGE.write_text(MARKED.sub(lambda _: marked, PAGE.read_text()))
    return 1 if different or altered or moved or sender.refused else 0


if __name__ == "__main__":
    sys.exit(main())
