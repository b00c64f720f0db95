"""What no network could have produced is marked; what censors do is not."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

from analysis.collector.documents import Documents
from analysis.collector.identities import (
    KEYS_OF_A_PLACE,
    KEYS_OF_AN_HOUR,
    Identities,
    Places,
)
from analysis.collector.networks import Networks, write
from analysis.collector.notes import MARKS
from analysis.collector.plausible import SOFTWARE_BEGAN, marks
from probe.evidence import (
    AnyEvidence,
    ControlQuery,
    DNSAnswer,
    DNSExchange,
    HTTPExchange,
    Measurement,
    Run,
    TCPConnect,
    TLSHandshake,
)
from probe.failure import Failure
from probe.formats.batch import Header
from probe.upload.identity import month_of
from tests.collector.service import some_measurement, some_run

NOW = time.time()
DAY = 86400.0
SITE = "93.184.216.34"


def header(**fields: Any) -> Header:
    usual: dict[str, Any] = {
        "software": "zond test", "pseudonym": os.urandom(16).hex(), "probe_cc": "BY",
        "probe_asn": 6697, "month": month_of(NOW), "nonce": "00" * 32, "documents": 1,
    }  # fmt: skip
    return Header(**usual | fields)


def of(*evidence: AnyEvidence, run: Run | None = None, **fields: Any) -> list[str]:
    """The marks on one measurement with *evidence*, in a batch that is otherwise right."""
    run = run or some_run()
    m = some_measurement(run.id, evidence=evidence, **fields)
    found = marks(header(), Documents(runs={1: run}, measurements={2: m}), NOW)
    assert {mark.mark for mark in found} <= set(MARKS)
    return [mark.mark for mark in found]


def seen(after: float = 0.03) -> tuple[AnyEvidence, ...]:
    """An ordinary visit; each operation *after* seconds after it began."""
    return (
        DNSExchange(hostname="example.org", rdtype="A", engine="udp", t0=0.0, t=after),
        TCPConnect(ip=SITE, port=443, t0=0.1, t=0.1 + after),
        TLSHandshake(ip=SITE, port=443, t0=0.2, t=0.2 + after),
        TCPConnect(ip=SITE, port=80, t0=0.3, t=0.3 + after),
        TLSHandshake(ip=SITE, port=443, t0=0.4, t=0.4 + after),
    )


def test_an_ordinary_measurement_has_no_mark() -> None:
    assert of(*seen()) == []


def test_what_censors_do_has_no_mark() -> None:
    forged = DNSExchange(
        hostname="x.by", rdtype="A", engine="udp", t=0.0009,
        answers=(DNSAnswer(addresses=("127.0.0.1",), t=0.0004), DNSAnswer(t=0.04)),
    )  # fmt: skip
    reset = TLSHandshake(ip=SITE, port=443, t0=0.1, t=0.1004, failure=Failure.CONNECTION_RESET)
    refused = TCPConnect(ip=SITE, port=80, t0=0.1, t=0.1003, failure=Failure.CONNECTION_REFUSED)
    silence = TCPConnect(ip=SITE, port=80, t0=0.1, t=10.1, failure=Failure.TIMEOUT)
    assert of(forged, reset, refused, silence) == []


def test_a_transparent_proxy_nearby_has_no_mark() -> None:
    assert of(*seen(0.0003)) == []


def test_answers_from_afar_without_delay_are_marked() -> None:
    assert of(*seen(1e-6)) == ["faster_than_light"]


def test_time_does_not_run_backwards() -> None:
    assert of(TCPConnect(ip=SITE, port=443, t0=0.5, t=0.1)) == ["backwards"]


def test_a_timeout_needs_time() -> None:
    hasty = TCPConnect(ip=SITE, port=443, t0=0.1, t=0.1, failure=Failure.TIMEOUT)
    assert of(hasty) == ["no_time_to_wait"]


def test_times_that_cannot_be_are_marked() -> None:
    assert "future" in of(started_at=NOW + 10 * DAY)
    assert "before_software" in of(started_at=SOFTWARE_BEGAN - DAY)
    assert "other_month" in of(started_at=NOW - 70 * DAY)
    assert of(run=some_run(started_at=NOW + 10 * DAY)) == ["future"]


def test_a_run_belongs_to_the_network_of_its_batch() -> None:
    assert of(run=some_run(probe_asn=1)) == ["other_network"]
    lone = Documents(measurements={1: some_measurement()})
    assert [mark.mark for mark in marks(header(), lone, NOW)] == ["no_run"]


def test_a_controls_evidence_needs_the_question_and_its_shape() -> None:
    asked = ControlQuery(control="c1", control_url="https://c.example/", t=0.2)
    good = TLSHandshake(ip=SITE, port=443, vantage="c1", chain_sha256=("00" * 32,), t=0.1)
    assert of(asked, good) == []
    assert of(good) == ["control_not_asked"]
    chain = TLSHandshake(ip=SITE, port=443, vantage="c1", chain=(b"DER",), t=0.1)
    raw = DNSExchange(
        hostname="x", rdtype="A", engine="udp", vantage="c1", answers=(DNSAnswer(raw=b"x"),)
    )
    body = HTTPExchange(ip=SITE, port=80, vantage="c1", body=b"page")
    assert [of(asked, odd) for odd in (chain, raw, body)] == [["not_a_control"]] * 3


def test_a_batch_in_which_nothing_takes_time_is_marked() -> None:
    run = some_run()
    refused = TCPConnect(ip=SITE, port=443, failure=Failure.CONNECTION_RESET)

    def batch(runtime: float) -> list[str]:
        found = {
            n: some_measurement(run.id, evidence=(refused,), runtime=runtime) for n in range(2, 20)
        }
        of_all = marks(header(), Documents(runs={1: run}, measurements=found), NOW)
        return [mark.mark for mark in of_all if mark.line == -1]

    assert batch(0.0) == ["all_at_once"]
    assert batch(0.4) == []


@pytest.fixture
def identities(tmp_path: Path) -> Any:
    found = Identities(tmp_path / "identities.db")
    yield found
    found.close()


def told(identities: Identities, who: Header, *measurements: Measurement) -> list[str]:
    documents = Documents(measurements=dict(enumerate(measurements, 1)))
    return [mark.mark for mark in identities.marks(who, documents, NOW)]


def replayed(m: Measurement, **fields: Any) -> Measurement:
    return msgspec.structs.replace(m, **fields)


def test_the_evidence_of_another_document_is_marked(identities: Identities) -> None:
    m = some_measurement(evidence=seen())
    assert told(identities, header(), m) == []
    assert told(identities, header(), replayed(m, id="ab" * 16)) == ["same_evidence"]
    other = some_measurement(evidence=seen(0.031))
    assert told(identities, header(), other) == []


def test_the_same_document_again_is_no_replay(identities: Identities) -> None:
    m, who = some_measurement(evidence=seen()), header()
    assert told(identities, who, m) == told(identities, who, m) == []


def test_a_copy_under_another_key_is_marked(identities: Identities) -> None:
    m, who = some_measurement(evidence=seen()), header()
    told(identities, who, m)
    assert told(identities, header(), m) == ["same_document"]
    assert told(identities, who, m) == []  # whoever sent it first may repeat it
    little = some_measurement()
    told(identities, who, little)
    assert told(identities, header(), little) == ["same_document"]


def test_an_id_that_is_taken_is_marked(identities: Identities) -> None:
    m, who = some_measurement(evidence=seen()), header()
    told(identities, who, m)
    changed = replayed(m, evidence=seen(0.05))
    assert told(identities, header(), changed) == ["same_id"]
    assert told(identities, who, changed) == []  # scrubbed again by the same probe


def test_little_evidence_may_be_alike_by_chance(identities: Identities) -> None:
    lone = (DNSExchange(hostname="x.by", rdtype="A", engine="system", t=0.001),)
    for _ in range(3):
        assert told(identities, header(), some_measurement(evidence=lone)) == []


def test_many_new_keys_of_one_network_in_an_hour_are_marked(identities: Identities) -> None:
    found = [told(identities, header()) for _ in range(KEYS_OF_AN_HOUR + 3)]
    assert found == [[]] * KEYS_OF_AN_HOUR + [["born_together"]] * 3
    assert told(identities, header(probe_asn=25106)) == []


def test_identities_are_forgotten(identities: Identities) -> None:
    m = some_measurement(evidence=seen())
    told(identities, header(), m)
    identities.forget(NOW + 500 * DAY)
    assert told(identities, header(), replayed(m, id="ab" * 16)) == []


def test_many_keys_from_one_place_are_marked_and_no_address_is_kept() -> None:
    places = Places(window=600)
    found = [
        places.marks(f"192.0.2.{n}", os.urandom(32).hex()) for n in range(KEYS_OF_A_PLACE + 1)
    ]
    assert [bool(f) for f in found] == [False] * KEYS_OF_A_PLACE + [True]
    assert places.marks("198.51.100.1", os.urandom(32).hex()) == []
    assert "192.0.2" not in repr(vars(places))


def test_a_network_is_marked_where_it_has_no_addresses(tmp_path: Path) -> None:
    writer = MMDBWriter()
    writer.insert_network(
        IPSet(["192.0.2.0/24"]), {"autonomous_system_number": 6697, "country": "BY"}
    )
    writer.to_db_file(str(tmp_path / "asn.mmdb"))
    assert write(tmp_path / "asn.mmdb", tmp_path / "networks.json") == 1
    table = Networks(tmp_path / "networks.json")
    assert table
    assert table.marks(header()) == []
    assert table.marks(header(probe_cc="ZZ")) == table.marks(header(probe_asn=1)) == []
    assert [m.mark for m in table.marks(header(probe_cc="DE"))] == ["network_not_of_country"]
    assert not Networks(tmp_path / "none.json")
