"""Coverage-guided fuzzing of what eats what strangers send: a batch, OONI's documents.

    python bench/fuzz.py batch|lines|ooni [--seconds 120] [--corpus DIR]

``batch``: bytes to the opener of batches, sealed or not. ``lines``: the documents of a batch
whose signature is right, to their reading and marks. ``ooni``: a document as it is submitted, to
its reader and to what is derived of it. Each must be read or refused with a reason; whatever
else is raised ends the run with the input, in a file of the working folder. Half of the
changes are made to the JSON as a tree, since a changed byte mostly ends at its parser. Needs
atheris (``pip install '.[bench]'``; Linux, CPython 3.11 to 3.13).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from analysis.collector.documents import read as read_lines
from analysis.collector.identities import Identities
from analysis.collector.ooni_documents import submitted
from analysis.collector.plausible import marks
from analysis.observe.derive import observe
from analysis.observe.services import is_service, service_rows
from probe.formats import batch
from probe.formats.batch import BatchError, CollectorSecret, Header
from probe.formats.ooni import Imported, read
from probe.serving.clients import Refused
from tests.collector.test_fuzz_documents import GOOD, NASTY
from tests.formats.test_fuzz import ODD, SEEDS

Target = Callable[[bytes], None]
NOW = 1_795_000_000.0  # POSIX seconds: one input means the same each time
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
SECRET = CollectorSecret()
HEADER = Header(
    software="zond", pseudonym=batch.pseudonym(KEY.public_key()), probe_cc="BY", probe_asn=6697,
    month="2026-11", nonce="00" * 32, documents=3,
)  # fmt: skip
FOLLOWED = ("probe.formats", "analysis.collector", "analysis.observe")
STRANGE = [v for v in [*NASTY, *ODD] if not (isinstance(v, str) and len(v) > 10_000)]


def open_batch(data: bytes) -> None:
    try:
        packed = SECRET.open(data) if batch.is_sealed(data) else data
        batch.unpack(packed)
    except BatchError:
        pass


def read_batch(data: bytes) -> None:
    lines = [line for line in data.split(b"\n") if line]
    header = msgspec.structs.replace(HEADER, documents=len(lines))
    try:
        found = read_lines(batch.unpack(batch.pack(batch.plain(header, lines), KEY)).documents)
    except BatchError:  # none, or too many of them
        return
    marks(HEADER, found, NOW)
    with tempfile.TemporaryDirectory() as folder:
        identities = Identities(Path(folder) / "identities.db")
        identities.marks(HEADER, found, NOW)
        identities.close()


def read_ooni(data: bytes) -> None:
    try:
        submitted(data, "", "203.0.113.7", NOW)
    except Refused:
        pass
    found = read(data)
    if isinstance(found, Imported):
        for measurement in found.measurements:
            if is_service(measurement):
                service_rows(measurement, found.run, found.canaries)
            else:
                observe(measurement, found.run, found.canaries)


def seeds(name: str) -> list[bytes]:
    """What a run begins with."""
    if name == "ooni":
        return [json.dumps(seed).encode() for seed in SEEDS]
    lines = [json.dumps(document).encode() for document in GOOD]
    if name == "lines":
        return [b"\n".join(lines), *lines]
    packed = batch.pack(batch.plain(HEADER, lines), KEY)
    return [packed, batch.CollectorKey(SECRET.public).seal(packed)]


TARGETS: dict[str, Target] = {"batch": open_batch, "lines": read_batch, "ooni": read_ooni}


def followed() -> list[FunctionType]:
    """The functions whose branches are followed: ours alone, since all others take minutes."""
    found = []
    for name, module in list(sys.modules.items()):
        if name.startswith(FOLLOWED):
            for one in vars(module).values():
                inside = vars(one).values() if isinstance(one, type) else (one,)
                found += [
                    f for f in inside if isinstance(f, FunctionType) and f.__module__ == name
                ]
    return found


def changed(data: bytes, seed: int) -> bytes:
    """*data*, a line of JSON of it changed at one place of its tree; b'' where it is none."""
    chance = random.Random(seed)
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    try:
        whole = json.loads(lines[at])
        value = whole
        while isinstance(value, (dict, list)) and value:
            inside, key = value, chance.choice(
                list(value) if isinstance(value, dict) else range(len(value))
            )
            value = inside[key]
            if chance.random() < 0.25:
                break
        else:
            if value is whole:
                return b""
        if chance.random() < 0.15:
            del inside[key]
        elif chance.random() < 0.2 and isinstance(inside, list):
            inside.append(value)
        else:
            inside[key] = chance.choice(STRANGE)
        lines[at] = json.dumps(whole).encode()
    except (ValueError, RecursionError, UnicodeError):
        return b""
    return b"\n".join(lines)


def main() -> None:
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--corpus", type=Path, help="kept from one run to the next")
    given = parser.parse_args()
    for function in followed():
        atheris.instrument_func(function)
    target = TARGETS[given.target]

    def mutate(data: bytes, most: int, seed: int) -> Any:
        found = changed(data, seed) if given.target != "batch" and seed % 2 else b""
        return found if 0 < len(found) <= most else atheris.Mutate(data, most)

    with tempfile.TemporaryDirectory() as folder:
        corpus = given.corpus or Path(folder)
        corpus.mkdir(exist_ok=True)
        for number, seed in enumerate(seeds(given.target)):
            (corpus / f"seed-{number}").write_bytes(seed)
        print(f"{given.target}: {time.strftime('%H:%M:%S')}", file=sys.stderr)
        atheris.Setup(
            [sys.argv[0], str(corpus), f"-max_total_time={given.seconds}", "-max_len=65536",
             "-timeout=10", "-rss_limit_mb=1500", "-print_final_stats=1"],
            target, custom_mutator=mutate,
        )  # fmt: skip
        atheris.Fuzz()


if __name__ == "__main__":
    main()
