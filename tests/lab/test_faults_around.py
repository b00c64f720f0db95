"""What happens to a line in the midst of a run is no site's fault, and of no other network."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from pyroute2 import IPRoute  # type: ignore[import-untyped]

from lab.censors import AddressDrop, a_censor
from lab.stage import Setting, Stage
from lab.topology import BELTELECOM, HOME_ADDRESSES, HOME_ROUTER_ADDRESSES, MTS
from lab.trial import HURRY
from lab.vpn import VPN, run_client, run_server
from lab.wire import WireSettings
from lab.world import Place, Wire
from lab.worlds.plan import build
from tests.lab.disturbed import run

pytestmark = pytest.mark.lab

TARGETS = 10
BRIEFLY = HURRY.replace("[limits]", "[limits]\ntarget_seconds = 6.0")  # what is cut ends sooner
BELTELECOM_AS, MTS_AS = 6697, 25106
LEASED = "178.124.130.211"  # Beltelecom's, as the address of before


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    worlds = [build("plain_site", n) for n in range(TARGETS)]
    setting = Setting(config=BRIEFLY, icmp_ratelimit=0, ipv6=False)
    with Stage(worlds, tmp_path / "stage", setting) as stage:
        yield stage


def test_a_resolver_that_falls_silent_accuses_nobody(tmp_path: Path) -> None:
    worlds = [build("plain_site", n) for n in range(TARGETS)]
    silence = a_censor(AddressDrop(addresses=BELTELECOM.resolver))()
    wires = {Wire.LINE: WireSettings(prepared={"silence": silence})}
    setting = Setting(config=BRIEFLY, icmp_ratelimit=0, ipv6=False, wires=wires)
    with Stage(worlds, tmp_path / "stage", setting) as stage:
        ended = run(
            stage, tmp_path / "z.db", lambda _: stage.country.switch(Wire.LINE, "silence")
        )
    assert 0 == ended.status, ended.said
    assert {"ok", "local_fault", "inconclusive"} >= set(ended.outcomes)


def route_to(ready: Callable[[], None], address: str) -> None:
    """The operator's side of a new address."""
    with IPRoute() as kernel:
        line = kernel.link_lookup(ifname=str(Wire.LINE))[0]
        kernel.route("replace", dst=f"{address}/32", oif=line, scope="link")
    ready()


def become(ready: Callable[[], None], address: str) -> None:
    """The household's side: the address of before is gone."""
    with IPRoute() as kernel:
        line = kernel.link_lookup(ifname=str(Wire.LINE))[0]
        kernel.addr("add", index=line, address=address, prefixlen=32)
        kernel.route(
            "replace", dst="0.0.0.0/0", gateway=HOME_ROUTER_ADDRESSES[0], oif=line, prefsrc=address
        )
        kernel.addr("del", index=line, address=HOME_ADDRESSES[0], prefixlen=32)
    ready()


def move(stage: Stage, address: str, process: subprocess.Popen[str]) -> None:
    with standing_still(process):
        stage.country.start(Place.OPERATOR, route_to, address)
        stage.country.start(Place.HOME, become, address)


@contextmanager
def standing_still(process: subprocess.Popen[str]) -> Iterator[None]:
    """What takes us a while happens to *process* all at once, and not after its end."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_another_address_of_the_same_operator_goes_on(stage: Stage, tmp_path: Path) -> None:
    ended = run(stage, tmp_path / "z.db", partial(move, stage, LEASED))
    assert 0 == ended.status, ended.said
    assert "address is another one now" in ended.said
    assert {"ok": TARGETS} == ended.outcomes
    (one,) = ended.runs
    assert BELTELECOM_AS == one.probe_asn


def test_another_network_ends_the_run_and_is_measured_by_another(
    stage: Stage, tmp_path: Path
) -> None:
    db = tmp_path / "z.db"
    ended = run(stage, db, partial(move, stage, MTS.addresses[0]))
    assert 3 == ended.status, ended.said
    assert f"this run began in AS{BELTELECOM_AS} and this is AS{MTS_AS}" in ended.said
    assert {"ok", "not_measured"} == set(ended.outcomes)
    resumed = run(stage, db, lambda _: None, "--resume")
    assert 3 == resumed.status, resumed.said  # what is left is of the other network
    assert len(ended.measurements) == len(resumed.measurements)
    new = run(stage, db)
    assert 0 == new.status, new.said
    assert [BELTELECOM_AS, MTS_AS] == [one.probe_asn for one in new.runs]


def test_a_vpn_that_is_turned_on_ends_the_run(stage: Stage, tmp_path: Path) -> None:
    vpn = VPN(device="tun0", server="146.70.52.9", exit="146.70.52.10")

    def turn_on(process: subprocess.Popen[str]) -> None:
        with standing_still(process):
            stage.country.start(Place.ABROAD, run_server, vpn)
            stage.country.start(Place.HOME, run_client, vpn)

    ended = run(stage, tmp_path / "z.db", turn_on)
    assert 3 == ended.status, ended.said
    assert "it ends here" in ended.said
    assert {"ok", "not_measured"} == set(ended.outcomes)
    again = run(stage, tmp_path / "again.db")
    assert 3 == again.status
    assert "a VPN is on" in again.said
