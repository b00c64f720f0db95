"""The same rules on real packets: what a kernel at home makes of each forgery."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lab.certificates import Authorities
from lab.country import Country
from lab.middlebox import merged
from lab.namespace import explain_if_impossible
from lab.resolvers import OWN, PUBLIC, Name, Resolver, Zone, run_resolvers
from lab.serving import run_sites
from lab.sites import Site
from lab.topology import OPERATOR_RESOLVER_ADDRESSES, place_of
from lab.wire import WireSettings
from lab.world import Place, Wire, World
from lab.worlds import fixtures
from lab.worlds.plan import build

pytestmark = pytest.mark.lab

# A visitor who knows nothing of the probe: ask, connect, shake hands, fetch; print what came.
VISITOR = r"""
import json, socket, ssl, sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit
import dns.message, dns.rcode

PATIENCE, SILENCE = 60.0, 0.7  # seconds for what must come, and for what must not

def ask(server, name, expected):
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect((server, 53))
        sock.send(dns.message.make_query(name, "A").to_wire())
        answers = []
        try:
            while True:
                sock.settimeout(PATIENCE if len(answers) < expected else SILENCE)
                answer = dns.message.from_wire(sock.recv(4096))
                addresses = [item.to_text() for rrset in answer.answer for item in rrset]
                answers.append([dns.rcode.to_text(answer.rcode()), *addresses])
        except TimeoutError:
            return answers

def visit(case):
    name, url, addresses, answers, silent = case
    parts, seen = urlsplit(url), []
    tls = parts.scheme == "https"
    for address in addresses:
        step = "tcp"
        try:
            patience = 2.0 if silent == "tcp" else PATIENCE
            with socket.create_connection((address, 443 if tls else 80), patience) as sock:
                sock.settimeout(2.0 if silent else PATIENCE)
                if tls:
                    step = "tls"
                    context = ssl.create_default_context(cafile=sys.argv[1])
                    sock = context.wrap_socket(sock, server_hostname=parts.hostname)
                step = "http"
                head = f"GET / HTTP/1.1\r\nHost: {parts.hostname}\r\nConnection: close\r\n\r\n"
                sock.sendall(head.encode())
                page = b""
                while data := sock.recv(65536):
                    page += data
                sock.close()
            seen.append(page.decode() or "nothing")
        except OSError as exc:
            seen.append(f"{step} {type(exc).__name__}")
    return name, [ask(server, parts.hostname, answers) for server in (sys.argv[2], "8.8.8.8")], seen

with ThreadPoolExecutor(16) as pool:
    print(json.dumps(list(pool.map(visit, json.load(sys.stdin)))))
"""

SEEDS = (1, 2, 3)  # the censor sits elsewhere in each, most sites have IPv6 in some
EXPECTED: dict[str, str | tuple[str, ...]] = {
    "plain_site": "HTTP/1.1 200",
    "tcp_silence": "tcp TimeoutError",
    "tcp_refused": "tcp ConnectionRefusedError",
    # The reset races with our first bytes: which of us was first is chance.
    "tcp_reset": tuple(f"{layer} ConnectionResetError" for layer in ("tcp", "tls", "http")),
    "tcp_unreachable": "tcp OSError",
    "tls_silence": "tls TimeoutError",
    "tls_reset": "tls ConnectionResetError",
    "tls_closed": "tls SSLEOFError",
    "tls_alert": "tls SSLError",
    "tls_forged": "tls SSLCertVerificationError",
    "http_silence": "http TimeoutError",
    "http_reset": "http ConnectionResetError",
    "http_closed": "nothing",
    "http_redirect_beltelecom": "HTTP/1.1 302 Found\r\nLocation: http://82.209.230.23/",
    "http_blockpage_listed": "HTTP/1.1 200",
    "http_blockpage_by_proxy": "HTTP/1.1 200",
    "http_altered": "HTTP/1.1 200",
    "script_added_to_page": "HTTP/1.1 200",
    "dns_injected": "HTTP/1.1 200",
    "dns_injected_nxdomain": "HTTP/1.1 200",
    "dns_silence_on_the_line": "HTTP/1.1 200",
}


def sites_in(place: Place, sites: list[Site]) -> list[Site]:
    here = [
        replace(site, addresses=tuple(a for a in site.addresses if place_of(a) is place))
        for site in sites
    ]
    return [site for site in here if site.addresses]


def addresses_of(world: World) -> list[str]:
    genuine = world.zone[0]
    assert isinstance(genuine, Name)
    return list(genuine.addresses)


def answers_to(name: str) -> int:
    """How many come to a question about the site of world *name*."""
    return 0 if name == "dns_silence_on_the_line" else 1 + name.startswith("dns_injected")


def silent_at(name: str) -> str:
    """At which step nothing comes in world *name*; empty if nowhere."""
    step, _, how = str(EXPECTED[name]).partition(" ")
    return step if how == "TimeoutError" else ""


Seen = dict[str, list[tuple[World, list[list[list[str]]], list[str]]]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    why = explain_if_impossible()
    if why is not None:
        pytest.skip(why)
    worlds = {f"{name} {seed}": build(name, seed) for name in EXPECTED for seed in SEEDS}
    authorities = Authorities()
    store: Path = tmp_path_factory.mktemp("store") / "roots.pem"
    store.write_bytes(authorities.store())
    sites = [s for world in worlds.values() for s in world.sites if isinstance(s, Site)]
    sites += fixtures.SITES
    zone = Zone(e for world in worlds.values() for e in world.zone if isinstance(e, Name))
    wires = {
        wire: WireSettings(
            delay=0.003,
            censors=merged(m for world in worlds.values() for m in world.censors.get(wire, ())),
        )
        for wire in Wire
    }
    own = Resolver(name=OWN, addresses=OPERATOR_RESOLVER_ADDRESSES)
    cases = [
        (key, world.url, addresses_of(world), answers_to(key.split()[0]), silent_at(key.split()[0]))
        for key, world in worlds.items()
    ]
    with Country(wires) as country:
        for place in (Place.ABROAD, Place.DOMESTIC):
            country.start(place, run_sites, sites_in(place, sites), authorities)
        country.start(Place.RESOLVERS, run_resolvers, PUBLIC, zone, authorities)
        country.start(Place.OPERATOR, run_resolvers, [own], zone, authorities)
        visitor = country.command(
            Place.HOME,
            [sys.executable, "-c", VISITOR, store, country.resolver_address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        output, _ = visitor.communicate(json.dumps(cases), timeout=300)
    found: Seen = {}
    for key, answers, pages in json.loads(output):
        found.setdefault(key.split()[0], []).append((worlds[key], answers, pages))
    return found


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_symptom_at_home_is_that_of_the_mechanism(name: str, seen: Seen) -> None:
    for world, _, pages in seen[name]:
        assert pages, world.url
        for page in pages:
            assert page.startswith(EXPECTED[name]), world.url


def test_an_altered_page_is_whole_and_not_the_sites(seen: Seen) -> None:
    for name in ("http_altered", "script_added_to_page"):
        for world, _, pages in seen[name]:
            for page in pages:
                head, _, body = page.partition("\r\n\r\n")
                assert f"Content-Length: {len(body.encode())}" in head, world.url
                assert body.rstrip().endswith("</html>"), world.url
    assert all(
        "/ads/abonent.js" in p for _, _, pages in seen["script_added_to_page"] for p in pages
    )


def test_a_page_by_proxy_is_the_proxys(seen: Seen) -> None:
    for _, _, pages in seen["http_blockpage_by_proxy"]:
        assert all(fixtures.UNLISTED_PAGE.decode() in page for page in pages)


def test_a_forged_answer_is_followed_by_the_true_one_at_every_resolver(seen: Seen) -> None:
    for world, answers, _ in seen["dns_injected"]:
        for at_resolver in answers:
            forged, true = at_resolver
            assert addresses_of(world)[:1] == true[1:]
            assert forged[1:] not in ([], true[1:])
    for _, answers, _ in seen["dns_injected_nxdomain"]:
        assert [["NXDOMAIN", "NOERROR"]] * 2 == [[a[0] for a in at] for at in answers]


def test_dropped_queries_are_dropped_whoever_is_asked(seen: Seen) -> None:
    assert all([[], []] == answers for _, answers, _ in seen["dns_silence_on_the_line"])
