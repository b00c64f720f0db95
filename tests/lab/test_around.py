"""Ways around and messengers in a country of their own: reached, blocked, and innocent.

Each is measured by an ordinary run with two controls, and judged by ``zond verdicts``.
"""

from __future__ import annotations

import csv
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from subprocess import DEVNULL, PIPE, STDOUT, Popen
from typing import Any

import pytest

from lab.around import FirstBytes, Respelling, centre, parrot, run_doq
from lab.censors import AddressDrop, SNIDrop, SNIReset, a_censor
from lab.certificates import ORDINARY, Certificate
from lab.resolvers import OWN, PUBLIC, Name, Resolver, run_resolvers
from lab.sites import Article, Site
from lab.stage import Setting, Stage, first_line, verdicts
from lab.topology import place_of
from lab.trial import HURRY
from lab.world import Place, Wire
from probe.wire.wireguard import new_pair, write_key

pytestmark = pytest.mark.lab

OUT = (Wire.UPLINK_1, Wire.UPLINK_2)
PATIENCE = 60.0  # seconds for a server to come up
Verdicts = Mapping[str, tuple[str, tuple[str, ...], str | None]]


def on_the_way(*rules: Any) -> dict[Wire, tuple[Any, ...]]:
    return {wire: (a_censor(*rules),) for wire in OUT}


def written(file: Path, targets: Mapping[str, Mapping[str, str]]) -> Path:
    """A list of *targets*, each with its attributes."""
    columns = dict.fromkeys(name for more in targets.values() for name in more)
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, ["url", "category_code", "risk", *columns])
        writer.writeheader()
        for url, more in targets.items():
            writer.writerow({"url": url, "category_code": "ANON", "risk": "low", **more})
    return file


def judged(stage: Stage, folder: Path, targets: Mapping[str, Mapping[str, str]]) -> Verdicts:
    """What an ordinary run over *targets* is judged."""
    folder.mkdir(exist_ok=True)
    db, listed = folder / "zond.db", written(folder / "around.csv", targets)
    run = stage.zond(
        "run", "--yes", "--no-upload", "--list", listed, "--db", db, "--concurrency", "30",
        stdout=PIPE, stderr=PIPE, text=True,
    )  # fmt: skip
    _, said = run.communicate()
    assert 0 == run.returncode, said
    return {
        url: (line["outcome"], tuple(line["mechanisms"]), line.get("trigger"))
        for url, line in verdicts(db).items()
    }


def assert_judged(
    expected: Mapping[str, tuple[str, Sequence[str]]], found: Verdicts
) -> None:
    assert {url: (outcome, tuple(how)) for url, (outcome, how) in expected.items()} == {
        url: (outcome, how) for url, (outcome, how, _) in found.items()
    }


def host(name: str, address: str, **more: Any) -> Site:
    page = Article(name, "en", 2)
    return Site(names=(name,), addresses=(address,), http=None, https=page, **more)


def known(*sites: Site) -> tuple[Name, ...]:
    return tuple(Name(name=site.names[0], addresses=site.addresses) for site in sites)


MESSENGERS = {
    "telegram://149.154.167.51:443": ("ok", ()),
    "telegram://149.154.175.100:443": ("blocked", ("tcp.silence",)),
    "telegram://149.154.167.91:443": ("blocked", ("tls.reset",)),
    "telegram://149.154.171.5:443": ("down", ()),
    "telegram://149.154.175.50:443": ("down", ()),
    "telegram://web.telegram.org": ("blocked", ("tls.reset",)),
    "signal://chat.signal.org": ("ok", ()),
    "signal://cdsi.signal.org": ("blocked", ("dns.substituted",)),
    "signal://sfu.voip.signal.org": ("blocked", ("dns.nxdomain",)),
    "signal://cdn.signal.org": ("down", ()),
    "whatsapp://e1.whatsapp.net": ("ok", ()),
    "whatsapp://e2.whatsapp.net": ("blocked", ("tcp.silence",)),
    "whatsapp://e3.whatsapp.net": ("ok", ()),
}  # fmt: skip
PARTS = {
    "signal://cdsi.signal.org": "contacts", "signal://sfu.voip.signal.org": "calls",
    "signal://cdn.signal.org": "files",
}  # fmt: skip


def test_messengers(tmp_path: Path) -> None:
    sites = (
        host("chat.signal.org", "76.223.92.165"), host("cdsi.signal.org", "40.122.45.194"),
        host("sfu.voip.signal.org", "35.188.132.80"),
        host("cdn.signal.org", "18.161.21.122", certificate=Certificate(names=("else.example",))),
        host("web.telegram.org", "149.154.167.99"),
        host("e1.whatsapp.net", "157.240.205.60"), host("e2.whatsapp.net", "157.240.205.61"),
        host("e3.whatsapp.net", "157.240.205.62"),
    )  # fmt: skip
    lies = (
        Name(name="cdsi.signal.org", addresses=("82.209.230.23",), at=(OWN,)),
        Name(name="sfu.voip.signal.org", kind="nxdomain", at=(OWN,)),
    )
    censors = on_the_way(
        AddressDrop(addresses=("149.154.175.100", "157.240.205.61")),
        # The second port of e3 is open.
        AddressDrop(addresses=("157.240.205.62",), ports=(443,)),
        FirstBytes(addresses=("149.154.167.91",), looks=lambda said: len(said) > 64),
        SNIReset(names=("web.telegram.org",)),
    )
    more = (
        centre("149.154.167.51", "149.154.175.100", "149.154.167.91"),
        centre("149.154.175.50", say=parrot),
        Site(
            names=("e3b.invalid",), addresses=("157.240.205.62",), http=None, https=None,
            ports=((5222, "http", Article("e3", "en", 1)),),
        ),
    )  # fmt: skip
    setting = Setting(
        sites=sites + more, zone=(*known(*sites), *lies), censors=censors, config=HURRY,
        icmp_ratelimit=0,
    )  # fmt: skip
    targets = {url: {"part": PARTS.get(url, "")} for url in MESSENGERS}
    with Stage([], tmp_path, setting) as stage:
        found = judged(stage, tmp_path, targets)
    assert_judged(MESSENGERS, found)




RESOLVERS = {
    "doh://dns.google/dns-query": ("ok", ()),
    "dot://dns.google": ("ok", ()),
    "dot://dns.quad9.net": ("blocked", ("tls.reset",)),
    "doh://dns.quad9.net/dns-query": ("blocked", ("tls.silence",)),
    "doh://cloudflare-dns.com/dns-query": ("blocked", ("dns.substituted",)),
    "dot://one.one.one.one": ("blocked", ("tcp.silence",)),
    "doq://dns.adguard-dns.com": ("ok", ()),
    "doq://p0.freedns.controld.com": ("blocked", ("quic.silence",)),
    "doh://dns.mullvad.net/dns-query": ("down", ()),
    "dot://liar.example": ("down", ()),
    "dot://gone.example": ("down", ()),
}  # fmt: skip


def test_encrypted_resolvers(tmp_path: Path) -> None:
    """Google, Quad9 and Cloudflare are unbound here; what speaks QUIC is aioquic."""
    adguard = Resolver(
        name="adguard-q", addresses=("94.140.14.14",), names=("dns.adguard-dns.com",)
    )
    controld = Resolver(
        name="controld", addresses=("76.76.2.0",), names=("p0.freedns.controld.com",)
    )
    mullvad = Resolver(
        name="mullvad", addresses=("194.242.2.2",), names=("dns.mullvad.net",),
        certificate=Certificate(names=("else.example",)),
    )  # fmt: skip
    liar = Resolver(name="liar", addresses=("185.222.222.222",), names=("liar.example",))
    google = Name(name="dns.google", addresses=("8.8.8.8",))
    cloudflare = ("1.1.1.1",)
    zone = (
        Name(name="a.root-servers.net", addresses=("198.41.0.4",)),
        Name(name="a.root-servers.net", addresses=("127.0.0.53",), at=("liar",)),
        google,
        Name(name="dns.quad9.net", addresses=("9.9.9.9",)),
        Name(name="cloudflare-dns.com", addresses=cloudflare),
        Name(name="cloudflare-dns.com", addresses=("82.209.230.23",), at=(OWN,)),
        Name(name="one.one.one.one", addresses=cloudflare),
        Name(name="gone.example", addresses=("45.11.45.11",)),
        *(
            Name(name=r.names[0], addresses=r.addresses)
            for r in (adguard, controld, mullvad, liar)
        ),
    )
    censors = on_the_way(
        SNIReset(names=("dns.quad9.net",), ports=(853,)),
        SNIDrop(names=("dns.quad9.net",), ports=(443,)),
        AddressDrop(addresses=cloudflare, ports=(853,)),
        FirstBytes(addresses=("76.76.2.0",), looks=lambda said: bool(said[0] & 0xC0)),
    )
    setting = Setting(
        zone=zone, censors=censors, config=HURRY, icmp_ratelimit=0, real_servers=True
    )
    with Stage([], tmp_path, setting) as stage:
        stage.country.start(
            Place.ABROAD, run_resolvers, (mullvad, liar), stage.zone, stage.authorities
        )
        for resolver in (adguard, controld):
            place = place_of(resolver.addresses[0])
            assert place is not None
            stage.country.start(place, run_doq, (resolver,), stage.zone, stage.authorities)
        found = judged(stage, tmp_path, {url: {} for url in RESOLVERS})
    assert_judged(RESOLVERS, found)


def test_middleboxes(tmp_path: Path) -> None:
    """Somebody respells requests to one helper; nobody those to the other."""
    plain, watched = "195.201.10.80", "195.201.10.81"
    setting = Setting(config=HURRY, icmp_ratelimit=0, censors={
        wire: (lambda: Respelling(watched),) for wire in OUT
    })
    with Stage([], tmp_path, setting) as stage:
        for address in (plain, watched):
            helper = stage.zond(
                "control", "helpers", "--echo", f"{address}:80", place=Place.ABROAD, stderr=PIPE,
                text=True,
            )
            assert helper.stderr is not None
            assert "echo at port 80\n" == first_line(helper.stderr)
        found = {
            address: judged(stage, tmp_path / address, {
                "middlebox://headers": {"helper": f"{address}:80"},
                "middlebox://request-line": {"helper": f"{address}:80"},
            })
            for address in (plain, watched)
        }
    untouched = dict.fromkeys(("middlebox://headers", "middlebox://request-line"), ("ok", ()))
    assert_judged(untouched, found[plain])
    assert_judged(dict.fromkeys(untouched, ("ok", ("http.altered",))), found[watched])


PROXIES = {
    "socks5://195.201.20.1:1080": ("ok", ()),
    "socks5://195.201.20.2:1080": ("blocked", ("tls.reset",)),
    "socks5://195.201.20.6:1080": ("down", ()),
    "http-proxy://195.201.20.3:8888": ("ok", ()),
    "http-proxy://195.201.20.4:8888": ("blocked", ("tcp.silence",)),
    "http-proxy://195.201.20.5:8888": ("blocked", ("http.silence",)),
}  # fmt: skip
TINYPROXY = """Port 8888
Listen {address}
Timeout 60
MaxClients 20
LogFile "{folder}/log"
LogLevel Error
"""


def test_proxies(tmp_path: Path) -> None:
    """microsocks and tinyproxy."""
    censors = on_the_way(
        FirstBytes(addresses=("195.201.20.2",), looks=lambda said: said[0] == 5),
        AddressDrop(addresses=("195.201.20.4",)),
        FirstBytes(
            addresses=("195.201.20.5",), looks=lambda said: said.startswith(b"CONNECT "),
            silently=True,
        ),
    )
    setting = Setting(censors=censors, config=HURRY, icmp_ratelimit=0)
    with Stage([], tmp_path, setting) as stage:
        for last in (1, 2):
            at = f"195.201.20.{last}"
            run_abroad(stage, ["microsocks", "-i", at, "-p", "1080"], "tcp", at, 1080)
        for last in (3, 4, 5):
            folder = tmp_path / f"tinyproxy-{last}"
            folder.mkdir(mode=0o777)
            at = f"195.201.20.{last}"
            (folder / "conf").write_text(TINYPROXY.format(address=at, folder=folder))
            run_abroad(stage, ["tinyproxy", "-d", "-c", str(folder / "conf")], "tcp", at, 8888)
        found = judged(stage, tmp_path, {url: {} for url in PROXIES})
    assert_judged(PROXIES, found)


def run_abroad(
    stage: Stage, argv: Sequence[str | Path], kind: str, address: str, port: int
) -> None:
    """A real server, for as long as the country; it is there once its socket of *kind* is."""
    server = stage.country.command(
        Place.ABROAD, argv, resolv_conf=PUBLIC[0].addresses[:1], stdout=DEVNULL, stderr=DEVNULL
    )
    packed = int.from_bytes(socket.inet_aton(address), sys.byteorder)
    listens = f" {packed:08X}:{port:04X} 00000000:0000 {'0A' if kind == 'tcp' else '07'} "
    await_(server, lambda: listens in Path(f"/proc/{server.pid}/net/{kind}").read_text())


def await_(server: Popen[bytes], up: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not up():
        assert server.poll() is None, server.args
        assert time.monotonic() < end, server.args
        time.sleep(0.05)


TUNNELS = {
    "openvpn://195.201.30.1:1194": ("ok", ()),
    "openvpn://195.201.30.1:443": ("ok", ()),
    "openvpn://195.201.30.2:1194": ("blocked", ("tls.silence",)),
    "openvpn://195.201.30.2:443": ("blocked", ("tls.reset",)),
    "openvpn://195.201.30.4:1194": ("down", ()),
    "wireguard://195.201.30.1:51821": ("ok", ()),
    "wireguard://195.201.30.5:51820": ("ok", ()),
    "wireguard://195.201.30.6:51820": ("blocked", ("tls.silence",)),
    "wireguard://195.201.30.7:51820": ("down", ()),
}  # fmt: skip


def openvpn(stage: Stage, folder: Path, address: str, proto: str, port: int, net: int) -> None:
    chain, key = stage.authorities.chain(ORDINARY, ("vpn.example",))
    folder.mkdir()
    (folder / "cert.pem").write_bytes(chain)
    (folder / "key.pem").write_bytes(key)
    (folder / "ca.pem").write_bytes(stage.authorities.store())
    program = which("openvpn") or "/usr/sbin/openvpn"
    run_abroad(stage, [
        program, "--cd", str(folder), "--dev", f"tunv{net}", "--dev-type", "tun", "--proto", proto,
        "--port", str(port), "--local", address, "--server", f"10.{net}.0.0", "255.255.255.0",
        "--topology", "subnet", "--ca", "ca.pem", "--cert", "cert.pem", "--key", "key.pem",
        "--dh", "none", "--keepalive", "10", "60",
    ], proto.partition("-")[0], address, port)  # fmt: skip


def test_tunnels(tmp_path: Path) -> None:
    """OpenVPN's own server; WireGuard's userspace one, and ours that answers everybody."""
    censors = on_the_way(
        FirstBytes(addresses=("195.201.30.2",), looks=lambda said: said[0] == 0x38),
        FirstBytes(addresses=("195.201.30.2",), looks=lambda said: said[:3] == b"\0\x0e8"),
        FirstBytes(addresses=("195.201.30.6",), looks=lambda said: said[:4] == b"\1\0\0\0"),
    )
    server, client = new_pair(), new_pair()
    setting = Setting(censors=censors, config=HURRY, icmp_ratelimit=0)
    (tmp_path / "key").write_text(write_key(server.private))
    (tmp_path / "key").chmod(0o600)
    with Stage([], tmp_path, setting) as stage:
        for last in (1, 2):
            for proto, port in (("udp", 1194), ("tcp-server", 443)):
                folder, net = tmp_path / f"openvpn-{last}-{port}", last * 2 + (port == 443)
                openvpn(stage, folder, f"195.201.30.{last}", proto, port, net)
        for last in (5, 6):
            helper = stage.zond(
                "control", "helpers", "--wireguard", f"195.201.30.{last}:51820",
                "--wireguard-key", tmp_path / "key", place=Place.ABROAD, stderr=PIPE, text=True,
            )
            assert helper.stderr is not None
            assert write_key(server.public) in first_line(helper.stderr)
        with real_wireguard(stage, tmp_path / "key", client.public):
            public = write_key(server.public)
            targets: dict[str, dict[str, str]] = {}
            for url in TUNNELS:
                if url.startswith("wireguard"):
                    targets[url] = {"public_key": public, "client_key": write_key(client.private)}
                else:
                    targets[url] = {"proto": "tcp" if url.endswith(":443") else "udp"}
            found = judged(stage, tmp_path, targets)
    assert_judged(TUNNELS, found)


@contextmanager
def real_wireguard(stage: Stage, key: Path, peer: bytes) -> Iterator[None]:
    """wireguard-go abroad, at every address, with a *peer* that may go nowhere."""
    name = f"zw{os.getpid()}"
    sock = Path(f"/var/run/wireguard/{name}.sock")
    sock.unlink(missing_ok=True)  # of one that was killed, when our number was another's
    server = stage.country.command(
        Place.ABROAD, ["wireguard-go", "-f", name], stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        await_(server, lambda: answers(sock))
        done = stage.country.command(
            Place.ABROAD, ["wg", "set", name, "listen-port", "51821", "private-key", str(key),
                           "peer", write_key(peer)],
            stdout=PIPE, stderr=STDOUT, text=True,
        )  # fmt: skip
        said, _ = done.communicate()
        assert 0 == done.returncode, said
        yield
    finally:
        sock.unlink(missing_ok=True)


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0
