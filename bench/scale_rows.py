"""Observation rows as a month of a large dataset would hold them, for bench/scale.py.

A few hundred kinds of row, drawn in the shares in which a national test list shows them
(nine in ten are fine), each set down at its own time, target, network and probe. Parquet
files of a million rows, one for each day.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from analysis.dataset.columns import SCHEMA, stored
from analysis.observations import Observation

PER_FILE = 1_000_000
TARGETS, NETWORKS, PROBES = 30_000, 400, 20_000
START = 1_780_272_000.0  # 2026-06-01
KINDS = 400

# Share of the rows, and what they have in common.
_MIX: list[tuple[float, dict[str, list[Any]]]] = [
    (0.78, {"path_end": ["page"], "path_certified": [True], "path_status": [200],
            "page_match": ["same", "similar", "differs"]}),
    (0.08, {"path_end": ["page"], "path_status": [200], "page_match": ["same", "similar"]}),
    (0.02, {"path_end": ["page"], "path_certified": [True], "path_status": [403, 404],
            "page_status_shared": [0, 2], "page_status_good": [0, 2]}),
    (0.03, {"path_end": ["tcp", "dns", "tls"], "path_how": ["silence", "refused"],
            "path_shared": [2]}),
    (0.02, {"path_end": ["tcp", "tls"], "path_how": ["silence"], "path_elsewhere": [1]}),
    (0.01, {"home_lost": [True], "path_end": ["tcp", "dns"], "path_how": ["silence"]}),
    (0.02, {"path_end": ["tls"], "path_how": ["reset"], "tls_reset": [1, 2],
            "path_contradicted": [1, 2], "path_elsewhere": [2], "followed": ["tls"],
            "again_same": [3, 4, 6], "again_tries": [6], "elsewhere": ["same"],
            "harmless_elsewhere": ["free"], "harmless_here": ["free"], "hop_high": [0, 2, 5],
            "hop_low": [2], "hop_asn": [6697], "hop_met": [3]}),
    (0.02, {"path_end": ["dns", "page"], "dns_own": ["lie", "nxdomain"], "dns_controls": [2],
            "dns_witnesses": [2, 3], "followed": ["dns"], "fingerprint_dns": ["", "F01"]}),
    (0.01, {"path_end": ["page"], "path_status": [200], "page_match": ["differs"],
            "http_blockpage": [2], "fingerprint_page": ["", "F02"]}),
    (0.01, {"path_end": ["page"], "path_certified": [True], "path_status": [200],
            "speed_seconds": [8.0], "speed_p": [0.004], "speed_excess": [3.0],
            "speed_controls": [2], "speed_name_p": [0.004], "speed_name_ratio": [4.0]}),
]  # fmt: skip


def kinds(seed: int) -> tuple[pa.Table, np.ndarray]:
    """The kinds of row, and how often each is drawn."""
    rng = random.Random(seed)
    rows, weights = [], []
    for share, common in _MIX:
        several = max(3, int(KINDS * share))
        for _ in range(several):
            values = {name: rng.choice(options) for name, options in common.items()}
            values |= {
                "controls": rng.choice([2, 2, 3]), "controls_asked": 3, "measured": True,
                "nettest": "web_connectivity", "run_ended": "done", "domestic_alive": True,
                "line_connects": rng.randrange(20, 4000), "line_late": rng.randrange(9),
                "canary_looks": rng.randrange(30), "canary_failures": rng.choice([0, 0, 0, 1]),
                "path_ip": f"192.0.2.{rng.randrange(256)}", "path_length": rng.randrange(5, 20),
                "category": rng.choice(["NEWS", "HUMR", "COMT", "ANON", "POLR", "MMED"]),
                "network_type": rng.choice(["", "fixed", "mobile"]),
            }  # fmt: skip
            values.setdefault("dns_own", "true")
            row = Observation(run_id="", url="")
            rows.append(msgspec.structs.replace(row, **values))
            weights.append(share / several)
    return stored(rows), np.asarray(weights) / sum(weights)


def tables(count: int, seed: int) -> Iterator[tuple[str, pa.Table]]:
    """*count* rows, a date and a table for each file of a million."""
    of, weights = kinds(seed)
    hosts = pa.array([f"site{n}.example" for n in range(TARGETS)])
    urls = pc.binary_join_element_wise("https://", hosts, "/", "")
    words = {name: of[name].combine_chunks() for name in SCHEMA.names}
    words = {
        name: values.dictionary_encode() if pa.types.is_string(values.type) else values
        for name, values in words.items()
    }
    constant = {
        name: values.take(pa.array(np.zeros(min(count, PER_FILE), np.int64)))
        for name, values in words.items() if len(values.unique()) == 1
    }
    # Some targets and networks are measured far more than others.
    popular = 1 / np.arange(1, TARGETS + 1) ** 0.6
    for number, first in enumerate(range(0, count, PER_FILE)):
        rng = np.random.default_rng((seed, number))
        size = min(PER_FILE, count - first)
        kind = pa.array(rng.choice(len(weights), size, p=weights))
        # Most columns say the same in all kinds; words are written as numbers of few words.
        columns = {
            name: constant[name].slice(0, size) if name in constant else words[name].take(kind)
            for name in SCHEMA.names
        }
        target = pa.array(rng.choice(TARGETS, size, p=popular / popular.sum()))
        probe = (PROBES * rng.random(size) ** 2).astype(np.int64)
        network = 6000 + probe * 7919 % NETWORKS
        ids = rng.bytes(8 * size)
        day = START + 86400.0 * (number % 31)
        date = str(np.datetime64(int(day), "s"))[:10]
        columns |= {
            "measurement_id": pa.array([ids[8 * n : 8 * n + 8].hex() for n in range(size)]),
            "run_id": _words(probe + 10**6 * number),
            "probe_id": _words(probe),
            "url": pa.DictionaryArray.from_arrays(target, urls),
            "host": pa.DictionaryArray.from_arrays(target, hosts),
            "measured_at": pa.array(day + 86400.0 * rng.random(size)),
            "probe_asn": pa.array(network),
            "resolver_asn": pa.array(np.where(rng.random(size) < 0.25, 15169, network)),
            "probe_cc": _words(np.where(network < 6040, "BY", "RU")),
            "date": _words(np.full(size, date)),
        }
        yield date, pa.table(columns)


def _words(values: np.ndarray) -> pa.Array:
    found, places = np.unique(values, return_inverse=True)
    return pa.DictionaryArray.from_arrays(pa.array(places), pa.array(found.astype(str)))


def write(folder: Path, count: int, seed: int = 1) -> Path:
    """*count* rows below *folder*, which is left as it is where it has them."""
    done = folder / f"rows-{count}-{seed}"
    if done.exists():
        return done
    for number, (_date, table) in enumerate(tables(count, seed)):
        path = folder / "half" / f"{number:04}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, compression="zstd", row_group_size=100_000,
                       store_schema=False)  # fmt: skip
    (folder / "half").rename(done)
    return done
