"""The dataset as control: others' measurements of the same endpoint at that time."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from analysis.dataset.tables import verdict_table
from analysis.history.rows import arrow, as_rows, as_table
from analysis.history.table import VerdictRow
from analysis.service_witnesses import MINUTES, WINDOW, witnessed
from probe.importing import import_files, sources
from probe.store import Store
from tests.services import documents as d

NOON = 20_000 * 86400.0 + 2 * WINDOW + 3600  # an hour into a window
RELAY = "tor://198.51.100.7:9001"
DOUBT = "service_endpoint_fails,service_tcp_silence"
LINE = "service_lost_with_line,service_tcp_silence"
ABROAD = (("DE", 100), ("FR", 101), ("US", 102))


def row(cc: str, asn: int, outcome: str, rules: str = "", **columns: Any) -> VerdictRow:
    said: dict[str, Any] = {"url": RELAY, "nettest": "tor", "source": "ooniprobe"}
    said |= {"measured_at": NOON} | columns
    said.setdefault("measurement_id", f"{cc}{asn}{said['nettest']}{said['measured_at']}")
    return VerdictRow(probe_cc=cc, probe_asn=asn, outcome=outcome, rules=rules, **said)


def reaching(*places: tuple[str, int], **columns: Any) -> list[VerdictRow]:
    return [row(cc, asn, "ok", "service_works", **columns) for cc, asn in places]


def failing(*places: tuple[str, int]) -> list[VerdictRow]:
    return [row(cc, asn, "inconclusive", DOUBT) for cc, asn in places]


def told(rows: list[VerdictRow], asn: int = 6697) -> VerdictRow:
    (found,) = [
        r for r in as_rows(witnessed(as_table(rows))) if r.probe_asn == asn and r.nettest == "tor"
    ]
    return found


HERE = row("BY", 6697, "inconclusive", DOUBT)


def test_relay_that_others_reach_is_alive_and_blocked_here() -> None:
    found = told([HERE, *reaching(*ABROAD)])
    assert (found.outcome, found.mechanism, found.mechanisms) == (
        "blocked", "tcp.silence", "tcp.silence")  # fmt: skip
    assert found.rules == f"service_reached_elsewhere,{DOUBT}"
    assert 0.5 < found.probability < 1


def test_nobody_to_ask_leaves_it_in_doubt() -> None:
    assert told([HERE]) == HERE


def test_reached_from_one_country_only_leaves_it_in_doubt() -> None:
    assert told([HERE, *reaching(("DE", 100), ("DE", 103), ("DE", 104))]).outcome == "inconclusive"


def test_who_reached_it_at_another_time_is_no_witness() -> None:
    rows = [HERE, *reaching(*ABROAD, measured_at=NOON - WINDOW)]
    assert told(rows).outcome == "inconclusive"


def test_who_reached_another_endpoint_is_no_witness() -> None:
    rows = [HERE, *reaching(*ABROAD, url="tor://198.51.100.8:9001")]
    assert told(rows).outcome == "inconclusive"


def test_the_own_network_is_no_witness() -> None:
    rows = [HERE, *reaching(("DE", 100), ("FR", 101))]
    own = row("BY", 6697, "ok", "service_works", measured_at=NOON + 60, measurement_id="own")
    found = list(as_rows(witnessed(as_table([*rows, own]))))
    assert next(r for r in found if r.rules == DOUBT).outcome == "inconclusive"


def test_dead_relay_is_down_where_nobody_reaches_it() -> None:
    found = told([HERE, *failing(*ABROAD)])
    assert (found.outcome, found.mechanism) == ("down", "")
    assert found.rules.startswith("service_dead_everywhere,")


def test_relay_that_fails_in_as_many_countries_as_not_is_in_doubt() -> None:
    rows = [HERE, *reaching(*ABROAD), *failing(("IT", 200), ("ES", 201), ("PL", 202))]
    assert told(rows).outcome == "inconclusive"


def test_neighbours_who_fail_too_are_no_veto() -> None:
    """A national block looks so; and many networks of one country are one country."""
    rows = [HERE, *reaching(*ABROAD), *failing(*(("BY", 300 + n) for n in range(9)))]
    assert told(rows).outcome == "blocked"
    rows = [HERE, *reaching(*ABROAD), *failing(*(("RU", 400 + n) for n in range(9)))]
    assert told(rows).outcome == "blocked"


def test_who_is_blocked_there_himself_does_not_make_it_dead() -> None:
    rows = [HERE, *(row(cc, asn, "blocked", DOUBT) for cc, asn in ABROAD)]
    assert told(rows).outcome == "inconclusive"


def test_line_in_doubt_is_no_block_though_others_reach_it() -> None:
    here = row("BY", 6697, "inconclusive", LINE)
    assert told([here, *reaching(*ABROAD)]).outcome == "inconclusive"


def test_line_in_doubt_is_alive_where_another_nettest_answered_within_minutes() -> None:
    here = row("BY", 6697, "inconclusive", LINE)
    site = row("BY", 6697, "ok", nettest="web_connectivity", url="https://a.example/",
               measured_at=NOON - MINUTES + 1)  # fmt: skip
    assert told([here, site, *reaching(*ABROAD)]).outcome == "blocked"
    before = row("BY", 6697, "ok", nettest="web_connectivity", url="https://a.example/",
                 measured_at=NOON - MINUTES - 1)  # fmt: skip
    assert told([here, before, *reaching(*ABROAD)]).outcome == "inconclusive"


def test_somebody_elses_line_says_nothing() -> None:
    here = row("BY", 6697, "inconclusive", LINE)
    site = row("BY", 6697, "ok", nettest="web_connectivity", url="https://a.example/",
               source="another program")  # fmt: skip
    assert told([here, site, *reaching(*ABROAD)]).outcome == "inconclusive"


def test_failure_that_names_no_censor_accuses_nobody() -> None:
    here = row("BY", 6697, "inconclusive", "service_endpoint_fails")
    assert told([here, *reaching(*ABROAD)]).outcome == "inconclusive"


def test_sites_and_what_was_decided_are_left_as_they_are() -> None:
    rows = [
        row("BY", 1, "inconclusive", "no_control", nettest="web_connectivity"),
        row("BY", 2, "local_fault", "service_instrument_fault"), row("BY", 3, "blocked", DOUBT),
        *reaching(*ABROAD),
    ]  # fmt: skip
    found = sorted(as_rows(witnessed(as_table(rows))), key=lambda r: r.probe_asn)
    assert found == sorted(rows, key=lambda r: r.probe_asn)


def test_empty_table_stays_empty() -> None:
    assert list(as_rows(witnessed(as_table([])))) == []


PLACES = [(cc, 1000 + n) for n, cc in enumerate(("BY", "BY", "DE", "DE", "FR", "US", "IT", "PL"))]


def test_witness_who_reaches_it_left_out_never_accuses() -> None:
    rows: list[VerdictRow] = []
    for seed in range(150):
        luck = random.Random(seed)
        outcomes = [luck.choice(("ok", "ok", "inconclusive", "blocked")) for _ in PLACES]
        left = luck.randrange(len(PLACES))
        outcomes[left] = "ok"
        every = set(range(len(PLACES)))
        for name, places in (("whole", every), ("fewer", every - {left})):
            url = f"tor://{name}-{seed}:9001"
            rows.append(row("BY", 6697, "inconclusive", DOUBT, url=url))
            rows += (
                row(*PLACES[n], outcomes[n], DOUBT if outcomes[n] != "ok" else "", url=url)
                for n in places
            )
    found = {r.url: r.outcome for r in as_rows(witnessed(as_table(rows))) if r.probe_asn == 6697}
    accused = [seed for seed in range(150) if found[f"tor://whole-{seed}:9001"] == "blocked"]
    assert 10 < len(accused) < 140
    assert all(
        seed in accused for seed in range(150) if found[f"tor://fewer-{seed}:9001"] == "blocked"
    )


def test_messenger_that_the_world_reaches_is_blocked_where_it_is_silent(tmp_path: Path) -> None:
    """From the documents: in doubt by itself, blocked with those of others, by endpoint."""
    silent = dict.fromkeys(d.DATA_CENTRES, "generic_timeout_error")
    (tmp_path / "by.json").write_bytes(d.telegram(silent))
    for cc, asn in ABROAD:
        said: dict[str, Any] = {"probe_cc": cc, "probe_asn": f"AS{asn}", "report_id": cc}
        (tmp_path / f"{cc}.json").write_bytes(d.telegram(**said))
    with Store(tmp_path / "zond.db", write=True) as store:
        import_files(store, list(sources([tmp_path])))
        alone = list(as_rows(verdict_table(store)))
    found = {
        r.url: (r.outcome, r.mechanism)
        for r in as_rows(witnessed(as_table(alone))) if r.probe_asn == 6697
    }  # fmt: skip
    assert {r.outcome for r in alone} == {"ok", "inconclusive"}
    assert found["telegram://telegram"] == ("blocked", "tcp.silence")
    assert found["telegram://149.154.171.5:443"] == ("blocked", "tcp.silence")
    assert found["telegram://web.telegram.org"] == ("ok", "")


def test_spark_connect_says_the_same() -> None:
    pytest.importorskip("pysail")
    from analysis.engines import sail

    rows = [HERE, *reaching(*ABROAD)]
    for seed in range(40):
        luck, url = random.Random(seed), f"tor://relay-{seed}:9001"
        rows.append(row("BY", 6697, "inconclusive", luck.choice((DOUBT, LINE)), url=url))
        said = [luck.choice(("ok", "ok", "inconclusive", "blocked")) for _ in PLACES]
        rows += (row(*at, o, DOUBT, url=url) for at, o in zip(PLACES, said, strict=True))
    expected = sorted(as_rows(witnessed(as_table(rows))), key=repr)
    with sail(threads=1) as engine:
        found = sorted(as_rows(witnessed(engine.load(arrow(rows, VerdictRow)))), key=repr)
    assert found == expected
    assert {"blocked", "inconclusive"} <= {r.outcome for r in found if r.probe_asn == 6697}
