"""nginx and unbound say the same as our own servers, and the probe reads them as rightly."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from lab import nginx, real_servers
from lab.certificates import TRUSTED, Authorities
from lab.country import Country, LabError
from lab.namespace import explain_if_impossible
from lab.real_servers import RealServers
from lab.resolvers import GOOGLE, OWN, PUBLIC, Answerer, Name, Resolver, Zone
from lab.sites import Request, Site
from lab.stage import Setting, Stage
from lab.topology import OPERATOR_RESOLVER_ADDRESSES, place_of
from lab.trial import HURRY
from lab.world import Place
from lab.worlds import fixtures
from lab.worlds.plan import build, names
from probe.evidence import PROBE, DNSExchange, HTTPExchange
from probe.store import Store

AUTHORITIES = Authorities()
WORLDS = [build(name) for name in names()]
SITES = [site for world in WORLDS for site in world.sites if isinstance(site, Site)]
ENTRIES = [entry for world in WORLDS for entry in world.zone if isinstance(entry, Name)]
ZONE = Zone([*fixtures.ZONE, *ENTRIES])
RESOLVERS = (GOOGLE, Resolver(name=OWN, addresses=OPERATOR_RESOLVER_ADDRESSES))

MEASURED = {
    "blocked": (
        "dns_nxdomain", "dns_refused", "dns_servfail", "dns_empty", "dns_silence", "dns_bogon",
        "dns_substituted", "dns_substituted_mts", "dns_to_block_page_over_http", "dns_injected",
        "tcp_silence", "tcp_refused", "tls_reset", "tls_closed", "tls_alert", "tls_forged",
        "tls_reset_behind_redirect", "http_silence", "http_reset", "http_closed",
        "http_redirect_beltelecom", "http_redirect_a1", "http_blockpage_listed", "http_altered",
    ),
    "innocent": (
        "plain_site", "http_only_site", "https_only_site", "domestic_site", "compressed_page",
        "many_addresses", "see_other", "permanent_redirect", "redirect_to_www",
        "long_redirect_chain", "article_about_blocking", "cname_to_content_network",
        "address_for_each_resolver", "site_silent", "site_refuses", "name_does_not_exist",
        "name_without_address", "name_servers_broken", "expired_certificate",
        "certificate_of_another_name", "untrusted_root", "forbidden_for_controls",
        "refuses_the_country", "sister_site_for_the_country", "page_in_the_visitors_language",
    ),
}  # fmt: skip

VISITOR = r"""
import json, socket, ssl, sys
import dns.message, dns.rcode
def ask(server, name, rdtype, waits):
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect((server, 53))
        query = dns.message.make_query(name, rdtype).to_wire()
        for seconds in waits:  # a busy machine loses a datagram, or is late with one
            sock.settimeout(seconds)
            sock.send(query)
            try:
                answer = dns.message.from_wire(sock.recv(4096))
                break
            except TimeoutError:
                pass
        else:
            return ["silence"]
        texts = [item.to_text() for rrset in answer.answer for item in rrset]
        return [dns.rcode.to_text(answer.rcode()), *sorted(texts)]
def fetch(address, name):
    context = ssl.create_default_context(cafile=sys.argv[1])
    with socket.create_connection((address, 443), 60) as sock:
        sock = context.wrap_socket(sock, server_hostname=name)
        head = f"GET /any/path HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
        sock.sendall(head.encode())
        page = b""
        while data := sock.recv(65536):
            page += data
        sock.close()
    head, _, body = page.partition(b"\r\n\r\n")
    return [int(head.split()[1]), body.decode()]
asked, fetched = json.load(sys.stdin)
print(json.dumps([[ask(*case) for case in asked], [fetch(*case) for case in fetched]]))
"""
VERSION = r"""
import dns.message, dns.query, sys
query = dns.message.make_query("version.bind", "TXT", "CH")
for server in sys.argv[1:]:
    print(dns.query.tcp(query, server, 60).answer[0][0].strings[0].decode())
"""
BUILDER = r"""
import sys, time
from pathlib import Path
from lab.stage import Setting, Stage
from lab.worlds.plan import build
if __name__ == "__main__":
    with Stage([build("plain_site")], Path(sys.argv[1]), Setting(real_servers=True)):
        print("ready", flush=True)
        time.sleep(600)
"""
PATIENTLY = (0.5, 5.0, 30.0)  # seconds for an answer that must come, each after another query


@pytest.fixture
def possible() -> None:
    why = explain_if_impossible() or real_servers.missing()
    if why is not None:
        pytest.skip(why)


def ours(resolver: Resolver, name: str, rdtype: str) -> list[str]:
    wire = Answerer(resolver, ZONE).answer(dns.message.make_query(name, rdtype).to_wire())
    if wire is None:
        return ["silence"]
    answer = dns.message.from_wire(wire)
    texts = [item.to_text() for rrset in answer.answer for item in rrset]
    return [dns.rcode.to_text(answer.rcode()), *sorted(texts)]


def test_nginx_and_our_sites_share_no_address() -> None:
    plain, special = nginx.divided(SITES)
    assert len(SITES) == len(plain) + len(special)
    assert len(plain) > 0.8 * len(SITES)
    assert not {a for s in plain for a in s.addresses} & {a for s in special for a in s.addresses}


def test_what_unbound_cannot_be_stays_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = RealServers(Country(), tmp_path, AUTHORITIES)
    silent = replace(RESOLVERS[1], silent=True)
    assert (silent,) == real.serve_names(Place.OPERATOR, (silent,), ZONE)
    monkeypatch.setattr(real_servers, "_speaks_doh", lambda: False)
    assert PUBLIC == real.serve_names(Place.RESOLVERS, PUBLIC, ZONE)


@pytest.mark.lab
@pytest.mark.usefixtures("possible")
def test_they_answer_as_ours_do(tmp_path: Path) -> None:
    store = tmp_path / "roots.pem"
    store.write_bytes(AUTHORITIES.store())
    abroad = [s for s in SITES if all(place_of(a) is Place.ABROAD for a in s.addresses)]
    plain, _ = nginx.divided(abroad)
    pages = [
        (site, site.https(Request(host=site.names[0], target="/any/path", client="178.124.180.77")))
        for site in plain
        if callable(site.https)
        and site.certificate.root in TRUSTED
        and site.certificate.valid_to > 0
        and not site.certificate.names
    ]
    asked = [
        (resolver, name.encode("idna").decode(), rdtype)
        for resolver in RESOLVERS
        for name in dict.fromkeys(entry.name for entry in ENTRIES)
        for rdtype in ("A", "AAAA", "HTTPS")
    ]
    wanted = [ours(*case) for case in asked]
    with (
        Country() as country,
        RealServers(country, tmp_path / "servers", AUTHORITIES) as real,
    ):
        assert [] == real.serve_sites(Place.ABROAD, plain)
        assert () == real.serve_names(Place.RESOLVERS, RESOLVERS[:1], ZONE)
        assert () == real.serve_names(Place.OPERATOR, RESOLVERS[1:], ZONE)
        visitor = country.command(
            Place.HOME,
            [sys.executable, "-c", VISITOR, store],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        cases = [
            [
                (resolver.addresses[0], name, rdtype, (0.5,) if said == ["silence"] else PATIENTLY)
                for (resolver, name, rdtype), said in zip(asked, wanted, strict=True)
            ],
            [(site.addresses[-1], site.names[0]) for site, _ in pages],
        ]
        output, _ = visitor.communicate(json.dumps(cases), timeout=600)
    answers, fetched = json.loads(output)
    assert len(pages) > 60
    for case, said, answer in zip(asked, wanted, answers, strict=True):
        assert said == answer, case
    for (site, response), (status, body) in zip(pages, fetched, strict=True):
        assert response.status == status, site
        if status == 200 and not dict(response.headers).get("Content-Encoding"):
            assert response.body.decode() == body, site


@pytest.mark.lab
@pytest.mark.long
@pytest.mark.usefixtures("possible")
def test_the_probe_is_as_right_with_servers_that_are_not_ours(tmp_path: Path) -> None:
    worlds = [build(name, 3) for names in MEASURED.values() for name in names]
    db = tmp_path / "zond.db"
    with Stage(worlds, tmp_path, Setting(real_servers=True, config=HURRY)) as stage:
        done = stage.run(db, "--concurrency", "50", "--seed", "3")
        results = stage.results(db)
        servers = [r.addresses[0] for r in (RESOLVERS[1], *PUBLIC)]
        asked = stage.country.command(
            Place.HOME, [sys.executable, "-c", VERSION, *servers],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        versions, _ = asked.communicate(timeout=300)
    assert 0 == done.returncode, done.stderr
    assert [] == [(r.world, r.outcome, r.mechanisms, r.rules) for r in results if not r.right]
    assert 4 == sum(version.startswith("unbound ") for version in versions.splitlines())
    innocent = [site for w in worlds if w.name in MEASURED["innocent"] for site in w.sites]
    plain, special = nginx.divided(site for site in innocent if isinstance(site, Site))
    assert [] == special
    with Store(db) as store:
        seen = [e for m in store.measurements() for e in m.evidence if e.vantage == PROBE]
    pages = [e for e in seen if isinstance(e, HTTPExchange)]
    answered = {e.engine for e in seen if isinstance(e, DNSExchange) and e.failure is None}
    assert {"system", "udp", "dot", "doh"} <= answered
    theirs = {address for site in plain for address in site.addresses}
    said = [dict(page.headers).get("server") for page in pages if page.ip in theirs]
    assert len(said) >= 20
    assert {installed_nginx()} == set(said)


@pytest.mark.lab
@pytest.mark.usefixtures("possible")
def test_nothing_is_left_when_the_builder_is_killed(tmp_path: Path) -> None:
    builder = subprocess.Popen(
        [sys.executable, "-c", BUILDER, tmp_path], stdout=subprocess.PIPE, text=True
    )
    assert builder.stdout is not None
    with builder, builder.stdout:
        assert "ready\n" == builder.stdout.readline()
        assert 5 <= len(servers_of(tmp_path))  # nginx, three public resolvers, the operator's
        builder.send_signal(signal.SIGKILL)
    end = time.monotonic() + 60
    while servers_of(tmp_path) and time.monotonic() < end:
        time.sleep(0.02)
    assert [] == servers_of(tmp_path)


@pytest.mark.lab
@pytest.mark.usefixtures("possible")
def test_a_server_that_dies_is_no_finding(tmp_path: Path) -> None:
    with (
        pytest.raises(LabError, match=r"nginx.* ended with -9"),
        Stage([build("plain_site")], tmp_path, Setting(real_servers=True)),
    ):
        dead = [pid for pid in servers_of(tmp_path) if "nginx" in command_line_of(pid)]
        for pid in dead:
            os.kill(pid, signal.SIGKILL)
        while not all(has_ended(pid) for pid in dead):
            time.sleep(0.01)


def servers_of(folder: Path) -> list[int]:
    """Processes whose command line names the servers' folder in *folder*."""
    pids = map(int, filter(str.isdigit, os.listdir("/proc")))
    return [pid for pid in pids if str(folder / "servers") in command_line_of(pid)]


def command_line_of(pid: int) -> str:
    """Empty for a process that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def has_ended(pid: int) -> bool:
    """Whether its parent can be told; its command line is gone before that."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def installed_nginx() -> str:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    told = subprocess.run([str(program), "-v"], capture_output=True, text=True, check=True)
    return told.stderr.split()[-1]
