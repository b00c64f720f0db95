"""What leaves means what was seen: each situation is judged alike before and after."""

from __future__ import annotations

import msgspec
import pytest

from analysis.observations import Observation
from analysis.observe.derive import observe
from analysis.observe.over_run import forger
from analysis.verdict import Verdict, judge
from probe.evidence import CanaryCheck, Measurement, Run
from probe.scrubbing.known import Known
from probe.scrubbing.scrub import Choices, Scrubber
from tests.analysis.build import Scene
from tests.analysis.worlds import CASES

KNOWN = Known(
    addresses=("93.85.101.20", "2a02:d247:1234:5600:1:2:3:4", "192.168.7.23", "192.168.7.1"),
    names=("annas-laptop", "anna.k"),
)


def after(scene: Scene) -> Observation:
    """What is seen of *scene* by who only has what left."""
    scrubber = Scrubber(KNOWN, Choices(personal=True))
    run = msgspec.json.decode(scrubber.run(scene.run), type=Run)

    def left(measurement: Measurement) -> Measurement:
        line = scrubber.measurement(measurement)
        assert line is not None
        return msgspec.json.decode(line, type=Measurement)

    canaries = [
        msgspec.json.decode(scrubber.canary(check), type=CanaryCheck) for check in scene.canaries
    ]
    return observe(
        left(scene.measurement()), run, canaries, forger=forger(canaries),
        quic_elsewhere=scene.quic_elsewhere,
        follow_ups=[left(climb) for climb in scene.climbs],
    )  # fmt: skip


@pytest.fixture(scope="module")
def judged() -> dict[str, tuple[Verdict, Verdict]]:
    """Every case before and after, in two queries."""
    scenes = [case.build() for case in CASES.values()]
    seen = judge([scene.row() for scene in scenes])
    left = judge([after(scene) for scene in scenes])
    return dict(zip(CASES, zip(seen, left, strict=True), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_what_left_is_judged_as_what_was_seen(
    name: str, judged: dict[str, tuple[Verdict, Verdict]]
) -> None:
    seen, left = judged[name]
    told = ("outcome", "mechanisms", "trigger", "rules", "fingerprints", "probability", "location")
    assert {f: getattr(seen, f) for f in told} == {f: getattr(left, f) for f in told}
