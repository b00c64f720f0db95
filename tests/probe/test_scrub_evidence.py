"""What is not the user's stays as it came: evidence that was mangled is none."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from probe.scrubbing import web
from probe.scrubbing.described import text
from probe.scrubbing.eraser import Eraser
from probe.scrubbing.known import Known

OURS = IPv4Address("93.85.101.20")
LINE = "2a02:d247:1234:"
ERASER = Eraser(Known(
    addresses=(str(OURS), LINE + "5600:1:2:3:4", "192.168.7.23", "fe80::a65e:60ff:fec1:2b3d"),
    macs=("a4:5e:60:c1:2b:3d",), names=("annas-laptop", "anna.k"), zone="Europe/Minsk",
))  # fmt: skip

theirs_v4 = st.integers(1 << 24, (224 << 24) - 1).map(IPv4Address).filter(
    lambda ip: ip.packed[:3] != OURS.packed[:3] and str(ip) != "192.168.7.23"
)  # fmt: skip
theirs_v6 = st.integers(0x2000 << 112, (0x4000 << 112) - 1).map(IPv6Address).filter(
    lambda ip: not ip.exploded.startswith("2a02:d247:1234:")
)  # fmt: skip


@given(theirs_v4, st.sampled_from(["{}", "http://{}/?ip={}", "[{}]:80", "{} -> blocked", '"{}"']))
@example(IPv4Address("82.209.230.23"), "http://{}/")
def test_anothers_ipv4_address_stays(ip: IPv4Address, around: str) -> None:
    said = around.replace("{}", str(ip))
    assert ERASER.text(said) == said
    assert ERASER.address(str(ip)) == str(ip)
    assert ERASER.binary(b"\x04" + ip.packed + b"\0") == b"\x04" + ip.packed + b"\0"


@given(theirs_v6)
def test_anothers_ipv6_address_stays(ip: IPv6Address) -> None:
    assume(OURS.packed not in ip.packed)
    for said in (str(ip), ip.exploded, ip.reverse_pointer, f"http://[{ip}]/"):
        assert ERASER.text(said) == said
    assert ERASER.address(str(ip)) == str(ip)


@given(st.lists(st.integers(0, 400), min_size=2, max_size=5), st.sampled_from("-/ v"))
@example([119, 0, 0, 0], "/")
def test_versions_stay(numbers: list[int], mark: str) -> None:
    assume(numbers[:3] != [93, 85, 101])
    assume([*map(int, reversed(OURS.packed))] != numbers[:4])
    said = f"Chrome{mark}" + ".".join(map(str, numbers))
    assume(str(OURS) not in said and "93.85.101." not in said)
    assert ERASER.text(said) == said


def test_a_version_that_is_written_like_a_neighbour_stays() -> None:
    product = Eraser(Known(addresses=("119.0.0.7",)))
    assert product.text("Chrome/119.0.0.0 Safari/537.36") == "Chrome/119.0.0.0 Safari/537.36"
    assert product.text("Chrome/119.0.0.12") == "Chrome/119.0.0.12"
    assert product.text("You are 119.0.0.12") == "You are 192.0.2.0"


@pytest.mark.parametrize(
    "said", ["iOS 10.0.1, or 10.1.19045", "Windows NT 10.0; 10.1", "v1.0.0.10-beta", "16777226 km²"]
)
def test_a_version_that_is_like_an_address_at_home_stays(said: str) -> None:
    home = Eraser(Known(addresses=("10.0.0.1", "10.1.0.0")))
    assert home.text(said) == said
    assert home.text("1.0.0.10.in-addr.arpa at 10.0.0.1") != "1.0.0.10.in-addr.arpa at 10.0.0.1"


@given(st.text(max_size=200))
def test_text_without_us_stays(said: str) -> None:
    assert ERASER.text(said) == said


@given(st.binary(max_size=300))
def test_bytes_without_us_stay(data: bytes) -> None:
    assert ERASER.binary(data) == data


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_lengths_of_bytes_stay(before: bytes, after: bytes) -> None:
    for planted in (OURS.packed, str(OURS).encode(), b"annas-laptop", b"YW5uYXMtbGFwdG9wISE="):
        data = before + planted + after
        assert len(ERASER.binary(data)) == len(data)


@given(st.text(max_size=60), st.text(max_size=60))
def test_what_is_around_us_stays(before: str, after: str) -> None:
    clean = ERASER.text(f"{before} {OURS} {after}")
    assert clean == f"{before} 192.0.2.0 {after}"
    assert ERASER.text(clean) == clean


@pytest.mark.parametrize("word", ["User-Agent", "root", "home", "raspberrypi", "pi", "user"])
def test_a_name_that_everybody_has_is_no_name(word: str) -> None:
    assert Eraser(Known(names=("root", "user", "pi", "home", "raspberrypi"))).text(word) == word


def test_a_name_inside_another_word_stays() -> None:
    eraser = Eraser(Known(names=("minsk", "anna")))
    assert eraser.text("Susanna lives in Minskaja") == "Susanna lives in Minskaja"
    assert eraser.text("host anna: minsk.local") == "host [scrubbed]: [scrubbed].local"
    assert eraser.sparing("https://minsk.by/").text("anna at minsk") == "[scrubbed] at minsk"


def test_an_answer_from_a_private_network_is_still_one() -> None:
    assert ERASER.address("192.168.7.23") == "192.168.0.0"
    assert ERASER.address("fe80::a65e:60ff:fec1:2b3d%wlp3s0") == "fe80::"
    assert ERASER.address("10.10.34.34") == "10.10.34.34"


URLS = {
    "https://block.by/": "https://block.by/",
    "http://82.209.230.23/?sid=12345678": "http://82.209.230.23/?sid=x",
    "http://block.by/page?lang=ru&url=charter97.org": "http://block.by/page?lang=ru&url=charter97.org",
    "http://block.by/?u=https%3A%2F%2Fcharter97.org%2F": "http://block.by/?u=https%3A%2F%2Fcharter97.org%2F",
    "http://me:secret@block.by/": "http://block.by/",
    "http://block.by/375291234567/stop": "http://block.by/x/stop",
    "http://block.by/a4:5e:60:c1:2b:3d/": "http://block.by/00:00:00:00:00:00/",
    "http://block.by/s/8f14e45fceea167a5a36dedd4bea2543": "http://block.by/s/x",
    "http://block.by/#session-1a2b": "http://block.by/#x",
    "http://block.by/?8f14e45fceea167a": "http://block.by/?x",
    "/relative?q=word": "/relative?q=word",
}  # fmt: skip


@pytest.mark.parametrize("told", URLS)
def test_a_url_keeps_its_place_and_loses_its_tickets(told: str) -> None:
    assert web.url(told) == URLS[told]
    assert web.url(URLS[told]) == URLS[told]


def test_what_a_control_was_told_too_stays() -> None:
    told = "https://site.example/?article=123456789"
    assert web.url(told) == "https://site.example/?article=x"
    assert web.url(told, {"123456789"}) == told


WHEN = web.Moment(1_790_000_017.25, 17.25)
HEADERS = {
    ("Date", "Mon, 21 Sep 2026 14:13:37 GMT"): "Mon, 21 Sep 2026 14:13:19 GMT",
    ("Expires", "Thu, 01 Jan 1970 00:00:01 GMT"): "Thu, 01 Jan 1970 00:00:01 GMT",
    ("Last-Modified", "Mon, 21 Sep 2026 09:00:00 GMT"): "x",
    ("Expires", "0"): "0",
    ("X-Client-IP", "93.85.101.20"): "x",
    ("CF-RAY", "9a1b2c3d4e5f6a7b-WAW"): "9a1b2c3d4e5f6a7b-WAW",
    ("ETag", '"329c264e073e92e1cc8ac325b518bf7b"'): '"x"',
    ("Set-Cookie", "PHPSESSID=abcd; path=/; expires=Mon, 21 Sep 2026 14:13:37 GMT"): (
        "PHPSESSID=x; path=/"
    ),
    ("X-Blocked-By", "DPI-7"): "DPI-7",
    ("WWW-Authenticate", 'Digest nonce="abc"'): "x",
    ("Location", "http://block.by/?sid=1234567"): "http://block.by/?sid=x",
    ("Report-To", '{"url":"https://a.nel.cloudflare.com/report/v4?s=Kx8%2Bq1"}'): (
        '{"url":"https://a.nel.cloudflare.com/report/v4?s=x"}'
    ),
}


@pytest.mark.parametrize(("name", "value"), HEADERS)
def test_a_header_tells_who_answered_and_not_whom(name: str, value: str) -> None:
    assert web.header(name, value, (), (), WHEN) == HEADERS[name, value]


def test_a_page_loses_what_its_forms_were_given() -> None:
    page = (
        '<input name="csrf_token" value="q8J2k"> <a href="/pay?acc=12345678&amp;lang=ru">'
        '<script>var cfg = {"user_id": "a8812", "colour": "red"}</script> MAC a4:5e:60:c1:2b:3e'
    )
    assert web.page(page, ()) == (
        '<input name="csrf_token" value="x"> <a href="/pay?acc=x&amp;lang=ru">'
        '<script>var cfg = {"user_id": "x", "colour": "red"}</script> MAC 00:00:00:00:00:00'
    )


def test_the_page_about_it_is_the_list() -> None:
    page = Path(__file__).parents[2] / "docs" / "what_leaves.md"
    assert page.read_text() == text()


HOSTILE = {
    "letters": "a" * 60_000,
    "digits": "1" * 60_000,
    "zeros": "0" * 60_000,
    "dotted": "1." * 30_000,
    "groups": "ab:" * 20_000,
    "names": "user." * 12_000,
    "names that begin": '"user' * 12_000,
    "fields": '<input name="user"' * 3_000,
    "queries": "?a=" * 20_000,
    "escapes": "%25" * 20_000,
    "entities": "&amp;" * 12_000,
    "almost us": "93.85.101." * 6_000,
    "us": "93.85.101.20 " * 4_000,
    "base64": "QUFB" * 15_000,
    "brackets": "[(" * 30_000,
    "minus": "-" * 60_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_page_is_read_to_its_end(name: str) -> None:
    """In time that grows with its length: one that grows with its square would not end here."""
    hostile = HOSTILE[name] * 4
    clean = ERASER.body(web.page(hostile, ()).encode()).decode()
    assert str(OURS) not in clean
    assert (clean == hostile) == (name not in ("us", "queries"))
    web.url("http://block.by/" + hostile[:4000])
    web.header("X-Unknown", hostile[:4000], (), (), WHEN)
