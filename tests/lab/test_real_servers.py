"""nginx and unbound say the same as our own servers, where both can."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from lab import real_servers
from lab.certificates import Authorities
from lab.country import Country
from lab.namespace import explain_if_impossible
from lab.resolvers import GOOGLE, Answerer, Name, Zone
from lab.sites import Article, Request, Site
from lab.topology import place_of
from lab.world import Place
from lab.worlds import fixtures
from lab.worlds.plan import build, names

AUTHORITIES = Authorities()
WORLDS = [build(name) for name in names()]
SITES = [site for world in WORLDS for site in world.sites if isinstance(site, Site)]
ENTRIES = [entry for world in WORLDS for entry in world.zone if isinstance(entry, Name)]
ZONE = Zone([*fixtures.ZONE, *ENTRIES])

VISITOR = r"""
import json, socket, ssl, sys
import dns.message, dns.rcode
def ask(name, rdtype):
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(1.0)
        sock.connect(("8.8.8.8", 53))
        sock.send(dns.message.make_query(name, rdtype).to_wire())
        try:
            answer = dns.message.from_wire(sock.recv(4096))
        except TimeoutError:
            return ["silence"]
        texts = [item.to_text() for rrset in answer.answer for item in rrset]
        return [dns.rcode.to_text(answer.rcode()), *sorted(texts)]
def fetch(address, name):
    context = ssl.create_default_context(cafile=sys.argv[1])
    with socket.create_connection((address, 443), 5) as sock:
        sock = context.wrap_socket(sock, server_hostname=name)
        head = f"GET /any/path HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
        sock.sendall(head.encode())
        page = b""
        while data := sock.recv(65536):
            page += data
        sock.close()
    return page.partition(b"\r\n\r\n")[2].decode()
asked, fetched = json.load(sys.stdin)
print(json.dumps([[ask(*case) for case in asked], [fetch(*case) for case in fetched]]))
"""


def ours(name: str, rdtype: str) -> list[str]:
    wire = Answerer(GOOGLE, ZONE).answer(dns.message.make_query(name, rdtype).to_wire())
    if wire is None:
        return ["silence"]
    answer = dns.message.from_wire(wire)
    texts = [item.to_text() for rrset in answer.answer for item in rrset]
    return [dns.rcode.to_text(answer.rcode()), *sorted(texts)]


def test_plain_and_special_sites_share_no_address() -> None:
    plain, special = real_servers.divided(SITES)
    assert len(SITES) == len(plain) + len(special)
    assert len(plain) > 60
    assert not {a for s in plain for a in s.addresses} & {a for s in special for a in s.addresses}


@pytest.mark.lab
def test_they_answer_as_ours_do(tmp_path: Path) -> None:
    why = explain_if_impossible() or (
        None if real_servers.available() else "nginx and unbound are not installed"
    )
    if why is not None:
        pytest.skip(why)
    store = tmp_path / "roots.pem"
    store.write_bytes(AUTHORITIES.store())
    plain, _ = real_servers.divided(SITES)
    abroad = [s for s in plain if all(place_of(a) is Place.ABROAD for a in s.addresses)]
    articles = [
        s for s in abroad if isinstance(s.https, Article) and s.certificate.root == "Zond Lab Root"
    ]
    pages = [s for s in articles if s.certificate.valid_to > 0 and not s.certificate.names][:20]
    asked = [(e.name, rdtype) for e in ENTRIES for rdtype in ("A", "AAAA", "HTTPS")]
    asked = [(name.encode("idna").decode(), rdtype) for name, rdtype in asked]
    nginx = real_servers.write_nginx(tmp_path / "nginx", abroad, AUTHORITIES)
    unbound = real_servers.write_unbound(tmp_path / "google", GOOGLE, ZONE, AUTHORITIES)
    with Country() as country:
        real_servers.start_nginx(country, Place.ABROAD, nginx)
        real_servers.start_unbound(country, Place.RESOLVERS, unbound)
        visitor = country.command(
            Place.HOME,
            [sys.executable, "-c", VISITOR, store],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        cases = [asked, [(s.addresses[-1], s.names[0]) for s in pages]]
        output, _ = visitor.communicate(json.dumps(cases), timeout=60)
    answers, fetched = json.loads(output)
    for case, answer in zip(asked, answers, strict=True):
        assert ours(*case) == answer, case
    for site, page in zip(pages, fetched, strict=True):
        assert isinstance(site.https, Article)
        assert site.https(Request()).body.decode() == page
