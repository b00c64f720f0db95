"""`zond doctor` at home in a country: with each fault the line about it turns, and no other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lab.clock import wrong_clock
from lab.country import Country
from lab.household import furnish
from lab.stage import Setting, Stage, first_line
from lab.world import Place, Wire
from lab.worlds import fixtures
from lab.worlds.whole import WHOLE
from lab.worlds.whole.situation import CountryWorld
from probe.consent import agreement
from probe.consent.networks import Networks

pytestmark = pytest.mark.lab

MINSK = {"TZ": "Europe/Minsk"}
PATIENCE = 300.0  # seconds; what has looked for 180 ends by itself


def the_country(name: str, folder: Path) -> tuple[Stage, CountryWorld]:
    """The situation *name* of the lab's, without the sites that are measured in it."""
    country = replace(WHOLE[name](0), worlds=())
    setting = Setting(
        controls=(country.controls[0] != "down", country.controls[1] != "down"),
        ipv6=country.ipv6, censors=country.censors, sites=country.sites, zone=country.zone,
        own_resolver_silent=country.own_resolver_silent, config=country.config,
        icmp_ratelimit=0,
    )  # fmt: skip
    return Stage((), folder, setting), country


def doctor(
    stage: Stage, *arguments: str, shift: float = 0.0, env: Mapping[str, str] | None = None,
    **popen: Any,
) -> tuple[dict[str, dict[str, Any]], int, str]:
    """What it finds, by subject; the exit status; its talk."""
    before = wrong_clock(f"{shift:+.0f}s") if shift else []
    process = stage.zond(
        "doctor", "--json", *arguments, before=before, env={**MINSK, **(env or {})},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen,
    )  # fmt: skip
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err, err
    found = {line["about"]: line for line in map(json.loads, out.splitlines())}
    return found, process.returncode, err


def turned(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The lines that are neither ok nor unknown."""
    states = {about: line["state"] for about, line in found.items()}
    return {about: state for about, state in states.items() if state in ("warning", "fault")}


OF_THE_LAB = {"network"}  # nobody approved it, and it has no router by which to know it

FAULTS = {
    "captive_portal": ({"portal": "fault"}, 3),
    "own_resolver_dead": ({"dns": "fault"}, 1),
    "ipv6_broken": ({"ipv6": "warning"}, 0),
    "controls_down": ({"controls": "fault"}, 1),
    "one_control_down": ({"controls": "warning"}, 0),
    "clock_a_year_behind": ({"clock": "fault"}, 1),
    "clock_a_year_ahead": ({"clock": "fault"}, 1),
    "vpn_left_on": ({"vpn": "fault"}, 3),
    "antivirus": ({"certificates": "fault"}, 1),
}


@pytest.mark.parametrize("name", FAULTS)
def test_with_a_fault_the_line_about_it_turns(name: str, tmp_path: Path) -> None:
    expected, status = FAULTS[name]
    stage, country = the_country(name, tmp_path)
    with stage:
        furnish(stage.country, country, stage.zone, stage.authorities)
        asked = None if country.resolver is None else country.resolver.addresses
        found, ended, _ = doctor(stage, "--yes", shift=country.clock, resolv_conf=asked)
    there = turned(found)
    assert expected.items() <= there.items(), found
    assert status == ended


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage((), tmp_path_factory.mktemp("healthy"), Setting(icmp_ratelimit=0)) as stage:
        yield stage


def test_where_nothing_is_wrong_no_line_turns(healthy: Stage) -> None:
    found, status, _ = doctor(healthy, "--yes")
    assert not turned(found).keys() - OF_THE_LAB, found
    assert 0 == status
    for about in ("line", "dns", "ipv4", "ipv6", "portal", "certificates", "vpn", "clock",
                  "controls", "place"):  # fmt: skip
        assert "ok" == found[about]["state"], found[about]
    assert "AS6697" in found["place"]["seen"]
    assert "collector" not in found


@pytest.mark.parametrize(
    ("wires", "state", "status"),
    [((Wire.LINE,), "fault", 3), ((Wire.BORDER_1, Wire.BORDER_2), "warning", 1)],
    ids=["dead", "cut at the border"],
)
def test_a_line_that_is_cut_is_told(
    healthy: Stage, wires: tuple[Wire, ...], state: str, status: int
) -> None:
    # By address, since waiting for names on a dead line takes most of the time.
    at = {site.names[0]: site.addresses[0] for site in fixtures.SITES}
    canaries = {
        "ZOND_CANARIES__DOMESTIC": f'["{at["www.belta.by"]}"]',
        "ZOND_CANARIES__FOREIGN": f'["{at["www.debian.org"]}"]',
    }
    for wire in wires:
        healthy.country.set(wire, cut=True)
    try:
        found, ended, _ = doctor(healthy, "--yes", env=canaries)
    finally:
        for wire in wires:
            healthy.country.set(wire, cut=False)
    assert (state, status) == (found["line"]["state"], ended), found


def test_without_consent_no_packet_is_sent_and_all_are_named(tmp_path: Path) -> None:
    # Nothing was sent here before: connections that have ended may have more to say.
    with Stage((), tmp_path, Setting(controls=(False, False))) as stage:
        before = sent(stage.country)
        found, status, talk = doctor(stage)
        assert before == sent(stage.country)
        local, _, _ = doctor(stage, "--local", "--yes")
        assert before == sent(stage.country)
    assert found.keys() == local.keys()
    assert (4, "fault") == (status, found["consent"]["state"])
    assert "dns" not in found
    for whom in ("www.wikipedia.org", "http://detectportal.firefox.com", "https://control-1.zond"):
        assert whom in talk


def test_who_agreed_to_this_network_need_not_say_so_again(healthy: Stage, tmp_path: Path) -> None:
    env = {"XDG_DATA_HOME": str(tmp_path)}
    agreement.record(tmp_path / "zond")
    here, _, talk = doctor(healthy, env=env)
    assert ("warning", "ok") == (here["network"]["state"], here["consent"]["state"])
    assert "dns" not in here and "Nothing was sent" in talk
    Networks(tmp_path / "zond").allow_anywhere(True)
    found, status, talk = doctor(healthy, env=env)
    assert (0, "ok", "") == (status, found["dns"]["state"], talk)


def test_a_collector_is_asked_only_where_sharing_was_agreed_to(
    healthy: Stage, tmp_path: Path
) -> None:
    settings = tmp_path / "zond.toml"
    usual = (healthy.folder / "zond.toml").read_text()
    settings.write_text(f'{usual}\n[upload]\ncollector = "http://control-1.zond.example:8080/"\n')
    data = tmp_path / "data"
    env = {**MINSK, "XDG_DATA_HOME": str(data), "ZOND_CONFIG": str(settings)}

    def collector() -> dict[str, Any] | None:
        process = healthy.zond("doctor", "--json", "--yes", env=env, stdout=subprocess.PIPE)
        lines = map(json.loads, process.communicate(timeout=PATIENCE)[0].splitlines())
        return next((line for line in lines if line["about"] == "collector"), None)

    assert collector() is None
    agreement.record_upload(data / "zond")
    down = collector()
    assert down is not None and ("fault", True) == (
        down["state"], "direct: ConnectError" in down["seen"],
    )  # fmt: skip
    (address, *_), _ = healthy.country.control_addresses
    server = healthy.zond(
        "collector", "serve", "--listen", f"{address}:8080", "--data", tmp_path / "collected",
        place=Place.CONTROL_1, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stderr is not None and "http://" in first_line(server.stderr)
    try:
        up = collector()
    finally:
        server.terminate()
        server.wait()
    assert up is not None and "ok" == up["state"]


def sent(country: Country) -> str:
    """What home has sent or begun to so far, by the kernel's own counts."""
    show = "print(open('/proc/net/snmp').read(), open('/proc/net/snmp6').read())"
    process = country.command(
        Place.HOME, [sys.executable, "-c", show], stdout=subprocess.PIPE, text=True
    )
    lines = [line.split() for line in process.communicate(timeout=PATIENCE)[0].splitlines()]
    counts = {
        f"{heading[0]}{name}": number
        for heading, numbers in pairwise(lines)
        if heading and numbers and heading[0] == numbers[0]
        for name, number in zip(heading[1:], numbers[1:], strict=True)
    } | {line[0]: line[1] for line in lines if line and line[0].startswith("Udp6")}
    names = ("Ip:OutRequests", "Udp:OutDatagrams", "Tcp:ActiveOpens", "Udp6OutDatagrams")
    return " ".join(counts[name] for name in names)
