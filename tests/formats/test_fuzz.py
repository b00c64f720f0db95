"""Whatever a document is, it is read or set aside; and what is read can be judged."""

from __future__ import annotations

import copy
import io
import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.observe.derive import observe
from probe.evidence import Measurement
from probe.formats.ooni import Imported, Refused, read
from probe.formats.ooni.files import documents
from tests.formats.documents import SITE, document, fine, keys, query, request
from tests.formats.test_lone import CASES

_QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
_evidence = msgspec.json.Decoder(Measurement)

SEEDS = [
    json.loads(document(test_keys, input=url)) for test_keys, url, *_ in CASES.values()
] + [
    json.loads(document(fine("http"), input="http://news.example/")),
    json.loads(document(keys(
        [query("udp", (SITE,))], requests=[request("http://news.example/", SITE)],
        x_dns_duplicate_responses=[query("udp", (SITE,))]))),
]  # fmt: skip
ODD: list[Any] = [
    None, True, False, 0, -1, 2**63, 10**30, 1.5, -1e300, "", "\x00", "a" * 5000, "http://[", "é",
    "127.0.0.1", "::1%eth0", "fe80::1", "999.1.1.1", [], {}, [[]], {"": ""}, [None], "https://",
    "depth=63", "depth=9999", "generic_timeout_error", "dns_nxdomain_error", "AS99999999999",
    {"format": "base64", "data": "%%%"}, {"format": "gzip", "data": ""}, "http://xn--/", "//x",
    "2024-02-30 00:00:00", "9999-12-31 23:59:59", "0001-01-01 00:00:00", ["depth=1"], "x:70000",
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        found += [p for k, v in value.items() for p in places(v, (*path, k))]
    elif isinstance(value, list):
        found += [p for i, v in enumerate(value) for p in places(v, (*path, i))]
    return found


def changed(seed: Any, path: tuple[Any, ...], value: Any, how: str) -> Any:
    whole = copy.deepcopy(seed)
    at = whole
    for step in path[:-1]:
        at = at[step]
    if not path:
        return value
    if how == "drop" and isinstance(at, dict):
        at.pop(path[-1], None)
    elif how == "repeat" and isinstance(at[path[-1]], list):
        at[path[-1]] = at[path[-1]] * 3
    else:
        at[path[-1]] = value
    return whole


def is_sound(data: bytes) -> None:
    found = read(data, origin="x")
    if isinstance(found, Refused):
        assert found.reason and len(found.reason) <= 300
        return
    assert isinstance(found, Imported) and found.measurements
    for measurement in found.measurements:
        # What came in can be written, read back, and judged.
        assert measurement == _evidence.decode(msgspec.json.encode(measurement))
        observe(measurement, found.run, ())


@_QUICK
@given(st.data())
def test_document_with_odd_values_is_read_or_set_aside(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(SEEDS))
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(places(whole)))
        how = data.draw(st.sampled_from(["odd", "drop", "repeat"]))
        whole = changed(whole, path, data.draw(st.sampled_from(ODD)), how)
    is_sound(json.dumps(whole).encode())


@_QUICK
@given(st.data())
def test_document_with_other_bytes_is_read_or_set_aside(data: st.DataObject) -> None:
    raw = bytearray(json.dumps(data.draw(st.sampled_from(SEEDS)), ensure_ascii=False).encode())
    for _ in range(data.draw(st.integers(1, 20))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    is_sound(bytes(raw))


@_QUICK
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=30,
))  # fmt: skip
def test_any_test_keys_are_read_or_set_aside(value: Any) -> None:
    is_sound(document(value if isinstance(value, dict) else {"queries": value}))


@pytest.mark.parametrize("seed", range(40))
def test_value_of_each_kind_at_each_place(seed: int) -> None:
    dice = random.Random(seed)
    whole = SEEDS[seed % len(SEEDS)]
    for path in dice.sample(places(whole), 20):
        is_sound(json.dumps(changed(whole, path, dice.choice(ODD), "odd")).encode())


@_QUICK
@given(st.binary(max_size=2000))
def test_any_bytes_are_a_stream_of_documents(data: bytes) -> None:
    for magic in (b"", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08\x00" + b"\0" * 6):
        for found in documents(io.BytesIO(magic + data)):
            assert found.line >= 0
            assert isinstance(read(found.data), Refused)


def test_helper_by_the_probes_name_is_not_the_probe() -> None:
    found = read(document(fine(), test_helpers={"backend": {"address": "https://probe/"}}))
    assert isinstance(found, Imported)
    assert {"probe", "ooni"} == {e.vantage for m in found.measurements for e in m.evidence}
