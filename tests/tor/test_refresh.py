"""`zond tor refresh`: whoever answers, only what the authorities signed becomes a list."""

from __future__ import annotations

import csv
import io
import json
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from trio.testing import MockClock

from analysis.regime import outside
from probe.commands.tor import tor
from probe.tor.directory import Directory, NoDocument, fetch
from probe.tor.first_seen import BadDocument, day, read
from probe.tor.refresh import NoConsensus, directories, gather, known_authorities
from testlists import Shelf, Target, parse
from tests.fakenet import Serve, Site, fake_internet, response, says, silence
from tests.tor.consensuses import NOW, Authority, consensus, entry
from tests.tor.relays import Keys, relay

THREE = [Authority() for _ in range(3)]
KNOWN = frozenset(a.v3ident for a in THREE)
CERTIFICATES = "".join(a.certificate() for a in THREE)
ENTRIES = [
    entry(n, flags=f"{'Exit ' if n % 3 == 0 else ''}Fast Running Valid") for n in range(60)
]
TEXT = consensus(THREE, ENTRIES)
AUTHORITIES = "url,relay,nickname,fingerprint,dir_port,v3ident\n" + "".join(
    f"tor://20.1.{n}.7:443,or_port_dirauth,a{n},{'AB' * 20},80,{a.v3ident}\n"
    for n, a in enumerate(THREE)
)
PORTS = [Directory(name=f"a{n}", ip=f"20.1.{n}.7", dir_port=80) for n in range(3)]


def packed(text: str) -> bytes:
    return response(zlib.compress(text.encode()), headers=[("content-encoding", "deflate")])


def directory(text: str = TEXT, keys: str = CERTIFICATES) -> Site:
    return Site(
        {"/tor/keys/all.z": packed(keys),
         "/tor/status-vote/current/consensus.z": packed(text)}
    )  # fmt: skip


async def gathered(
    *servers: Serve, now: float = NOW
) -> tuple[int, list[str]]:
    """Of how many relays the consensus is that *servers* lead to, and what was noted."""
    noted: list[str] = []
    async with fake_internet() as net:
        for way, serve in zip(PORTS, servers, strict=False):
            net.tcp[way.ip, 80] = serve
        found = await gather(
            net, PORTS, KNOWN, now=now, usable=lambda ip: True, note=noted.append
        )
    return len(found.relays), noted


async def test_the_first_who_answers_in_order_is_enough() -> None:
    assert (60, []) == await gathered(directory())


async def test_others_are_asked_where_the_first_ones_fail(autojump_clock: MockClock) -> None:
    forged = TEXT.replace("relay1 ", "relayX ")
    count, noted = await gathered(silence, directory(forged), directory())
    assert 60 == count
    assert ["a0: generic_timeout_error", "a1: signed by 0 of 3 directory authorities that are "
            "known; 2 are needed"] == noted  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (response(b"<html>blocked</html>"), "no key certificate"),
        (response(b"", 404), "answers 404"),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak as a directory"),
        (response(zlib.compress(b"x" * 30_000_000), headers=[("content-encoding", "deflate")]),
         "over"),
        (response(b"junk", headers=[("content-encoding", "deflate")]), "does not speak"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nabc", "does not speak|eof_error"),
    ],
)  # fmt: skip
async def test_what_is_no_directory_costs_itself(answer: bytes, why: str) -> None:
    count, noted = await gathered(says(answer), directory())
    assert 60 == count
    (said,) = noted
    assert any(part in said for part in why.split("|"))


async def test_one_day_off_it_is_said_that_one_of_two_is_wrong() -> None:
    said = "this machine's clock says 2026-11-23 12:30"
    with pytest.RaisesGroup(pytest.RaisesExc(NoConsensus, match=said)):
        await gathered(directory(), directory(), directory(), now=NOW + 86_400)


async def test_without_anybody_the_user_is_told_of_files() -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(NoConsensus, match="--from-file")):
        await gathered()


async def test_a_relay_that_is_another_gets_no_question() -> None:
    keys, other = Keys(), Keys()
    way = Directory(name="r", ip="20.0.0.9", or_port=9001, fingerprint=other.fingerprint)
    async with fake_internet() as net:
        net.tcp["20.0.0.9", 9001] = relay(keys)
        with pytest.raises(NoDocument, match="does not speak"):
            await fetch(net, way, "/", max_bytes=100)


def test_relays_come_before_authorities_and_ports_last() -> None:
    authorities = parse(AUTHORITIES, "x")[0]
    relays = [
        Target(url=f"tor://20.2.{n}.7:9001", attributes=(("fingerprint", "CD" * 20),))
        for n in range(20)
    ]
    nobody = Target(url="tor://20.3.0.7:9001")  # who cannot prove to be himself
    asked = directories(authorities, [*relays, nobody])
    assert [9001] * 8 + [443] * 3 == [way.or_port for way in asked[:11]]
    assert [80] * 3 == [way.dir_port for way in asked[11:]]
    assert not any(way.ip == "20.3.0.7" for way in asked)
    assert KNOWN == known_authorities(authorities)


# The command


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name, text in (
        ("consensus", TEXT), ("keys", CERTIFICATES), ("authorities.csv", AUTHORITIES)
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
    return tmp_path


def refreshed(home: Path, *words: str) -> Result:
    files = ("--from-file", "consensus", "--keys", "keys", "--authorities", "authorities.csv")
    given = [str(home / word) if word in ("consensus", "keys", "authorities.csv") else word
             for word in files]  # fmt: skip
    return CliRunner().invoke(tor, ["refresh", *given, *words])


def rows(home: Path) -> Sequence[dict[str, str]]:
    book = Shelf(home / "data" / "zond" / "lists").book("tor-consensus")
    targets, problems = book.targets()
    assert [] == problems
    assert not book.public
    assert targets
    return list(csv.DictReader(io.StringIO(book.content.decode())))


def test_a_list_is_drawn_from_a_file(home: Path) -> None:
    done = refreshed(home, "--any-date", "--relays", "10", "--json")
    assert 0 == done.exit_code, done.output
    facts = json.loads(done.stdout)
    assert (10, 60, 3, 3, "2026-11") == (
        facts["relays"], facts["of"], facts["signers"], facts["authorities"], facts["seed"],
    )
    found = rows(home)
    assert 10 == len(found)
    assert 5 == sum("Exit" in row["flags"] for row in found)
    assert {"or_port"} == {row["relay"] for row in found}
    assert {"consensus of 2026-11-22T12Z"} == {row["source"] for row in found}


def test_the_same_word_gives_the_same_list(home: Path) -> None:
    refreshed(home, "--any-date", "--relays", "10", "--seed", "a")
    first = rows(home)
    refreshed(home, "--any-date", "--relays", "10", "--seed", "b")
    second = rows(home)
    refreshed(home, "--any-date", "--relays", "10", "--seed", "a")
    assert first == rows(home) != second


def test_dates_are_taken_from_documents_and_kept_for_the_next_time(home: Path) -> None:
    fingerprint = rows_after(home, "--relays", "60")[0]["fingerprint"]
    onionoo = home / "details.json"
    onionoo.write_text(json.dumps({"version": "8.0", "relays": [
        {"fingerprint": fingerprint, "first_seen": "2016-12-20 05:00:00", "nickname": "x"},
        {"fingerprint": "0" * 40, "first_seen": "nonsense"},
    ]}))  # fmt: skip
    dated = {r["fingerprint"]: r["first_seen"]
             for r in rows_after(home, "--relays", "60", "--first-seen", str(onionoo))}  # fmt: skip
    assert "2016-12-20" == dated[fingerprint]
    assert 59 == sum(day == "" for day in dated.values())
    again = {r["fingerprint"]: r["first_seen"] for r in rows_after(home, "--relays", "60")}
    assert dated == again


def rows_after(home: Path, *words: str) -> Sequence[dict[str, str]]:
    done = refreshed(home, "--any-date", *words)
    assert 0 == done.exit_code, done.output
    return rows(home)


def test_a_consensus_of_collector_says_who_was_there_by_then(tmp_path: Path) -> None:
    old = "@type network-status-consensus-3 1.0\n" + TEXT.replace("2026-11-22", "2016-12-05")
    (tmp_path / "old").write_text(old)
    (tmp_path / "new").write_text(TEXT)
    known = read([tmp_path / "new", tmp_path / "old"])
    assert 60 == len(known)
    noon = datetime(2016, 12, 5, 12, tzinfo=UTC).timestamp()
    assert {(noon, NOW - 1800)} == {(each.first, each.last) for each in known.values()}
    assert day("2016-12-05") == noon - 12 * 3600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"relays": 5}', b"\xff\xfe", b"<html>"])
def test_a_document_that_is_none_is_told_of_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BadDocument, match="neither"):
        read([tmp_path / "x"])


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        ((), 1, "clock says"),
        (("--first-seen", "consensus.none"), 2, "does not exist"),
        (("--relays", "0"), 2, "relays"),
    ],
)
def test_what_cannot_be_is_one_line_and_a_status(
    words: tuple[str, ...], status: int, why: str, home: Path
) -> None:
    (home / "consensus").write_text(consensus(THREE, ENTRIES, day="2026-10-20"))
    done = refreshed(home, *words)
    assert status == done.exit_code
    assert why in done.stderr


def test_a_forged_file_makes_no_list(home: Path) -> None:
    (home / "consensus").write_text(TEXT.replace("9001 0", "9002 0", 1))
    done = refreshed(home, "--any-date")
    assert 1 == done.exit_code
    assert "signed by 0 of 3" in done.stderr
    assert not (home / "data" / "zond" / "lists").exists()


def test_nobody_is_asked_who_has_not_agreed_nor_round_a_proxy(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = CliRunner().invoke(tor, ["refresh"])
    assert 4 == done.exit_code
    monkeypatch.setenv("ZOND_PROXY", "socks5h://127.0.0.1:9050")
    done = CliRunner().invoke(tor, ["refresh", "--yes"])
    assert 2 == done.exit_code
    assert "--from-file" in done.stderr



DETAILS = {
    "version": "8.0", "relays_published": "2026-11-22 12:00:00",
    "relays": [
        {"nickname": "a", "fingerprint": "AB" * 20,
         "or_addresses": ["20.1.0.7:9001", "[2a02::1]:9"], "dir_address": "20.1.0.7:9030",
         "first_seen": "2016-12-20 05:00:00",
         "last_seen": "2026-11-22 12:00:00", "flags": ["Running"], "as": "AS1"},
        {"fingerprint": "CD" * 20, "first_seen": "nonsense"},
        {"fingerprint": "short", "first_seen": "2016-12-20 05:00:00"},
    ],
    "bridges": [
        {"hashed_fingerprint": "EF" * 20, "or_addresses": ["10.1.2.3:443"],
         "first_seen": "2021-02-01 00:00:00", "transports": ["obfs4"],
         "bridgedb_distributor": "https"},
    ],
}  # fmt: skip


def test_what_is_known_of_relays_becomes_the_table_that_hypotheses_read(tmp_path: Path) -> None:
    (tmp_path / "details.json").write_text(json.dumps(DETAILS))
    done = CliRunner().invoke(tor, ["known", str(tmp_path / "details.json")])
    assert 0 == done.exit_code, done.output
    relays, problems = outside.parse("relays", done.stdout, "details")
    assert [] == problems
    assert [
        ("AB" * 20, "relay", "20.1.0.7", 9001, 9030, "", "", "2016-12-20", "2026-11-22"),
        ("EF" * 20, "bridge", "", 0, 0, "web", "obfs4", "2021-02-01", "2021-02-01"),
    ] == [
        (r.relay, r.role, r.ip, r.or_port, r.dir_port, r.channel, r.transport, r.first_seen,
         r.last_seen)
        for r in relays if isinstance(r, outside.Relay)
    ]  # fmt: skip
    assert "10.1.2.3" not in done.stdout
