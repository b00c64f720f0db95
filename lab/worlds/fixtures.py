"""What every country has: canaries, portal checks, the operators' block pages.

Addresses and wording of the block pages are those documented in
``fingerprints.csv`` of the regime's sources (F01 to F16); the rest of the pages is
our own.
"""

from __future__ import annotations

from lab.resolvers import Name
from lab.sites import HTML, Article, Fixed, ForPath, Page, Redirect, Site, refusal

BELTELECOM = "82.209.230.23"
MTS = "134.17.0.7"
BUSINESS_NETWORK = "212.98.160.60"
A1_URL = "https://www.a1.by/mininfo/"
MTS_URL = "https://internet.mts.by/blocked/"

_LAW = (
    "Доступ к информационному ресурсу ограничен на основании решения Министерства информации "
    "Республики Беларусь, принятого в соответствии с законом «О средствах массовой информации»"
)
_RUSSIAN = (
    "Доступ ограничен по решению суда или по иным основаниям, установленным "
    "законодательством Российской Федерации"
)


def _html(title: str, body: str, head: str = "") -> bytes:
    named = f"<title>{title}</title>" if title else ""
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8">{named}{head}</head>'
        f"<body>{body}</body></html>\n"
    ).encode()


BELTELECOM_PAGE = _html(
    "Доступ ограничен",
    f"<h1>Уважаемый абонент!</h1><p>{_LAW}.</p>"
    '<div class="law">Закон "О средствах массовой информации"</div>',
)
A1_PAGE = _html(
    "Доступ к ресурсу ограничен",
    f"<h2>Страница недоступна</h2><p>{_LAW}.</p>",
    '<link rel="stylesheet" href="https://www.velcom.by/mininfo/css/main.css">',
)
MTS_PAGE = _html(
    "Ресурс заблокирован",
    "<p>Этот ресурс закрыт для абонентов.</p>"
    '<a href="https://help.mts.by/hc/ru/requests/new">Задать вопрос</a>',
)
BUSINESS_NETWORK_PAGE = _html(
    "Ограничение доступа", f"<p>{_LAW}.</p><p>Вопросы: в службу поддержки.</p>"
)
RUSSIAN_PAGE = _html("Доступ ограничен", f"<p>{_RUSSIAN}.</p>")
UNLISTED_PAGE = _html(
    "Страница не найдена в разрешённых",
    "<h1>Стоп</h1><p>Просмотр этого адреса из вашей сети не предусмотрен. "
    "Если это ошибка, позвоните в абонентский отдел.</p>",
)
UNTITLED_PAGE = _html("", "<center><h3>Ресурс отключён администрацией сети</h3></center>")


def block_page(page: bytes) -> Page:
    return Fixed(page, 200, (("Server", "nginx/1.14.2"), HTML))


def whole_response(page: bytes, *, length: bool = True) -> bytes:
    """*page* as a censor sends it: an HTTP response that it closes after."""
    stated = f"Content-Length: {len(page)}\r\n" if length else ""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{stated}"
    return (head + "Connection: close\r\n\r\n").encode() + page


def _always(name: str, *addresses: str, language: str = "ru") -> Site:
    page = Article(name, "en" if language == "en" else "ru", 8)
    return Site(names=(name,), addresses=addresses, http=Redirect(), https=page, h2=True)


def _check(name: str, address: str, path: str, answer: Fixed) -> Site:
    return Site(names=(name,), addresses=(address,), http=ForPath(path, answer, refusal(404)))


_PLAIN = (("Content-Type", "text/plain"),)

SITES = (
    _always("www.belta.by", "86.57.250.10", "2a0a:7d80:0:250::10"),
    _always("www.mail.by", "93.125.120.20", "2a0a:7d80:0:120::20"),
    _always("www.wikipedia.org", "185.15.59.224", "2a02:ec80:300:ed1a::1", language="en"),
    _always("www.debian.org", "130.89.148.77", "2001:67c:2564:a119::77", language="en"),
    _check("connectivitycheck.gstatic.com", "142.250.186.99", "/generate_204", Fixed(b"", 204)),
    _check(
        "detectportal.firefox.com",
        "34.107.221.82",
        "/success.txt",
        Fixed(b"success\n", headers=_PLAIN),
    ),
    _check(
        "www.msftconnecttest.com",
        "13.107.4.52",
        "/connecttest.txt",
        Fixed(b"Microsoft Connect Test", headers=_PLAIN),
    ),
    Site(
        names=("block.beltelecom.invalid",),
        addresses=(BELTELECOM,),
        http=block_page(BELTELECOM_PAGE),
    ),
    Site(names=("block.mts.invalid",), addresses=(MTS,), http=block_page(MTS_PAGE)),
    Site(
        names=("block.bn.invalid",),
        addresses=(BUSINESS_NETWORK,),
        http=block_page(BUSINESS_NETWORK_PAGE),
    ),
    Site(
        names=("www.a1.by",),
        addresses=("37.17.10.10",),
        https=ForPath("/mininfo/", block_page(A1_PAGE), Article("www.a1.by")),
    ),
    Site(
        names=("internet.mts.by",),
        addresses=("134.17.0.20",),
        https=ForPath("/blocked/", block_page(MTS_PAGE), Article("internet.mts.by")),
    ),
)
ZONE = tuple(
    Name(name=site.names[0], addresses=site.addresses)
    for site in SITES
    if not site.names[0].endswith(".invalid")
)
