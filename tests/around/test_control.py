"""Where a control lets itself be sent for what is no site."""

from __future__ import annotations

import pytest

from probe.control.guard import Guard
from probe.nettest import errands
from probe.serving.clients import Refused
from testlists.target import target_from_url

TARGETS = {
    "messenger": ("telegram://149.154.167.51:443", "signal://chat.signal.org"),
    "encrypted_dns": ("doh://dns.google/dns-query", "dot://dns.google", "doq://94.140.14.14"),
}


def test_a_control_runs_each_way_around_for_a_probe() -> None:
    found = {errand.name: errand for errand in errands()}
    for name, urls in TARGETS.items():
        for url in urls:
            takers = [e for e in found.values() if e.takes(target_from_url(url))]
            assert [name] == [e.name for e in takers], url


def test_encrypted_resolvers_have_a_port_that_no_page_is_asked_of() -> None:
    with pytest.raises(Refused):
        Guard().check_url("https://dns.google:853/", max_length=100)
