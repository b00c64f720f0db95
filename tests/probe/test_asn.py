"""Whose an address is: the carried table, users' databases, and databases that are broken."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import probe
from probe.asn import MAX_HOLDER, UNKNOWN, AddressBook, AddressBookError, address_info
from probe.evidence import AddressInfo

CARRIED = Path(probe.__file__).parent / "data" / "asn.mmdb"
SCRIPT = Path(probe.__file__).parent.parent / "scripts" / "build_asn_table.py"


@pytest.fixture(scope="module")
def book() -> Iterator[AddressBook]:
    with AddressBook() as opened:
        yield opened


@pytest.mark.parametrize(
    ("ip", "asn", "cc"),
    [
        ("37.45.1.1", 6697, "BY"),
        ("37.17.1.1", 42772, "BY"),
        ("46.56.1.1", 25106, "BY"),
        ("185.11.76.1", 60280, "BY"),
        ("80.94.160.1", 21274, "BY"),
        ("2a02:bf0::1", 25106, "BY"),
        ("8.8.8.8", 15169, "US"),
        ("77.88.8.8", 13238, "RU"),
        ("149.154.167.99", 62041, "GB"),
        ("2606:4700:4700::1111", 13335, "US"),
        ("64:ff9b::8.8.8.8", 15169, "US"),  # NAT64: whose the IPv4 address inside is
    ],
)
def test_the_carried_table_knows_the_networks_of_the_regime_and_others(
    book: AddressBook, ip: str, asn: int, cc: str
) -> None:
    found = book.lookup(ip)
    assert (asn, cc) == (found.asn, found.cc)
    assert found.holder


def test_a_holder_keeps_the_end_of_its_name(book: AddressBook) -> None:
    assert book.lookup("37.45.1.1").holder.endswith("Beltelecom")


@pytest.mark.parametrize(
    "ip",
    [
        "192.168.1.1",
        "127.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "ff02::1",
    ],
)
def test_addresses_that_are_nobodys_are_unknown(book: AddressBook, ip: str) -> None:
    assert UNKNOWN == book.lookup(ip)
    assert (0, "", "ZZ") == (UNKNOWN.asn, UNKNOWN.holder, UNKNOWN.cc)


@settings(deadline=None)
@given(address=st.ip_addresses())
def test_no_address_raises(book: AddressBook, address: object) -> None:
    found = book.lookup(str(address))
    assert 0 <= found.asn < 2**32
    assert len(found.holder) <= MAX_HOLDER
    assert 2 == len(found.cc)


def test_what_is_no_address_raises(book: AddressBook) -> None:
    with pytest.raises(ValueError):
        book.lookup("example.com")


def test_the_source_has_a_name_a_day_and_whom_the_licences_name(book: AddressBook) -> None:
    assert book.source.startswith("zond-asn 20")
    for name in ("Route Views", "DB-IP.com", "NRO"):
        assert name in book.source


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param(
            {"autonomous_system_number": 6697, "autonomous_system_organization": "Beltelecom"},
            AddressInfo(asn=6697, holder="Beltelecom"),
            id="GeoLite2-ASN and DB-IP ASN",
        ),
        pytest.param(
            {"asn": "AS6697", "as_name": "Beltelecom", "as_domain": "b.by", "country": "Belarus",
             "country_code": "BY"},
            AddressInfo(asn=6697, holder="Beltelecom", cc="BY"),
            id="IPinfo Lite",
        ),
        pytest.param(
            {"asn": "AS6697", "name": "Beltelecom", "country": "BY"},
            AddressInfo(asn=6697, holder="Beltelecom", cc="BY"),
            id="IPinfo, older",
        ),
        pytest.param(
            {"country": {"iso_code": "BY", "names": {"en": "Belarus"}}},
            AddressInfo(cc="BY"),
            id="GeoLite2-Country and DB-IP country",
        ),
        pytest.param({"registered_country": {"iso_code": "by"}}, AddressInfo(cc="BY"), id="abroad"),
        pytest.param({}, UNKNOWN, id="empty"),
        pytest.param(
            {"asn": "ASX", "name": 7, "country": {"iso_code": 3}},
            UNKNOWN,
            id="rubbish",
        ),
        pytest.param(
            {"asn": "", "autonomous_system_organization": "a\n b" + "c" * 200, "country": "B1"},
            AddressInfo(holder="a b" + "c" * (MAX_HOLDER - 3)),
            id="oversize",
        ),
    ],
)  # fmt: skip
def test_the_makers_own_names_are_understood(row: dict[str, object], expected: AddressInfo) -> None:
    assert expected == address_info(row)


@pytest.mark.parametrize(
    "content",
    [b"", b"not a database", CARRIED.read_bytes()[:500_000], CARRIED.read_bytes()[-500_000:]],
    ids=["empty", "text", "without its end", "without its beginning"],
)
def test_an_unreadable_database_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.mmdb"
    path.write_bytes(content)
    with pytest.raises(AddressBookError, match=r"cannot read the address database .*mine\.mmdb: "):
        AddressBook(path)


def test_a_database_that_is_not_there_or_is_a_directory_is_the_same_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.mmdb", tmp_path):
        with pytest.raises(AddressBookError, match="cannot read the address database"):
            AddressBook(path)


@pytest.mark.parametrize("stride", [97, 211, 499])
def test_damage_inside_a_database_ends_nothing(tmp_path: Path, stride: int) -> None:
    content = bytearray(CARRIED.read_bytes())
    end = content.rindex(b"MaxMind.com") - 3
    for at in range(0, end, stride):
        content[at] ^= 0xFF
    path = tmp_path / "damaged.mmdb"
    path.write_bytes(content)
    with AddressBook(path) as book:
        for number in range(0, 2**32, 2**32 // 2_000):
            book.lookup(str(IPv4Address(number)))


@pytest.fixture
def builder() -> ModuleType:
    pytest.importorskip("mmdb_writer", reason="only who builds the table needs mmdb_writer")
    spec = importlib.util.spec_from_file_location("build_asn_table", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_table_built_from_ranges_answers_for_each_of_them(
    builder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "holders.csv").write_text(
        "5.0.0.0,5.0.1.255,100,One\n"
        '5.0.2.0,5.0.4.127,200,"Two, Ltd"\n'  # ends inside a /24
        "5.0.4.128,5.0.4.255,300,Three\n"
        "2a00::,2a00:0:ffff:ffff:ffff:ffff:ffff:ffff,100,One\n"
    )
    (tmp_path / "countries.csv").write_text("5.0.1.0,5.0.2.255,BY\n83886848,83886848,DE\n")
    arguments = ["--built", "2026-06-17", "--attribution", "me", "--out", str(tmp_path / "t.mmdb")]
    arguments += ["--holders", str(tmp_path / "holders.csv")]
    arguments += ["--countries", str(tmp_path / "countries.csv")]
    monkeypatch.setattr("sys.argv", ["build_asn_table.py", *arguments])
    assert 0 == builder.main()
    with AddressBook(tmp_path / "t.mmdb") as book:
        assert book.source.startswith("zond-asn 2026-06-17: ") and book.source.endswith("me")
        expected = {
            "4.255.255.255": UNKNOWN,
            "5.0.0.0": AddressInfo(asn=100, holder="One"),
            "5.0.1.0": AddressInfo(asn=100, holder="One", cc="BY"),
            "5.0.2.255": AddressInfo(asn=200, holder="Two, Ltd", cc="BY"),
            "5.0.3.0": AddressInfo(asn=200, holder="Two, Ltd"),
            "5.0.5.0": UNKNOWN,
            "2a00:0:1::1": AddressInfo(asn=100, holder="One"),
            "2a00:1::1": UNKNOWN,
        }
        assert expected == {ip: book.lookup(ip) for ip in expected}


@pytest.mark.parametrize(
    ("holder", "shortened"),
    [("A  B", "A B"), ("x" * 90, "x" * 80), ("word " * 20, ("word " * 16).strip())],
)
def test_a_long_holder_is_cut_between_words(
    builder: ModuleType, holder: str, shortened: str
) -> None:
    assert shortened == builder.shortened(holder)


def test_a_file_that_is_cut_while_it_is_open_leaves_addresses_unknown(tmp_path: Path) -> None:
    path = tmp_path / "table.mmdb"
    path.write_bytes(CARRIED.read_bytes())
    with AddressBook(path) as book:
        os.truncate(path, 4096)
        assert UNKNOWN == book.lookup("86.57.255.90")
