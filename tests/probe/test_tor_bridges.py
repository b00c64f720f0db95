"""Bridge lines and files of them: what people paste, and what somebody may slip in."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.config import ConfigError, Tor
from probe.nettests.tor_bootstrap import a_way, public_bridges
from probe.tor.bootstrap_torrc import torrc
from probe.tor.bridges import MAX_BRIDGES, BadBridges, parse, read
from probe.tor.ways import PROGRAMS, Ways, spelled, ways_of
from testlists import Target, builtin

FINGERPRINT = "B915C5CD4D51E761AFDCA36C882D388C235658A8"
OBFS4 = f"obfs4 192.0.2.20:8443 {FINGERPRINT} cert=fpKd71Tq7x/hsr+VI4Hieq iat-mode=0"
SNOWFLAKE = (
    f"snowflake 192.0.2.3:80 {FINGERPRINT} fingerprint={FINGERPRINT} "
    "url=https://broker.example/ fronts=a.example,b.example ice=stun:stun.example:3478"
)


@pytest.mark.parametrize(
    "line",
    [
        OBFS4, SNOWFLAKE, "192.0.2.1:443", f"192.0.2.1:443 {FINGERPRINT}",
        f"[2001:db8::1]:9001 {FINGERPRINT}",
    ],
)  # fmt: skip
def test_a_line_as_it_is_handed_out_comes_out_as_it_went_in(line: str) -> None:
    assert line == parse(line).line


@pytest.mark.parametrize(
    ("written", "same"),
    [
        (f"Bridge {OBFS4}", OBFS4),
        (f"  OBFS4\t192.0.2.20:8443   {FINGERPRINT.lower()} cert=a", f"obfs4 192.0.2.20:8443 "
         f"{FINGERPRINT} cert=a"),
        (f"192.0.2.1:443 ${FINGERPRINT}~nickname", f"192.0.2.1:443 {FINGERPRINT}"),
    ],
)  # fmt: skip
def test_other_spellings_of_a_line_become_one(written: str, same: str) -> None:
    assert same == parse(written).line


@pytest.mark.parametrize(
    "line",
    [
        "", "bridge.example:443", "192.0.2.1", "192.0.2.1:0", "192.0.2.1:65536", "999.0.2.1:443",
        "[2001:db8::1:443", f"{OBFS4}\\", f"{OBFS4} a=#b", f'{OBFS4} a="b"', f"{OBFS4}\nSocksPort",
        f"{OBFS4} %include=/etc/passwd'", "exec=/bin/sh 192.0.2.1:443", "x" * 5000,
        f"obfs4 192.0.2.1:443 {FINGERPRINT} " + " ".join(f"a{n}=1" for n in range(30)),
    ],
)  # fmt: skip
def test_what_may_mean_something_else_in_a_torrc_is_refused(line: str) -> None:
    with pytest.raises(BadBridges):
        parse(line)


def test_a_refusal_names_the_line_and_never_repeats_it(tmp_path: Path) -> None:
    file = tmp_path / "bridges"
    file.write_text(f"# from a friend\n\n{OBFS4}\n{OBFS4}#secret\n")
    with pytest.raises(BadBridges, match="line 4") as refusal:
        read(file)
    assert "192.0.2" not in str(refusal.value) and "secret" not in str(refusal.value)


def test_a_bridge_does_not_show_itself_in_a_traceback() -> None:
    assert "192.0.2" not in repr(parse(OBFS4))


def test_the_same_bridge_twice_is_one(tmp_path: Path) -> None:
    file = tmp_path / "bridges"
    file.write_text(f"{OBFS4}\r\nBridge {OBFS4}\n")
    assert [OBFS4] == [bridge.line for bridge in read(file)]


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"x" * 100_001, b"".join(b"192.0.2.1:%d\n" % n for n in range(1, 250))],
)
def test_a_file_that_is_none_of_bridges_is_refused(tmp_path: Path, content: bytes) -> None:
    assert MAX_BRIDGES < 249
    file = tmp_path / "bridges"
    file.write_bytes(content)
    with pytest.raises(BadBridges):
        read(file)


def test_a_file_that_is_missing_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^tor: the file of bridges: No such file"):
        ways_of(Tor(bridges=str(tmp_path / "none")))


def test_a_network_is_named_by_harmless_options_only(tmp_path: Path) -> None:
    file = tmp_path / "network"
    line = f"DirAuthority a orport=443 v3ident={FINGERPRINT} 192.0.2.1:80 {FINGERPRINT}"
    file.write_text(f"# mine\n{line}\nSocks5Proxy 127.0.0.1:1080\n")
    assert (line, "Socks5Proxy 127.0.0.1:1080") == ways_of(Tor(network=str(file))).network
    for bad in ("SocksPort 0.0.0.0:9050", "ClientTransportPlugin a exec /bin/sh", "%include /x",
                "Log debug file /x", "DirAuthority a \\", "Nonsense"):  # fmt: skip
        file.write_text(f"{line}\n{bad}\n")
        with pytest.raises(ConfigError, match="line 2"):
            ways_of(Tor(network=str(file)))


def test_a_client_without_transport_starts_no_program_and_opens_no_port() -> None:
    lines = torrc(Path("/d"), owner=1, ipv4=True, ipv6=False).splitlines()
    assert {"NoExec 1", "SocksPort 0", "ControlPort 0", "SafeLogging 1", "ClientOnly 1"} <= {*lines}
    assert "ClientUseIPv6 0" in lines and "ClientUseIPv4 1" in lines
    assert not any("Bridge" in line or "ClientTransportPlugin" in line for line in lines)


def test_a_client_with_a_transport_starts_that_program_only() -> None:
    text = torrc(
        Path("/d"), owner=1, ipv4=True, ipv6=True, transport="obfs4", program="/usr/bin/obfs4proxy",
        bridges=[parse(OBFS4)],
    )  # fmt: skip
    lines = text.splitlines()
    assert "NoExec 1" not in lines
    assert ["ClientTransportPlugin obfs4 exec /usr/bin/obfs4proxy"] == [
        line for line in lines if "exec" in line
    ]
    assert f"Bridge {OBFS4}" in lines and "UseBridges 1" in lines


def test_the_carried_list_brings_bridges_that_can_be_used() -> None:
    targets, problems = builtin("tor-bootstrap")
    assert [] == problems and all(map(a_way, targets))
    for target in targets:
        lines = [value for name, value in target.attributes if value and name.startswith("bridge")]
        found = public_bridges(target)
        assert len(lines) == len(found)
        assert {spelled(target.hostname)} >= {bridge.transport for bridge in found}
    assert {"obfs4", "snowflake", "meek"} == {t.hostname for t in targets if public_bridges(t)}


def test_a_bad_line_of_a_list_is_left_out() -> None:
    target = Target(url="tor://obfs4", attributes=(("bridge1", "nonsense"), ("bridge2", OBFS4)))
    assert [OBFS4] == [bridge.line for bridge in public_bridges(target)]


def test_ones_own_bridges_go_before_those_that_everybody_knows() -> None:
    own, public = parse(OBFS4), parse(OBFS4.replace("192.0.2.20", "192.0.2.21"))
    assert ((own,), "own") == Ways(bridges=(own,)).bridges_for("obfs4", [public])
    assert ((public,), "public") == Ways().bridges_for("obfs4", [public])
    assert ((), "") == Ways(bridges=(own,)).bridges_for("snowflake", [public])


@pytest.mark.parametrize("url", ["tor://192.0.2.1:9001", "tor://tor", "https://vanilla/"])
def test_what_is_no_way_into_tor_is_for_others(url: str) -> None:
    assert not a_way(Target(url=url))
    assert all(a_way(Target(url=f"tor://{way}")) for way in PROGRAMS)
