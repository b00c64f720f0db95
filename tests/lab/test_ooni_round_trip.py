"""What was measured in the lab, through OONI's format and back: the same verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.round_trip import round_trip
from lab.stage import Setting
from lab.trial import HURRY, try_worlds
from lab.worlds.plan import build

pytestmark = pytest.mark.lab

SEED = 5
# A mechanism each, of all layers, with innocent twins; none that needs long timeouts.
WORLDS = (
    "dns_injected", "dns_substituted", "dns_nxdomain", "tcp_refused", "tcp_reset", "tls_reset",
    "tls_forged", "http_redirect_beltelecom", "http_blockpage_unlisted", "http_altered",
    "quic_name_closed", "script_added_to_page", "plain_site", "site_refuses",
    "expired_certificate", "captcha_for_households",
)  # fmt: skip
BRIEF = HURRY.replace("residual_seconds = 25.0", "residual_seconds = 2.0").replace(
    "target_seconds = 300.0", "target_seconds = 8.0"
)


def test_verdicts_are_the_same_after_the_way_through_oonis_format(tmp_path: Path) -> None:
    worlds = [build(name, SEED) for name in WORLDS]
    trial = try_worlds(worlds, tmp_path / "lab", Setting(config=BRIEF, icmp_ratelimit=0))
    assert trial.status == 0, trial.said
    trip = round_trip(tmp_path / "lab" / "zond.db", tmp_path / "trip")
    assert len(WORLDS) == len(trip.before)
    assert {"ok", "blocked", "down", "server_side"} <= {v["outcome"] for v in trip.before.values()}
    assert any(v["location"] for v in trip.before.values())  # the follow-ups came along
    assert {} == trip.changed()
    assert frozenset() == trip.gained
    # Whoever reads OONI's fields alone knows less, and accuses nobody for it.
    assert trip.before.keys() == trip.bare.keys()
    innocent = {url for url, v in trip.before.items() if v["outcome"] != "blocked"}
    assert [] == [url for url in innocent if trip.bare[url]["outcome"] == "blocked"]
