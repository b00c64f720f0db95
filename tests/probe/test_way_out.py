"""By which interface traffic leaves, and when that is surely a VPN."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from probe.evidence import AddressInfo, Run
from probe.surroundings.way_out import (
    WayOut,
    elsewhere,
    is_vpn,
    kind,
    usual_countries,
    way_out,
    zone_countries,
)

MINSK = AddressInfo(asn=6697, holder="Beltelecom", cc="BY")
M247 = AddressInfo(asn=9009, holder="M247 Europe SRL", cc="RO")
TELEKOM = AddressInfo(asn=3320, holder="Deutsche Telekom AG", cc="DE")
BECLOUD = AddressInfo(asn=60330, holder="Belarusian Cloud Technologies", cc="BY")
UNKNOWN = AddressInfo()
BY = frozenset({"BY"})


@pytest.mark.parametrize(
    ("name", "driver", "expected"),
    [
        ("eth0", "e1000e", "plain"),
        ("wlp3s0", "iwlwifi", "plain"),
        ("enp0s31f6", "", "plain"),
        ("wwan0", "qmi_wwan", "plain"),
        ("tun0", "tun", "tunnel"),
        ("tun0", "", "tunnel"),
        ("wg-home", "wireguard", "tunnel"),
        ("office", "wireguard", "tunnel"),
        ("nordlynx", "wireguard", "tunnel"),
        ("proton0", "tun", "tunnel"),
        ("utun3", "", "tunnel"),
        ("ppp0", "", "unclear"),
        ("ppp0", "ppp", "unclear"),
        ("line", "tun", "unclear"),
        ("bytun", "ixgbe", "plain"),
    ],
)
def test_an_interface_is_known_by_its_name_and_driver(
    name: str, driver: str, expected: str
) -> None:
    assert kind(name, driver) == expected


@pytest.mark.parametrize(
    ("way", "own", "usual", "expected"),
    [
        (WayOut("eth0", "plain"), MINSK, BY, False),
        (WayOut("eth0", "plain"), MINSK, frozenset[str](), False),
        (WayOut("eth0", "plain"), TELEKOM, BY, None),  # a journey, or a router's VPN
        (WayOut("tun0", "tunnel"), M247, BY, True),
        (WayOut("tun0", "tunnel"), M247, frozenset[str](), True),
        (WayOut("tun0", "tunnel"), TELEKOM, BY, True),
        (WayOut("tun0", "tunnel"), MINSK, BY, None),  # perhaps to the own office
        (WayOut("tun0", "tunnel"), UNKNOWN, BY, None),
        (WayOut("ppp0", "unclear"), MINSK, BY, False),  # a line that is dialled
        (WayOut("ppp0", "unclear"), BECLOUD, BY, False),
        (WayOut("ppp0", "unclear"), TELEKOM, BY, None),
        (WayOut("ppp0", "unclear"), M247, BY, True),
        (WayOut("line", "unclear"), MINSK, frozenset[str](), False),
        (WayOut(), M247, BY, None),
    ],
)
def test_a_vpn_is_sure_only_where_two_things_agree(
    way: WayOut, own: AddressInfo, usual: frozenset[str], expected: bool | None
) -> None:
    assert is_vpn(way, own, usual) is expected


def test_unknown_is_not_elsewhere() -> None:
    assert not elsewhere(UNKNOWN, BY)
    assert not elsewhere(TELEKOM, frozenset())
    assert elsewhere(TELEKOM, BY)


def run(cc: str, vpn: bool | None = False) -> Run:
    return Run(id="r", started_at=0.0, probe_cc=cc, vpn=vpn)


def test_usual_is_where_earlier_runs_were_and_not_where_a_vpn_led(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    runs = [run("BY"), run("BY"), run("PL"), run("ZZ"), *[run("NL", vpn=True)] * 9]
    assert usual_countries(runs) == BY
    moved = [*[run("BY")] * 9, *[run("PL")] * 9]
    assert usual_countries(moved) == {"PL"}


def test_without_runs_the_time_zone_tells(tmp_path: Path) -> None:
    (tmp_path / "zone.tab").write_text(
        "# tz zone descriptions\nBY\t+5354+02734\tEurope/Minsk\nDE\t+5230+01322\tEurope/Berlin\n"
    )
    (tmp_path / "zone1970.tab").write_text("DE,DK,NO\t+5230+01322\tEurope/Berlin\tmost of it\n")
    assert zone_countries("Europe/Minsk", tmp_path) == BY
    assert zone_countries("Europe/Berlin", tmp_path) == {"DE", "DK", "NO"}
    assert zone_countries("Etc/UTC", tmp_path) == frozenset()
    assert zone_countries("Europe/Minsk", tmp_path / "nowhere") == frozenset()


@pytest.mark.parametrize("zone", ["", "Etc/UTC", "../../etc/passwd", "Europe/Nowhere"])
def test_a_zone_that_is_no_country_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone or "UTC")
    assert usual_countries([]) == frozenset()


@pytest.mark.skipif(not os.path.exists("/proc/net/route"), reason="Linux only")
def test_this_machine_can_be_asked() -> None:
    assert way_out().kind in ("", "plain", "unclear", "tunnel")
