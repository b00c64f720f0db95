"""Sites as nginx's configuration, for those that nginx can serve as they are described.

A page that depends on who asks or for what becomes a choice that nginx makes with its
own means, ``geo`` and ``map``: that is how a real site keeps a country out. What only
our servers do (hang up, drip, break off, send what is no HTTP, another's Server header)
is not configured here and stays with them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lab.certificates import Authorities
from lab.middlebox import ascii_name
from lab.sites import (
    Article,
    Chain,
    Encoded,
    Fixed,
    ForClients,
    ForPath,
    Page,
    Port,
    Redirect,
    Request,
    Response,
    Site,
)

# One process, which stays who it is: without root there is nobody else to become.
_HEAD = """user root;
daemon off;
master_process off;
worker_rlimit_nofile 16384;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
access_log off;
server_names_hash_bucket_size 128;
server_names_hash_max_size 8192;
variables_hash_max_size 8192;
map_hash_bucket_size 128;
charset utf-8;
types {{ }}
gzip_types *;
gzip_min_length 1;
"""


def divided(sites: Iterable[Site]) -> tuple[list[Site], list[Site]]:
    """Those that nginx can serve as they are described, and the others.

    A site shares its address with none of the other kind.
    """
    sites = list(sites)
    special = {a for site in sites if not _is_plain(site) for a in site.addresses}
    while True:  # a plain site beside a special one draws its own addresses along
        drawn = {a for site in sites if special & set(site.addresses) for a in site.addresses}
        if drawn <= special:
            break
        special |= drawn
    plain = [site for site in sites if not special & set(site.addresses)]
    return plain, [site for site in sites if special & set(site.addresses)]


def _is_plain(site: Site) -> bool:
    # nginx-light has no HTTP/3.
    return not site.h3 and all(_is_plain_port(port) for _, _, port in site.listeners())


def _is_plain_port(port: Port) -> bool:
    match port:
        case Redirect() | Article(dynamic=False) | Encoded(Article(dynamic=False), "gzip"):
            return True
        case Fixed(status=status, headers=headers):
            return (status in (200, 204) or status >= 400) and all(map(_can_send, headers))
        case ForPath(then=one, otherwise=other) | ForClients(then=one, otherwise=other):
            return _is_plain_port(one) and _is_plain_port(other)
        case Chain(last=last):
            return _is_plain_port(last)
    return False


def _can_send(header: tuple[str, str]) -> bool:
    name, value = header
    if name == "Server":  # nginx says its own
        return value.startswith("nginx")
    return not set('"$\\') & set(value)


def write(folder: Path, sites: Sequence[Site], authorities: Authorities) -> Path:
    """Configuration, pages and certificates for *sites* in *folder*; the configuration's path."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [_HEAD.format(folder=folder)]
    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        lines.append(f"{kind}_temp_path {folder}/{kind};")
    for number, site in enumerate(sites):
        lines += _site(folder, number, site, authorities)
    lines.append("}\n")
    path = folder / "nginx.conf"
    path.write_text("\n".join(lines))
    return path


def _site(folder: Path, number: int, site: Site, authorities: Authorities) -> Iterator[str]:
    names = " ".join(ascii_name(name) for name in site.names)
    stem = folder / f"site{number}"
    if site.listeners():
        chain, key = authorities.chain(site.certificate, site.names)
        stem.with_suffix(".crt").write_bytes(chain)
        stem.with_suffix(".key").write_bytes(key)
    for port, scheme, behaviour in site.listeners():
        pages = _Pages(folder, f"s{number}_{port}")
        choice = pages.choice(behaviour)
        yield from pages.outside
        yield f"server {{\nserver_name {names};"
        secure = (" ssl http2" if site.h2 else " ssl") if scheme == "https" else ""
        for address in site.addresses:
            yield f"listen {f'[{address}]' if ':' in address else address}:{port}{secure};"
        if secure:
            yield f"ssl_certificate {stem}.crt; ssl_certificate_key {stem}.key;"
        yield f"location / {{ rewrite ^ /leaf-{choice}? last; }}"
        yield from pages.inside
        yield "}"


class _Pages:
    """The pages of one port: *outside* its server block who gets which, *inside* the pages."""

    def __init__(self, folder: Path, label: str) -> None:
        self.outside: list[str] = []
        self.inside: list[str] = []
        self._folder = folder
        self._label = label
        self._numbers = itertools.count()

    def choice(self, page: Port) -> str:
        """What stands for the page that is to be sent: a number, or a variable that holds it."""
        match page:
            case ForPath():
                one, other = self.choice(page.then), self.choice(page.otherwise)
                return self._mapped("$request_uri", f"~^{re.escape(page.path)}", one, other)
            case ForClients():
                one, other = self.choice(page.then), self.choice(page.otherwise)
                inside = self._variable()
                networks = " ".join(f"{network} 1;" for network in page.networks)
                self.outside.append(f"geo {inside} {{ default 0; {networks} }}")
                return self._mapped(inside, "1", one, other)
            case Chain():
                spelled: Page = Redirect(f"/hop/{page.length}", page.status)
                for left in range(page.length + 1):  # the longest number is tried first
                    to = Redirect(f"/hop/{left - 1}", page.status) if left else page.last
                    spelled = ForPath(f"/hop/{left}", to, spelled)
                return self.choice(spelled)
        number = str(next(self._numbers))
        self.inside.append(f"location = /leaf-{number} {{ internal; {self._leaf(page, number)} }}")
        return number

    def _mapped(self, source: str, pattern: str, one: str, other: str) -> str:
        variable = self._variable()
        self.outside.append(
            f'map {source} {variable} {{ "{pattern}" "{one}"; default "{other}"; }}'
        )
        return variable

    def _variable(self) -> str:
        return f"${self._label}_{next(self._numbers)}"

    def _leaf(self, page: Port, number: str) -> str:
        match page:
            case Redirect():
                location = page.location.replace("{host}", "$host")
                location = location.replace("{target}", "$request_uri")
                return f'return {page.status} "{location}";'
            case Encoded():
                return "gzip on; " + self._leaf(page.page, number)
            case Article() | Fixed():
                response = page(Request())
                if response.status == 204:
                    return "return 204;"
                body = self._body(response, number)
                if response.status == 200:
                    return body
                self.inside.append(f"location = /body-{number} {{ internal; {body} }}")
                return f"error_page {response.status} /body-{number}; return {response.status};"
        raise TypeError(f"nginx cannot serve {page!r}")

    def _body(self, response: Response, number: str) -> str:
        path = self._folder / f"{self._label}-{number}.page"
        path.write_bytes(response.body)
        words = [f"alias {path};"]
        for name, value in response.headers:
            if name == "Content-Type":
                words.append(f'default_type "{value.partition(";")[0]}";')
            elif name != "Server":
                words.append(f'add_header {name} "{value}" always;')
        return " ".join(words)
