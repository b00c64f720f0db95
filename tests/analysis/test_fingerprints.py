"""Each fingerprint fits what it describes, and not what is close to it."""

from __future__ import annotations

import pytest

from analysis.fingerprints import (
    Fingerprint,
    FingerprintError,
    in_certificate,
    in_page,
    in_value,
    known,
    load,
    source_text,
)
from probe.evidence import HTTPExchange
from probe.failure import Failure
from tests.analysis.build import BOTH, SITE, Page, Scene, site, to

MININFO = (
    "Доступ к информационному ресурсу ограничен на основании решения Министерства информации "
    "Республики Беларусь, принятого в соответствии с законом {}О средствах массовой информации{}"
)


def _page(body: str = "", title: str | None = None, **headers: str) -> list[Fingerprint]:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return in_page(
        HTTPExchange(ip=SITE, port=80, status=200, title=title, body=body.encode(), headers=named)
    )


def _location(value: str) -> list[Fingerprint]:
    return in_value("location", value)


def _answer(value: str) -> list[Fingerprint]:
    return in_value("dns_answer", value)


def _issuer(value: str) -> list[Fingerprint]:
    return in_certificate("CN=news.example", value)


# id, what it fits, what is close and no match
EXAMPLES = [
    ("F01", _location("http://82.209.230.23/"), _location("http://82.209.230.234/")),
    (
        "F02",
        _page('<div>"О средствах массовой информации"</div>'),
        _page("<p>О средствах массовой информации</p>"),
    ),
    ("F03", _page(f"<b>{MININFO.format('«', '»')}</b>"), _page(MININFO[:90])),
    (
        "F04",
        _page("Доступ к сайту заблокирован на основании Постановления\nОперативно-аналитического"
              " центра № 6/8"),
        _page("Доступ заблокирован на основании решения суда"),
    ),
    (
        "F04",
        _page("Доступ да рэсурсу заблакаваны на падставе Пастановы Аператыўна-аналітычнага"
              " цэнтра"),
        _page("Доступ да рэсурсу адкрыты на падставе Пастановы"),
    ),
    ("F05", _location("https://www.a1.by/mininfo/?u=1"), _location("https://www.a1.by/ru/")),
    (
        "F06",
        _page("<link href=http://www.velcom.by/mininfo/css/main.css>"),
        _page("<link href=http://www.velcom.by/css/main.css>"),
    ),
    ("F07", _issuer("CN=Atlant-Telecom HTTPS Proxy,O=A"), _issuer("CN=Atlant-Telecom,O=A")),
    (
        "F07",
        in_certificate("O=A,CN=Atlant-Telecom HTTPS Proxy", "CN=Good CA"),
        in_certificate("O=Atlant-Telecom HTTPS Proxy,CN=news.example", "CN=Good CA"),
    ),
    ("F08", _answer("134.17.0.7"), _answer("134.17.0.70")),
    ("F09", _location("https://internet.mts.by/blocked/"), _location("https://internet.mts.by/")),
    (
        "F10",
        _page("<a href=https://help.mts.by/hc/ru/requests/new>"),
        _page("<a href=https://help.mts.by/hc/ru>"),
    ),
    ("F11", _location("http://212.98.160.60/"), _location("http://212.98.160.61/")),
    ("F13", _answer("212.98.160.60"), _answer("212.98.160.6")),
    (
        "F16",
        _page("<p>Access was restricted on a court decision\n or other grounds in compliance with"
              " the legislation of the Russian Federation."),
        _page("<p>Access was restricted on a court decision."),
    ),
    (
        "F16",
        _page("Доступ ограничен по решению суда или по иным основаниям, установленным"
              " законодательством Российской Федерации"),
        _page("Доступ ограничен по решению суда"),
    ),
    (
        "X01",
        _location("http://lamanlabuh.aduankonten.id/"),
        _location("http://aduankonten.id/"),
    ),
    ("F17", _location("https://vk.com/blank.php?rkn=1"), _location("https://vk.com/blank.php")),
    ("F18", _location("http://charter97.in/"), _location("http://charter97.info/")),
    ("P01", _page(title="Just a moment..."), _page(title="Just a moment in history")),
    (
        "P02",
        _page(title="Attention Required! | Cloudflare"),
        _page(title="Attention | Cloudflare's outage"),
    ),
    ("P03", _page(cf_mitigated="challenge"), _page(cf_ray="8a1")),
    (
        "P04",
        _page("<h1>Access Denied</h1>You don't have permission. Reference&#32;&#35;18.9f3a1202.17"),
        _page("<h1>Access Denied</h1>See the reference manual."),
    ),
    ("P05", _page(title="DDoS-Guard"), _page(title="What is DDoS-Guard?")),
    ("P06", _page(server="ddos-guard"), _page(server="guard")),
    (
        "P07",
        _page("<script src='/_Incapsula_Resource?SW=1'>"),
        _page("<p>Incapsula resources of ours"),
    ),
    ("P08", _page(server="QRATOR"), _page(server="nginx")),
]


@pytest.mark.parametrize(("ident", "fits", "close"), EXAMPLES)
def test_fingerprint_fits_this_and_not_what_is_close(
    ident: str, fits: list[Fingerprint], close: list[Fingerprint]
) -> None:
    assert [f.id for f in fits] == [ident]
    assert close == []


def test_every_row_that_can_be_evaluated_has_examples() -> None:
    rows = [f.id for f in known() if not f.needs and f.field != "tls_reset"]
    assert sorted(rows) == sorted(ident for ident, _, _ in EXAMPLES)


@pytest.mark.parametrize("quotes", ["«»", "“”", '""', "„“"])
def test_quotation_marks_of_a_wording_vary(quotes: str) -> None:
    assert [f.id for f in _page(MININFO.format(*quotes)) if f.id == "F03"] == ["F03"]


def test_wording_is_found_in_the_encoding_of_old_pages() -> None:
    page = HTTPExchange(ip=SITE, port=80, body=MININFO.format('"', '"').encode("cp1251"))
    assert "F03" in [f.id for f in in_page(page)]


def test_symptom_and_what_needs_packets_confirm_nothing() -> None:
    quiet = [f for f in known() if f.kind == "symptom"]
    assert {f.id for f in quiet} == {"F01", "F12", "F14", "F15"}
    assert not any(f.confirms for f in quiet)
    assert {f.id for f in quiet if f.needs == "packets"} == {"F01", "F12", "F14"}


def test_broken_list_is_refused_with_its_line() -> None:
    head = source_text().splitlines()[0]
    row = "X1,any,body,regex,{},block_page,yes,,BY,meaning,source"
    with pytest.raises(FingerprintError, match="line 2"):
        load(f"{head}\n{row.format('(')}\n")
    with pytest.raises(FingerprintError, match="columns"):
        load(f"{head}\nX1,any,body\n")
    with pytest.raises(FingerprintError, match="a symptom confirms nothing"):
        load(f"{head}\nX1,any,body,equals,x,symptom,yes,,BY,meaning,source\n")


def test_huge_page_of_open_tags_is_read_in_time() -> None:
    assert _page("<script" * 40_000) == []


# Where a fingerprint counts


def test_block_page_that_a_newspaper_quotes_is_no_block() -> None:
    quoting = Page(f"<title>Daily News</title><p>{MININFO.format('«', '»')}, they wrote")
    over_tls = site().visit(page=quoting).verdict()
    assert (over_tls.outcome, over_tls.fingerprints) == ("ok", ())
    plain = site("http://news.example/").visit(page=quoting).verdict()
    assert (plain.outcome, plain.fingerprints) == ("ok", ())


def test_redirect_that_controls_get_too_is_no_block() -> None:
    scene = site("http://news.example/").visit(page=to("https://www.a1.by/mininfo/"))
    scene.visit("https://www.a1.by/mininfo/", depth=1)
    assert scene.verdict().outcome == "ok"


def test_address_that_controls_are_given_too_is_no_lie() -> None:
    listed = ("134.17.0.7",)
    scene = Scene().names(own=listed, public=listed, encrypted=listed)
    scene.control_names(says=listed).asked(*BOTH).visit(ip=listed[0])
    assert (scene.verdict().outcome, scene.verdict().fingerprints) == ("ok", ())


def test_block_page_at_a_forged_address_belongs_to_the_lie() -> None:
    scene = Scene("http://news.example/").names(own=("95.46.44.10",), encrypted=None)
    scene.control_names("one").asked("one").visit(by=("one",))
    scene.visit(page=Page(MININFO.format("«", "»")), ip="95.46.44.10", by=("probe",))
    verdict = scene.verdict()
    assert (verdict.outcome, verdict.mechanisms) == ("blocked", ("dns.substituted",))
    assert verdict.fingerprints == ("F03",)


def test_known_certificate_is_told_without_a_control() -> None:
    scene = site(controls=()).connect(
        bad=Failure.TLS_UNKNOWN_AUTHORITY, issuer="CN=Atlant-Telecom HTTPS Proxy"
    )
    assert scene.verdict().fingerprints == ("F07",)
