"""Our documents are OONI's: valid by the formats, honest in the summary, and all is read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are no part of it
import msgspec
import pytest

from analysis.observations import Observation
from analysis.observe.derive import observe
from analysis.observe.over_run import forger
from analysis.verdict import judge
from probe.evidence import CanaryCheck, DNSExchange, Measurement, PacketCapture, Run
from probe.failure import Failure
from probe.formats.ooni import Imported, Refused, read
from probe.formats.ooni_export import NotOONI, document
from probe.scrubbing.known import Known
from probe.scrubbing.scrub import Choices, Scrubber
from tests.analysis.build import BOTH, SITE, Scene, to
from tests.analysis.worlds import CASES
from tests.formats.ooni_schemas import DOCUMENT

VALIDATOR = jsonschema.Draft202012Validator(
    DOCUMENT, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


@cache
def scene_of(name: str) -> Scene:
    return CASES[name].build()


def exported(scene: Scene, *, whole: bool = True) -> bytes:
    return document(
        scene.run, scene.measurement(), scene.climbs, scene.canaries, whole=whole
    )


def keys_of(scene: Scene) -> dict[str, Any]:
    keys: dict[str, Any] = json.loads(exported(scene))["test_keys"]
    return keys


def imported(data: bytes) -> Imported:
    found = read(data)
    assert isinstance(found, Imported), found
    return found


def row_of(found: Imported, quic_elsewhere: str) -> Observation:
    plain, *follow_ups = found.measurements
    return observe(
        plain, found.run, found.canaries, forger=forger(found.canaries), follow_ups=follow_ups,
        quic_elsewhere=quic_elsewhere,
    )  # fmt: skip


def judged(rows: Sequence[Observation]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Outcome and mechanisms of each scene; all at once, since a judgement alone is slow."""
    return {n: (v.outcome, v.mechanisms) for n, v in zip(CASES, judge(rows), strict=True)}


@cache
def truth() -> dict[str, tuple[str, tuple[str, ...]]]:
    return judged([scene_of(name).row() for name in CASES])


@pytest.mark.parametrize("name", CASES)
def test_a_document_is_valid_by_the_formats(name: str) -> None:
    found = json.loads(exported(scene_of(name)))
    problems = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in VALIDATOR.iter_errors(found)]
    assert not problems


def test_what_is_read_back_is_what_was_measured_and_is_judged_the_same() -> None:
    rows = []
    for name in CASES:
        scene = scene_of(name)
        found = imported(exported(scene))
        bare = [msgspec.structs.replace(m, document="", origin="") for m in found.measurements]
        assert bare == [scene.measurement(), *scene.climbs], name
        rows.append(row_of(found, scene.quic_elsewhere))
    assert judged(rows) == truth()


def test_scrubbed_documents_are_valid_and_judged_the_same() -> None:
    rows = []
    for name in CASES:
        scene = scene_of(name)
        data = scrubbed(scene)
        VALIDATOR.validate(json.loads(data))
        found = imported(data)
        assert [m.id for m in found.measurements] == ["m", *(m.id for m in scene.climbs)]
        rows.append(row_of(found, scene.quic_elsewhere))
    assert judged(rows) == truth()


def scrubbed(scene: Scene) -> bytes:
    scrubber = Scrubber(Known(), Choices(personal=True))
    run = msgspec.json.decode(scrubber.run(scene.run), type=Run)
    plain, *climbs = (
        msgspec.json.decode(scrubber.measurement(m) or b"", type=Measurement)
        for m in (scene.measurement(), *scene.climbs)
    )
    canaries = [msgspec.json.decode(scrubber.canary(c), type=CanaryCheck) for c in scene.canaries]
    return document(run, plain, climbs, canaries)


# One try in the clear cannot tell; the twin, which tells, is not OONI's.
ACCUSED = "innocent_geographic_redirect_that_our_twin_gets_too"


@pytest.mark.parametrize(
    "name", [n for n, c in CASES.items() if c.outcome == "ok" and n != ACCUSED]
)
def test_the_summary_accuses_nobody_where_all_is_well(name: str) -> None:
    assert keys_of(scene_of(name))["blocking"] in (None, False)


def test_the_summary_is_silent_where_the_controls_differ() -> None:
    failed = Scene().names().control_names().asked(*BOTH)
    failed.connect(tls=Failure.CONNECTION_RESET).visit(by=("one",))
    failed.connect(by=("two",), tls=Failure.CONNECTION_RESET)
    keys = keys_of(failed)
    assert (keys["blocking"], keys["accessible"]) == (None, None)


def test_a_page_under_a_good_certificate_is_accessible_without_any_control() -> None:
    keys = keys_of(Scene().names().asked(silent=BOTH).visit(by=("probe",)))
    assert (keys["blocking"], keys["accessible"]) == (False, True)
    assert keys["control_failure"] == "generic_timeout_error"


def test_the_summary_of_one_try_in_the_clear_accuses_as_the_peer_would() -> None:
    """What OONI's fields cannot say; our verdict on the same document is `ok`."""
    assert keys_of(scene_of(ACCUSED))["blocking"] == "http-diff"


def test_no_failure_is_accessible_without_a_control() -> None:
    scene = Scene().names(own=Failure.DNS_NXDOMAIN).asked(silent=BOTH)
    keys = keys_of(scene)
    assert (keys["blocking"], keys["accessible"]) == (None, None)


def test_the_lie_of_one_resolver_is_not_told_as_that_of_two() -> None:
    scene = scene_of("known_forged_address")
    asked = [e for e in scene.evidence if isinstance(e, DNSExchange) and e.own]
    assert {"system", "udp"} <= {e.engine for e in asked}
    row = row_of(imported(exported(scene, whole=False)), "")
    (verdict,) = judge([row])
    assert "dns.injected" not in verdict.mechanisms


def test_the_newest_request_is_the_first() -> None:
    scene = Scene("http://news.example/").names().control_names().asked(*BOTH)
    scene.visit(page=to("https://news.example/")).visit("https://news.example/", depth=1)
    assert [r["request"]["url"] for r in keys_of(scene)["requests"]] == [
        "https://news.example/", "http://news.example/",
    ]  # fmt: skip


def test_a_follow_up_is_no_document_of_its_own() -> None:
    climb = next(c.build() for c in CASES.values() if c.build().climbs)
    with pytest.raises(NotOONI):
        document(climb.run, climb.climbs[0])


def test_packets_come_back_to_the_byte() -> None:
    scene = Scene().names().visit()
    raw = bytes(range(256))
    plain = msgspec.structs.replace(
        scene.measurement(), evidence=(*scene.evidence, PacketCapture(ip=SITE, raw=(raw,)))
    )
    found = imported(document(scene.run, plain))
    assert found.measurements[0].evidence == plain.evidence


def changed(**parts: Any) -> Imported | Refused:
    """A document of ours with other *parts* in its extension."""
    found = json.loads(exported(Scene().names().visit()))
    for path, value in parts.items():
        at = found["test_keys"]["x_zond"]
        *into, last = path.split("__")
        for key in into:
            at = at[key]
        at[last] = value
    return read(json.dumps(found).encode())


@pytest.mark.parametrize(
    "parts",
    [
        {"format": 2},
        {"measurement__url": "https://another.example/"},
        {"measurement__about": "x"},
        {"measurement__run_id": "another"},
        {"measurement__id": ""},
        {"measurement__id": "x" * 65},
        {"measurement__id": "two\nlines"},
        {"measurement__started_at": 1.0},
        {"measurement__evidence": [{"kind": "verdict"}]},
        {"run__started_at": 1e300},
        {"canaries": [{"run_id": "other", "ring": "home", "name": "x", "at": 1.0}]},
        {"follow_ups": 7},
    ],
)
def test_an_extension_that_is_not_what_it_says_is_refused(parts: dict[str, Any]) -> None:
    assert isinstance(changed(**parts), Refused)


def test_an_extension_of_null_is_none() -> None:
    found = json.loads(exported(Scene().names().visit(), whole=False))
    found["test_keys"]["x_zond"] = None
    assert isinstance(read(json.dumps(found).encode()), Imported)


def test_an_imported_run_of_ours_is_told_from_one_made_here() -> None:
    found = imported(exported(Scene().names().visit()))
    assert found.run.imported
    assert not found.run.source
