"""The same sites and names behind servers that are not ours: nginx and unbound.

What our probe finds at our own servers might be only that the two agree. So the
plain sites are also served by nginx and the zone by unbound, from the same
descriptions: this module writes their configuration and starts them. What only
our servers can do (a captcha for some, a page that drips) stays with ours.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from lab.certificates import Authorities
from lab.country import Country, LabError
from lab.middlebox import ascii_name
from lab.resolvers import LIFETIME_OF_RECORDS, Name, Resolver, Zone
from lab.sites import Article, Fixed, Port, Redirect, Request, Site
from lab.world import Place

_PATIENCE = 20.0  # seconds for a server to come up


def available() -> bool:
    return bool(_program("nginx") and _program("unbound"))


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
    return not site.ports and all(_is_plain_port(port) for port in (site.http, site.https))


def _is_plain_port(port: Port) -> bool:
    match port:
        case Article(dynamic=False) | Redirect() | None:
            return True
        case Fixed(status=200):
            return True
    return False


def write_nginx(folder: Path, sites: Sequence[Site], authorities: Authorities) -> Path:
    """Configuration, pages and certificates for *sites* in *folder*; the configuration's path."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = [
        block
        for number, site in enumerate(sites)
        for block in _site_blocks(folder, number, site, authorities)
    ]
    head = (
        "daemon off;\nmaster_process off;\nworker_rlimit_nofile 16384;\n"  # no change of user
        f"pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        "events { worker_connections 8192; }\nhttp {\naccess_log off;\n"
        "server_names_hash_bucket_size 128;\nserver_names_hash_max_size 8192;\n"
        "default_type text/html;\ncharset utf-8;\ntypes { text/html html; }\n"
    )
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = folder / "nginx.conf"
    path.write_text(head + temporary + "\n".join(blocks) + "\n}\n")
    return path


def _site_blocks(folder: Path, number: int, site: Site, authorities: Authorities) -> list[str]:
    names = " ".join(ascii_name(name) for name in site.names)
    blocks = []
    for port, behaviour in ((80, site.http), (443, site.https)):
        if behaviour is None:
            continue
        secure = (" ssl http2" if site.h2 else " ssl") if port == 443 else ""
        lines = [f"server_name {names};"]
        lines += [f"listen {_literal(address)}:{port}{secure};" for address in site.addresses]
        if secure:
            chain, key = authorities.chain(site.certificate, site.names)
            stem = folder / f"site{number}"
            stem.with_suffix(".crt").write_bytes(chain)
            stem.with_suffix(".key").write_bytes(key)
            lines.append(f"ssl_certificate {stem}.crt; ssl_certificate_key {stem}.key;")
        if isinstance(behaviour, Redirect):
            location = behaviour.location.replace("{host}", "$host")
            location = location.replace("{target}", "$request_uri")
            lines.append(f"return {behaviour.status} {location};")
        elif isinstance(behaviour, Article | Fixed):
            page = behaviour(Request(host=site.names[0]))
            (folder / f"site{number}-{port}.html").write_bytes(page.body)
            lines += [
                f'add_header {name} "{value}" always;'
                for name, value in page.headers
                if name.lower().startswith("x-")
            ]
            lines.append(
                f"location / {{ root {folder}; rewrite ^ /site{number}-{port}.html break; }}"
            )
        blocks.append("server {\n" + "\n".join(lines) + "\n}")
    return blocks


def write_unbound(folder: Path, resolver: Resolver, zone: Zone, authorities: Authorities) -> Path:
    """Configuration of *resolver*, with all of *zone* as it sees it as its root zone.

    It speaks UDP, TCP and, if *resolver* has names, DoT and DoH.
    """
    folder.mkdir(parents=True, exist_ok=True)
    records = [
        f". {LIFETIME_OF_RECORDS} IN SOA ns.invalid. root.invalid. 1 7200 900 1209600 300",
        ". 300 IN NS ns.invalid.",
        "ns.invalid. 300 IN A 127.0.0.1",
    ]
    policies, broken = [], []
    for name in dict.fromkeys(ascii_name(entry.name) for entry in zone.entries()):
        entry = zone.entry(name, resolver.name)
        match entry.kind if entry is not None else "nxdomain":
            case "answer" if entry is not None:
                records += _records(name, entry)
            case "silence":
                policies.append(f'local-zone: "{name}." deny')
            case "refused":
                policies.append(f'local-zone: "{name}." refuse')
            case "servfail":
                broken.append(name)
    (folder / "root.zone").write_text("\n".join(records) + "\n")
    lines = [
        "server:",
        'username: ""', 'chroot: ""', f'directory: "{folder}"',
        f'pidfile: "{folder}/unbound.pid"', f'logfile: "{folder}/unbound.log"',
        "use-syslog: no", "do-daemonize: no", "num-threads: 1", "ip-freebind: yes",
        "module-config: iterator", "access-control: 0.0.0.0/0 allow", "access-control: ::/0 allow",
        "qname-minimisation: no", "do-not-query-localhost: no", "unblock-lan-zones: yes",
        "outbound-msg-retry: 1", f"port: {resolver.port}", *policies,
    ]  # fmt: skip
    lines += [f"interface: {address}@{resolver.port}" for address in resolver.addresses]
    if resolver.names:
        chain, key = authorities.chain(resolver.certificate, resolver.names)
        (folder / "dot.crt").write_bytes(chain)
        (folder / "dot.key").write_bytes(key)
        for port in (resolver.dot_port, resolver.doh_port):
            lines += [f"interface: {address}@{port}" for address in resolver.addresses]
        lines += [
            f"tls-port: {resolver.dot_port}", f"https-port: {resolver.doh_port}",
            f'tls-service-pem: "{folder}/dot.crt"', f'tls-service-key: "{folder}/dot.key"',
        ]  # fmt: skip
    lines += ["remote-control:", "control-enable: no", "auth-zone:", 'name: "."']
    lines += [f'zonefile: "{folder}/root.zone"', "for-upstream: yes", "for-downstream: no"]
    for name in broken:  # its server has no address, so that asking it fails at once
        lines += ["stub-zone:", f'name: "{name}."', "stub-host: nowhere.invalid"]
    path = folder / "unbound.conf"
    path.write_text("\n".join(lines) + "\n")
    return path


def _records(name: str, entry: Name) -> list[str]:
    owners = [f"{name}.", f"*.{name}."] if entry.wild else [f"{name}."]
    if entry.cname:
        data = [f"CNAME {ascii_name(entry.cname)}."]
    else:
        data = [f"{'AAAA' if ':' in a else 'A'} {a}" for a in entry.addresses]
        data += [f"HTTPS {entry.https}"] if entry.https else []
        data = data or ['TXT "nothing"']  # the name exists, and has no address
    return [f"{owner} {LIFETIME_OF_RECORDS} IN {text}" for owner in owners for text in data]


def start_nginx(country: Country, place: Place, config: Path) -> subprocess.Popen[bytes]:
    """Returns when it listens. Raises LabError with its own words if it does not."""
    folder = config.parent
    argv = [_program("nginx") or "nginx", "-p", str(folder), "-c", str(config)]
    argv += ["-e", str(folder / "error.log")]
    return _start(country, place, argv, folder / "nginx.pid", folder / "error.log")


def start_unbound(country: Country, place: Place, config: Path) -> subprocess.Popen[bytes]:
    """Returns when it listens. Raises LabError with its own words if it does not."""
    folder = config.parent
    argv = [_program("unbound") or "unbound", "-d", "-c", str(config)]
    started = _start(country, place, argv, folder / "unbound.pid", folder / "unbound.log")
    _await(started, folder / "unbound.log", lambda log: "start of service" in _text(log))
    return started


def _start(
    country: Country, place: Place, argv: Sequence[str], pid: Path, log: Path
) -> subprocess.Popen[bytes]:
    pid.unlink(missing_ok=True)
    process = country.command(place, argv, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    _await(process, log, lambda _: pid.exists())
    return process


def _await(process: subprocess.Popen[bytes], log: Path, done: Callable[[Path], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not done(log):
        if process.poll() is not None or time.monotonic() > end:
            raise LabError(f"{process.args!r} does not come up:\n{_text(log)[-2000:]}")
        time.sleep(0.01)


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
