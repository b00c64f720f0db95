"""What lies in files of this machine: settings, lists, releases, schedules, data, datasets."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path

import minisign

from analysis import fingerprints, packet_pattern
from analysis.dataset import manifest, publish
from analysis.regime import outside, read
from bench.fuzzing.target import target
from probe import config, settings_file
from probe.consent import agreement, networks
from probe.schedule import cron, diary, systemd
from probe.scrubbing.known import Known, collect, is_telling
from probe.surroundings import neighbours
from probe.tor import keeping
from testlists import own, parsing, release
from testlists.citizenlab import NotCitizenLab, converted, known_reasons
from testlists.lint import lint_together
from testlists.url import BadURL, normalise

DAY = date(2026, 11, 22)


def _file(data: bytes, read: Callable[[Path], object], name: str = "it") -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        read(path)


SETTINGS = b"""\
db = "~/x.db"
[[controls]]
name = "one"
url = "https://192.0.2.1/"
[limits]
[upload]
collector = "https://192.0.2.2/"
max_bytes_per_day = 1_000_000
[canaries]
domestic = ["a.by"]
"""


@target(
    "settings", "probe.config", "tomllib", refuses=(config.ConfigError,), most=65536,
    seeds=lambda: (SETTINGS, b"[ladder]\nneutral = [\"example.org\"]\n"),
    words=(b"[[", b"]]", b"= ", b"[" * 999, b"{a=" * 400, b"1e999", b"nan", b"9" * 5000, b'"""'),
)  # fmt: skip
def settings(data: bytes) -> None:
    """The file of settings, and a variable."""
    _file(data, lambda path: config.load(path, {}, {}))
    environment = {"ZOND_DB": data[:4000].decode("latin-1"), "ZOND_CONFIG": "/dev/null"}
    config.load(None, environment, {})


@target("settings_changed", "probe.settings_file", refuses=(ValueError,), seeds=lambda: (SETTINGS,))
def settings_changed(data: bytes) -> None:
    """The file of settings, to be changed by a command."""
    _file(data, lambda path: settings_file.change(path, {"upload": {"way": "tor"}, "db": None}))


LIST = b"""\
url,category_code,category_description,date_added,source,notes,risk,risk_reason
https://one.example.com/,NEWS,News Media,2027-01-01,own,why,low,ordinary
https://two.example.com/a,ANON,Anonymization,2027-01-01,own,=1+1,high,ordinary
"""
HERS = b"""\
url,category_code,category_description,date_added,source,notes
https://one.example.com/,NEWS,News Media,2014-04-15,citizenlab,
"""


@target(
    "lists", "testlists", refuses=(NotCitizenLab, own.NotAdded), most=65536,
    seeds=lambda: (LIST, HERS, b"# plain\nhttps://a.example/\n"),
    words=(b"\n#", b'"', b'""', b"\\", b"\xef\xbb\xbf", b"xn--", b"http://[", b"," * 50,
    b"\n" * 500),
)  # fmt: skip
def lists(data: bytes) -> None:
    """A list: read, checked, grown by itself, converted."""
    targets, problems = parsing.parse(data, "mine")
    assert len(targets) <= data.count(b"\n") + data.count(b"\r") + 1
    for said in problems:
        str(said).encode()
    lint_together({"mine": data}, DAY)
    whole, _, _ = own.grown(LIST, (), data, DAY)
    _, problems = parsing.parse(whole, "mine")
    assert not problems
    if data.startswith(HERS[:40]):
        converted(data, "x.csv", known_reasons([LIST, data]), DAY)


@target(
    "target_url", "testlists.url", refuses=(BadURL,), most=4096,
    seeds=lambda: (b"https://site.by/a?b", b"tor://93.184.216.34:9001/", "https://сайт.бел/é".encode()),
    words=(b"xn--", b"[::1]", b"@", b"%", b"\\", b"://", b"\xe3\x80\x82"),
)  # fmt: skip
def target_url(data: bytes) -> None:
    """A URL as somebody wrote it for a list."""
    found = normalise(data.decode("utf-8", "surrogateescape"))
    assert found == normalise(found)
    found.encode("ascii")


@cache
def _keys() -> minisign.KeyPair:
    return minisign.KeyPair.generate()


def archives() -> Iterator[bytes]:
    version = release.Version(DAY)
    yield release.make({"by": LIST}, version)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("VERSION", "2026-11-22")
        file.writestr("../by.csv", bytes(200_000))
    yield bomb.getvalue()


@target("release", "testlists.release", seeds=archives, refuses=(release.BadRelease,), most=65536)
def an_archive(data: bytes) -> None:
    """An archive of lists, as if who has the key had signed it."""
    found = release._read(data)
    assert found.lists and all(release.is_list_name(name) for name in found.lists)


def signatures() -> Iterator[bytes]:
    version = release.Version(DAY)
    archive = release.make({"by": LIST}, version)
    signed = _keys().secret_key.sign(archive, trusted_comment=release.comment(version))
    yield bytes(signed) + b"\xff" + bytes(_keys().public_key)


@target(
    "minisign", "testlists.release", "minisign", seeds=signatures, refuses=(release.BadRelease,)
)
def signature(data: bytes) -> None:
    """A signature and a key, cut where a byte 0xFF stands."""
    signed, _, key = data.partition(b"\xff")
    archive = release.make({"by": LIST}, release.Version(DAY))
    release.opened(archive, signed, key.decode("utf-8", "replace"))


PLAN = (
    b'{"name":"zond","program":["zond"],"arguments":["--list","by"],"every":24,"start":7,'
    b'"folder":"~/x"}'
)


@target(
    "schedules", "probe.schedule", json=True,
    seeds=lambda: (
        cron.MARK.encode() + PLAN, b"[Unit]\n[" + systemd.MARK.encode() + b"]\nPlan=" + PLAN,
        b'{"at":1.0,"what":"began","why":""}\n{"at":2.0,"what":"ended"}\n{"at"',
        b"NextElapseUSecRealtime=Sun 2026-11-22 12:00:00 UTC",
    ),
    words=(b"NextElapseUSecRealtime=9999-99-99 99:99:99 UTC", b"\nPlan=", b"\n"),
)  # fmt: skip
def schedules(data: bytes) -> None:
    """A diary, a line of a crontab, a unit: read, or passed over."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / diary.FILE
        path.write_bytes(data)
        diary.last_turn(Path(folder))
        systemd._plan_in(path)
    for line in data.decode("utf-8", "replace").splitlines():
        cron._plan_in(line)
        cron._plan_in(cron.MARK + line)
        systemd._seconds(line)


@target(
    "small_files", "probe.consent", "probe.tor.keeping", json=True,
    seeds=lambda: (
        b'{"version":3,"at":1.0,"tiers":["low"]}', b'{"key":"00","networks":{}}', b"be\n",
    ),
)  # fmt: skip
def small_files(data: bytes) -> None:
    """What was agreed to, on which networks, the bridges, the language: damaged is not agreed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("consent.json", "consent_upload.json", "consent_networks.json"):
            (folder / file).write_bytes(data)
        agreement.recorded(folder)
        agreement.upload_recorded(folder)
        networks.Networks(folder).permits(networks.Here((), "no_route"))
        (folder / "bridges").write_bytes(data)
        try:
            keeping.Keeping(folder / "bridges").all()
        except keeping.KeepingError:
            pass


@target(
    "packet_pattern", "analysis.packet_pattern", refuses=(packet_pattern.PatternError,), most=4096,
    seeds=lambda: [
        f.value.encode() for f in fingerprints.known() if f.match == "packets"
    ],
    words=(b" then ", b"=", b"..", b"9" * 5000),
)  # fmt: skip
def a_pattern(data: bytes) -> None:
    """A pattern of packets, as fingerprints have them."""
    packet_pattern.pattern(data.decode("utf-8", "replace"))


@target(
    "regime_files", "analysis.regime", most=16384,
    seeds=lambda: (
        b"[[hypothesis]]\nid='x'\n", b"country = 'BY'\nname = 'Belarus'\n",
        b"host,date,source\nsite.by,2020-08-09,x\n",
    ),
    words=(b'"', b"\0", b";", b"9999-99-99", b"[[", b"{a=" * 300, b"[" * 900, b"9" * 5000),
)  # fmt: skip
def regime_files(data: bytes) -> None:
    """The files that describe a country: TOML, and CSV to every kind of row."""
    text = data.decode("utf-8", "replace")
    for kind in outside.KINDS:
        try:
            outside.parse(kind, text, "x.csv")
        except read.DataError:
            pass
    try:
        read.toml(text, "country.toml")
    except read.DataError:
        pass


@target(
    "manifests", "analysis.dataset", "analysis.history.story", json=True,
    refuses=(manifest.DatasetError,),
    seeds=lambda: (b'{"form":1,"observations":{"a":{"files":["x/y.parquet"],"signature":"s"}}}',),
)  # fmt: skip
def manifests(data: bytes) -> None:
    """What a dataset and a publication say of their files."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / publish.NAME).write_bytes(data)
        try:
            publish.check(Path(folder))
        except manifest.DatasetError:
            pass
    manifest.decode(data, "manifest.json")


ROUTES = b"""Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0
"""
ROUTES_6 = b"%s 00 %s 00 fe8000000000000002112233445566aa 400 1 0 00450003 eth0\n" % (
    b"0" * 32, b"0" * 32,
)  # fmt: skip


@target(
    "machine", "probe.scrubbing.known", "probe.surroundings.neighbours",
    "probe.surroundings.resolvers", "probe.sockets",
    seeds=lambda: (ROUTES, ROUTES_6, b"fe80000000000000021122fffe334455 02 40 20 80 eth0\n",
                   b"nameserver 192.168.1.1\n", b"IP\n192.168.1.1 0x1 0x2 aa:bb * eth0\n"),
    words=(b" 00000000 ", b"0003", b"\n", b"zz", b" " * 99),
)  # fmt: skip
def machine(data: bytes) -> None:
    """Tables of ``/proc`` and files of ``/etc``, whatever a strange kernel or a user wrote."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "proc/net").mkdir(parents=True)
        (root / "etc").mkdir()
        for file in ("if_inet6", "arp", "route", "ipv6_route"):
            (root / "proc/net" / file).write_bytes(data)
        for file in ("resolv.conf", "hostname", "hosts", "timezone", "passwd"):
            (root / "etc" / file).write_bytes(data)
        neighbours.default_routes(str(root / "proc/net"))
        assert isinstance(collect(root=root), Known)
    neighbours._neighbour(data)
    list(neighbours._attributes(data))
    is_telling(data.decode("utf-8", "replace"))
