"""A resolver as unbound's configuration: the zone as its root, its lies as local data.

An operator that lies does it in the same way: the resolver knows the truth, and a list
of local zones goes before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab.certificates import Authorities
from lab.middlebox import ascii_name
from lab.resolvers import LIFETIME_OF_RECORDS, Name, Resolver, Zone

_POLICIES = {
    "silence": "deny", "refused": "refuse", "nxdomain": "always_nxdomain",
}  # fmt: skip


def write(folder: Path, resolver: Resolver, zone: Zone, authorities: Authorities) -> Path:
    """Configuration of *resolver*, certificate and zone in *folder*; the configuration's path.

    It speaks UDP, TCP and, if *resolver* has names, DoT and DoH.
    """
    folder.mkdir(parents=True, exist_ok=True)
    records = [
        f". {LIFETIME_OF_RECORDS} IN SOA ns.invalid. root.invalid. 1 7200 900 1209600 300",
        ". 300 IN NS ns.invalid.",
        "ns.invalid. 300 IN A 127.0.0.1",
    ]
    policies: list[str] = []
    broken: list[str] = []
    for name in dict.fromkeys(ascii_name(entry.name) for entry in zone.entries()):
        entry = zone.entry(name, resolver.name)
        if entry is None:
            continue
        if entry.kind == "servfail":
            broken.append(name)
        elif entry.kind != "answer":
            policies.append(f'local-zone: "{name}." {_POLICIES[entry.kind]}')
        elif entry.at and not entry.cname:
            policies += _local(name, entry)
        else:
            records += _records(name, entry)
    (folder / "root.zone").write_text("\n".join(records) + "\n")
    lines = ["server:", *_server(folder, resolver), *policies]
    if resolver.names:
        chain, key = authorities.chain(resolver.certificate, resolver.names)
        (folder / "resolver.crt").write_bytes(chain)
        (folder / "resolver.key").write_bytes(key)
        for port in (resolver.dot_port, resolver.doh_port):
            lines += [f"interface: {address}@{port}" for address in resolver.addresses]
        lines += [
            f"tls-port: {resolver.dot_port}", f"https-port: {resolver.doh_port}",
            f'tls-service-pem: "{folder}/resolver.crt"',
            f'tls-service-key: "{folder}/resolver.key"',
        ]  # fmt: skip
    lines += ["remote-control:", "control-enable: no", "auth-zone:", 'name: "."']
    lines += [f'zonefile: "{folder}/root.zone"', "for-upstream: yes", "for-downstream: no"]
    for name in broken:  # its server has no address, so that asking it fails at once
        lines += ["stub-zone:", f'name: "{name}."', "stub-host: nowhere.invalid"]
    path = folder / "unbound.conf"
    path.write_text("\n".join(lines) + "\n")
    return path


def _server(folder: Path, resolver: Resolver) -> Iterator[str]:
    yield from (
        'username: ""', 'chroot: ""', f'directory: "{folder}"',
        f'pidfile: "{folder}/unbound.pid"', f'logfile: "{folder}/unbound.log"',
        "use-syslog: no", "do-daemonize: no", "num-threads: 1", "ip-freebind: yes",
        "module-config: iterator", "access-control: 0.0.0.0/0 allow", "access-control: ::/0 allow",
        "qname-minimisation: no", "do-not-query-localhost: no", "unblock-lan-zones: yes",
        "outbound-msg-retry: 1", f"port: {resolver.port}",
    )  # fmt: skip
    for address in resolver.addresses:
        yield f"interface: {address}@{resolver.port}"


def _data(entry: Name) -> list[str]:
    if entry.cname:
        return [f"CNAME {ascii_name(entry.cname)}."]
    data = [f"{'AAAA' if ':' in a else 'A'} {a}" for a in entry.addresses]
    return data + ([f"HTTPS {entry.https}"] if entry.https else [])


def _records(name: str, entry: Name) -> list[str]:
    owners = [f"{name}.", f"*.{name}."] if entry.wild else [f"{name}."]
    data = _data(entry) or ['TXT "nothing"']  # the name exists, and has no address
    return [f"{owner} {LIFETIME_OF_RECORDS} IN {text}" for owner in owners for text in data]


def _local(name: str, entry: Name) -> list[str]:
    """What is said at this resolver and not elsewhere."""
    data = _data(entry)
    if not data:
        return [f'local-zone: "{name}." always_nodata']
    kind = "redirect" if entry.wild else "transparent"
    return [
        f'local-zone: "{name}." {kind}',
        *(f"local-data: '{name}. {LIFETIME_OF_RECORDS} IN {text}'" for text in data),
    ]
