"""One control of two that lies, stalls or is blocked accuses nobody, and hides no block."""

from __future__ import annotations

import pytest

from bench.liars import Found, measure
from lab.liars import lies, url_of

pytestmark = pytest.mark.lab

# None that takes a timeout: those are told apart in bench/liars.py, which tries all.
WORLDS = (
    "dns_nxdomain", "tcp_reset", "tls_reset", "http_blockpage_unlisted", "plain_site",
    "site_hangs_up", "site_speaks_no_tls", "site_refuses", "expired_certificate",
    "certificate_of_another_name", "name_does_not_exist", "name_servers_broken",
)  # fmt: skip
LIES = ("well", "shut", "renamed", "large")


@pytest.fixture(scope="module")
def found() -> dict[str, Found]:
    return {f.about: f for f in measure([(name, url_of(name)) for name in LIES], WORLDS)}


def test_every_lie_has_its_own_place() -> None:
    assert len(lies()) == len({url_of(name) for name in lies()})


@pytest.mark.parametrize("lie", LIES)
def test_nobody_is_accused_and_no_block_hidden_by(lie: str, found: dict[str, Found]) -> None:
    assert ([], []) == (found[lie].accused, found[lie].hidden)
    assert len(WORLDS) <= found[lie].asked


@pytest.mark.parametrize("lie", ["well", "large"])
def test_the_run_says_which_control_was_not_believed_when_it(
    lie: str, found: dict[str, Found]
) -> None:
    assert found[lie].doubts
