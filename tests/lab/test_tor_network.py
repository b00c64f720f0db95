"""The private Tor network: real daemons that find each other, and clients that use them."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.country import Country, LabError
from lab.tor.network import TorNetwork
from lab.tor.plan import AUTHORITIES, RELAYS, SMALL, by_kind
from lab.world import Place

BRIDGE = by_kind(SMALL, "bridge")[0]
OBFS4 = (
    f"UseBridges 1\nClientTransportPlugin obfs4 exec {shutil.which('obfs4proxy')}\n" + "Bridge {}\n"
)

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Country, TorNetwork]]:
    with Country() as country, TorNetwork(country, tmp_path_factory.mktemp("tor")) as tor:
        yield country, tor


def bootstrapped(country: Country, torrc: str, folder: Path, place: Place = Place.HOME) -> str:
    """The last that an ordinary client says of its way into the network."""
    (folder / "torrc").write_text(f"{torrc}SocksPort 0\nDataDirectory {folder}/client\n")
    said = ""
    with country.command(
        place, ["tor", "-f", folder / "torrc", "--defaults-torrc", "/dev/null"],
        stdout=subprocess.PIPE, text=True,
    ) as client:  # fmt: skip
        assert client.stdout is not None
        for line in client.stdout:
            said = line if "Bootstrapped" in line else said
            if "(done)" in line:
                break
        client.kill()
    return said


def test_a_client_comes_into_the_network(
    network: tuple[Country, TorNetwork], tmp_path: Path
) -> None:
    country, tor = network
    assert "Bootstrapped 100%" in bootstrapped(country, tor.torrc, tmp_path)


def test_a_client_comes_in_through_an_obfs4_bridge(
    network: tuple[Country, TorNetwork], tmp_path: Path
) -> None:
    country, tor = network
    torrc = tor.torrc + OBFS4.format(tor.bridge_line(BRIDGE))
    assert "Bootstrapped 100%" in bootstrapped(country, torrc, tmp_path)


def test_the_consensus_has_relays_by_their_keys_and_no_bridge(
    network: tuple[Country, TorNetwork],
) -> None:
    _, tor = network
    wanted = sorted(d.name for d in by_kind(SMALL, "authority", "relay")), 3
    end = time.monotonic() + 120
    # The next vote is seconds away, and one that an authority has missed lacks its signature.
    while (found := listed_and_signed(tor.consensus())) != wanted and time.monotonic() < end:
        time.sleep(0.5)
    assert wanted == found
    fingerprints = {tor.identity(daemon).fingerprint for daemon in SMALL}
    assert len(SMALL) == len(fingerprints)


def listed_and_signed(consensus: str) -> tuple[list[str], int]:
    """The relays of *consensus*, and how many have signed it."""
    names = sorted(line.split()[1] for line in consensus.splitlines() if line.startswith("r "))
    return names, consensus.count("\ndirectory-signature ")


def test_every_daemon_has_an_address_in_a_network_of_its_own() -> None:
    assert len(SMALL) == len({daemon.address.rsplit(".", 2)[0] for daemon in SMALL})


def test_a_relay_that_dies_unasked_is_no_finding(tmp_path: Path) -> None:
    with (
        Country() as country,
        pytest.raises(LabError, match="utwente: "),
        TorNetwork(country, tmp_path, (*AUTHORITIES, RELAYS[0])) as tor,
    ):
        tor.process(AUTHORITIES[1]).kill()
        tor.process(AUTHORITIES[1]).wait()
