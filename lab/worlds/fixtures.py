"""What every country has: canaries, portal checks, the operators' block pages.

Addresses and wording of the block pages are those documented in
``fingerprints.csv`` of the regime's sources (F01 to F16); the rest of the pages is
our own.
"""

from __future__ import annotations

from typing import Literal

from lab.resolvers import ADGUARD, HOME, OWN, PUBLIC, Name
from lab.sites import HTML, Article, Fixed, ForPath, Page, Redirect, Site, refusal
from lab.topology import OPERATOR_RESOLVER_ADDRESSES

BELTELECOM = "82.209.230.23"
MTS = "134.17.0.7"
BUSINESS_NETWORK = "212.98.160.60"
A1_URL = "https://www.a1.by/mininfo/"
MTS_URL = "https://internet.mts.by/blocked/"

# Where forging proxies take connections to: one address for each gateway and family.
FORGERS = ("45.90.28.77", "185.228.168.77", "2607:f8b0:fc::77", "2a0d:5600:f::77")

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


def _neutral(name: str, *addresses: str, h3: Literal["", "on"] = "") -> Site:
    """A site that has nothing to do with any world; who asks it for another name gets its page."""
    page = Article(name, "en", 5)
    return Site(names=(name,), addresses=addresses, http=page, https=page, h3=h3)


def _check(name: str, address: str, path: str, answer: Fixed) -> Site:
    return Site(names=(name,), addresses=(address,), http=ForPath(path, answer, refusal(404)))


_PLAIN = (("Content-Type", "text/plain"),)

# For the ladder: behind both gateways, and no canaries.
_NEUTRAL = (
    _neutral("www.gnu.org", "209.51.188.116", "2001:470:142:5::116"),
    _neutral("www.iana.org", "192.0.46.9", "2620:0:2d0:200::9"),
    _neutral("www.python.org", "151.101.64.223", "2a04:4e42::223", h3="on"),
    _neutral("www.kernel.org", "139.178.84.217", "2604:1380:4641:c500::1"),
    _neutral("www.eff.org", "173.239.79.196", "2a0f:5700:4:4::196", h3="on"),
    _neutral("www.gutenberg.org", "152.19.134.47", "2610:28:3090:3000::47"),
    _neutral("www.freebsd.org", "96.47.72.84", "2610:1c1:1:606c::50"),
    _neutral("www.gentoo.org", "89.16.167.134", "2a01:90:200:10::1a"),
    _neutral("www.openstreetmap.org", "82.199.86.108", "2a00:5884:0:6::108", h3="on"),
    _neutral("www.postgresql.org", "72.32.157.246", "2a02:c0:301::246"),
)
# In the lab hundreds of targets may differ, and one climb at a time has a neutral site.
_MORE_NEUTRAL = tuple(
    _neutral(
        f"www.neutral-{n:02}.example",
        f"{'66.39.1' if n % 2 else '204.11.50'}.{n}",
        f"{'2605:a601' if n % 2 else '2a00:1098'}:{n}::1",
        h3="on" if n % 4 < 2 else "",
    )
    for n in range(1, 25)
)
NEUTRAL = tuple(site.names[0] for site in (*_NEUTRAL, *_MORE_NEUTRAL))

SITES = (
    *_NEUTRAL,
    *_MORE_NEUTRAL,
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
) + tuple(
    # A name whose answer is who asks for it. The household's resolver asks the operator's.
    Name(name="whoami.akamai.net", addresses=(address,), at=at)
    for address, at in (
        (OPERATOR_RESOLVER_ADDRESSES[0], (OWN, HOME)),
        *((resolver.addresses[0], (resolver.name,)) for resolver in (*PUBLIC, ADGUARD)),
    )
)
