"""What stands in a household: programs, resolvers and tunnels that are real to the kernel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.certificates import Authorities
from lab.country import Country
from lab.household import run_forger, run_home_resolver
from lab.resolvers import HOME, Name, Resolver, Zone
from lab.vpn import VPN, run_client, run_server
from lab.world import Place
from tests.nobody import as_nobody

pytestmark = pytest.mark.lab

ISSUER, ABROAD, SPARED = "Northwind Traffic Inspection", "9.8.7.6", "88.198.40.10"
HANDSHAKE = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
try:
    plain = socket.create_connection((sys.argv[1], 443), timeout=5)
except ConnectionRefusedError:
    sys.exit("refused")
with context.wrap_socket(plain, server_hostname="news.example") as tls:
    from cryptography import x509
    leaf = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    print(leaf.issuer.rfc4514_string(), *names.get_values_for_type(x509.DNSName))
"""
WORLDS = """
import tempfile
from pathlib import Path
from lab.score import summary
from lab.trial import try_country
from lab.worlds.whole import WHOLE
if __name__ == "__main__":
    for name in ("unknown_program", "vpn_left_on"):
        with tempfile.TemporaryDirectory() as folder:
            trial = try_country(WHOLE[name](1), Path(folder), seed=1)
        print(summary(trial.results), sorted(trial.findings), trial.status)
"""


def said(country: Country, *argv: str) -> str:
    done = country.command(
        Place.HOME, argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    out, err = done.communicate(timeout=30)
    return f"{out}{err}".strip()


@pytest.mark.parametrize("ipv6", [True, False])
def test_a_program_on_the_machine_answers_for_everybody_but_those_it_spares(ipv6: bool) -> None:
    with Country(ipv6=ipv6) as country:
        country.start(Place.HOME, run_forger, Authorities(), ISSUER, (), (SPARED,))
        reached = {
            ip: said(country, sys.executable, "-c", HANDSHAKE, ip)
            for ip in (ABROAD, SPARED, *(["2a01:4f8::7"] if ipv6 else []))
        }
    assert reached[ABROAD] == f"CN={ISSUER} news.example"
    assert reached[SPARED] == "refused"  # the far end, where nobody listens
    assert reached.get("2a01:4f8::7", reached[ABROAD]) == reached[ABROAD]


def test_a_resolver_at_home_is_reached_at_its_private_address() -> None:
    zone = Zone([Name(name="a.example", addresses=("192.0.2.7",), at=(HOME,))])
    resolver = Resolver(name=HOME, addresses=("192.168.1.1",))
    lookup = "import socket; print(socket.gethostbyname('a.example'))"
    with Country() as country:
        country.start(Place.HOME, run_home_resolver, resolver, zone, Authorities())
        done = country.command(
            Place.HOME, [sys.executable, "-c", lookup], resolv_conf=("192.168.1.1",),
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert done.communicate(timeout=30)[0].strip() == "192.0.2.7"


def test_a_vpn_carries_what_leaves_to_its_other_end() -> None:
    vpn = VPN(device="tun0", server="146.70.52.9", exit="146.70.52.10")
    listen = (
        "import socket; s = socket.create_server(('88.198.40.10', 8080)); print('up', flush=True);"
        "print(s.accept()[1][0], flush=True)"
    )
    connect = "import socket; socket.create_connection(('88.198.40.10', 8080), 5).close()"
    with Country(ipv6=False) as country:
        country.start(Place.ABROAD, run_server, vpn)
        country.start(Place.HOME, run_client, vpn)
        server = country.command(
            Place.CONTROL_1, [sys.executable, "-c", listen], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        with server.stdout as told:
            assert told.readline() == "up\n"
            assert said(country, sys.executable, "-c", connect) == ""
            assert told.readline() == f"{vpn.exit}\n"


def test_none_of_it_needs_root(tmp_path: Path) -> None:
    done = as_nobody(WORLDS, open_to_all=True)
    assert 0 == done.returncode, done.stderr
    program, vpn = done.stdout.splitlines()
    assert program == "6 of 6 right, 0 false alarms, 0 blocks missed ['forger'] 0"
    assert vpn == "3 of 3 right, 0 false alarms, 0 blocks missed ['vpn'] 3"
