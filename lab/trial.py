"""Try the probe on worlds: build their country, measure it, judge it, score it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.clock import wrong_clock
from lab.household import furnish
from lab.score import Result, result
from lab.stage import Setting, Stage, ascii_url, judged
from lab.world import World
from lab.worlds.fixtures import NEUTRAL
from lab.worlds.profiles import Profile
from lab.worlds.whole.situation import CountryWorld, Cut

# A volunteer's pace is for a volunteer's line; in the lab it would only cost time.
# Only patience with a dead line is needed here too: a machine with more to do than it can
# starves the wires for longer than any line would.
HURRY = f"""
[limits]
connections_per_second = 400.0
per_address = 50.0
per_network = 100.0
per_resolver = 200.0
datagrams_per_second = 2000.0
datagrams_per_resolver = 1000.0
offline_seconds = 60.0

[ladder]
neutral = {list(NEUTRAL)}
run_targets = 1000
run_seconds = 600.0
target_seconds = 300.0
residual_seconds = 25.0
pause = 0.1
concurrency = 50
hops_per_second = 50.0
"""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What came of it. *status* is the exit status of ``zond run``, *said* its stderr,
    *findings* what the run shows as a whole."""

    results: tuple[Result, ...]
    status: int
    said: str
    findings: frozenset[str] = frozenset()


def try_worlds(
    worlds: Sequence[World],
    folder: Path,
    setting: Setting | None = None,
    *,
    concurrency: int = 50,
    variation: str = "",
    follow_up: bool = True,
) -> Trial:
    """Measure *worlds* in one country, all in one run; by the plain pass alone, or followed up."""
    setting = setting or Setting(config=HURRY, icmp_ratelimit=0)
    db = folder / "zond.db"
    with Stage(worlds, folder, setting) as stage:
        done = stage.run(
            db, "--concurrency", str(concurrency), "--seed", str(setting.seed),
            *([] if follow_up else ["--no-follow-up"]),
        )  # fmt: skip
        results = tuple(stage.results(db, variation))
    return Trial(results=results, status=done.returncode, said=done.stderr)


def try_country(country: CountryWorld, folder: Path, *, seed: int = 0) -> Trial:
    """Measure a situation of the whole country."""
    setting = Setting(
        seed=seed,
        controls=(country.controls[0] != "down", country.controls[1] != "down"),
        ipv6=country.ipv6,
        censors=country.censors,
        sites=country.sites,
        zone=country.zone,
        own_resolver_silent=country.own_resolver_silent,
        roots=country.roots,
        config=f"{HURRY}\n{country.config}",
        icmp_ratelimit=0,
    )
    db = folder / "zond.db"
    shift = wrong_clock(f"{country.clock:+.0f}s") if country.clock else []
    # A cut is to meet targets on their way, and others before and after it.
    pace = ["--concurrency", "2"] if country.cuts else []
    asked = None if country.resolver is None else country.resolver.addresses
    with Stage(country.worlds, folder, setting) as stage:
        furnish(stage.country, country, stage.zone, stage.authorities)
        said = _follow(
            stage, country.cuts,
            stage.start_run(
                db, "--json", "--seed", str(seed), *pace, *country.arguments, before=shift,
                env=country.environment, resolv_conf=asked,
            ),
        )  # fmt: skip
        lines, found = judged(db)
        truths = country.truths()
        results = tuple(
            result(
                f"{country.name}/{world.name}", truths[world.url],
                lines.get(ascii_url(world.url)), f"seed {seed}",
            )
            for world in country.worlds
        )  # fmt: skip
    return Trial(results=results, status=said[0], said=said[1], findings=found)


def try_profile(profile: Profile, folder: Path, *, seed: int = 0) -> Trial:
    """Measure what one operator does, as one of its customers."""
    setting = Setting(
        seed=seed, household=profile.household, config=HURRY, icmp_ratelimit=0
    )  # fmt: skip
    return try_worlds(profile.build(seed), folder, setting, variation=f"seed {seed}")


def _follow(
    stage: Stage, cuts: Sequence[Cut], process: subprocess.Popen[str]
) -> tuple[int, str]:
    """Go with a run to its end, cutting wires when so many targets are done."""
    assert process.stdout is not None and process.stderr is not None
    said: list[str] = []
    talk = threading.Thread(target=said.extend, args=(process.stderr,))
    with process:
        talk.start()
        for done, _ in enumerate(process.stdout, 1):
            for cut in cuts:
                if cut.after == done:
                    for wire in cut.wires:
                        stage.country.set(wire, cut=True)
                        if cut.seconds is not None:
                            stage.country.set(wire, after=cut.seconds, cut=False)
        status = process.wait()
        talk.join()
    return status, "".join(said)
