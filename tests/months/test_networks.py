"""The simulated networks are those that are documented, where something is documented."""

from __future__ import annotations

import pytest

from analysis.regime.load import networks as documented
from lab.months.networks import HOMES, Home
from lab.months.shapes import SHAPES


@pytest.mark.parametrize("home", HOMES, ids=lambda home: str(home.asn))
def test_operator_gateways_and_kind_are_the_documented_ones(home: Home) -> None:
    network = documented("belarus")[home.asn]
    assert (network.operator, network.gateways) == (home.operator, home.gateways)
    assert network.kind == home.kind


@pytest.mark.parametrize("home", HOMES, ids=lambda home: str(home.asn))
def test_each_network_blocks_in_ways_that_the_rules_know(home: Home) -> None:
    assert set(home.https + home.http) <= set(SHAPES)
