"""What comes of a run of which one control of two, or of three, lies, stalls, or is blocked.

In the lab's country: worlds that are blocked and worlds that are not, measured once with
honest controls, and once for each lie of `lab.liars`. *Accused* are verdicts ``blocked`` where
nobody blocks, *hidden* verdicts ``ok`` or ``down`` where somebody does: both must be none.
*Left* are the blocks that are still called so; the others are inconclusive. Nothing is followed
up, so that all rests on the controls; what a control is doubted for is what the run says.

    python -m bench.liars [--write]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.observe.over_run import over_run
from bench.pages import put
from lab.liars import lies, run_liars, url_of
from lab.score import Result
from lab.stage import CONTROLS, Setting, Stage
from lab.trial import HURRY
from lab.world import Place
from lab.worlds.plan import build
from probe.evidence import ControlQuery
from probe.store import Store

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
SEED = 5
AT_ONCE = 6  # runs
BLOCKED = (
    "dns_nxdomain", "dns_substituted", "dns_injected", "tcp_silence", "tcp_reset", "tls_silence",
    "tls_reset", "tls_forged", "http_reset", "http_silence", "http_redirect_beltelecom",
    "http_blockpage_unlisted",
)  # fmt: skip
INNOCENT = (
    "plain_site", "http_only_site", "redirect_to_www", "many_addresses", "dynamic_page",
    "site_silent", "site_refuses", "site_hangs_up", "site_speaks_no_tls", "name_does_not_exist",
    "name_servers_broken", "expired_certificate", "certificate_of_another_name", "server_error",
    "truncated_page", "captcha_for_controls",
)  # fmt: skip
HONEST = "https://control-2.zond.example/"
THIRD = f"https://{CONTROLS[0][1]}/"  # honest too, beside the one that lies at another port
REFUSED = f"https://{CONTROLS[0][1]}:444/"  # nothing listens there


@dataclass(frozen=True)
class Found:
    """*failures* are those of the questions to the control that lies, *doubts* what the run says
    of it."""

    about: str
    results: tuple[Result, ...]
    asked: int
    failures: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def accused(self) -> list[Result]:
        return [r for r in self.results if r.false_alarm]

    @property
    def hidden(self) -> list[Result]:
        return [r for r in self.results if r.world in BLOCKED and r.outcome in ("ok", "down")]

    @property
    def left(self) -> int:
        return sum(r.world in BLOCKED and r.outcome == "blocked" for r in self.results)


def measure(
    cases: Sequence[tuple[str, str]], worlds: Sequence[str], beside: Sequence[str] = (HONEST,)
) -> list[Found]:
    """Each of *cases* (what it is, and the URL of the control) *beside* those."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        setting = Setting(seed=SEED, config=HURRY)
        with Stage([build(name, SEED) for name in worlds], folder, setting) as stage:
            stage.country.start(Place.CONTROL_1, run_liars, lies(), folder)
            found = []
            for first in range(0, len(cases), AT_ONCE):
                running = []
                for n, (about, url) in enumerate(cases[first : first + AT_ONCE]):
                    db = folder / f"{first}-{n}.db"
                    running.append((about, url, db, _start(stage, db, (url, *beside))))
                for about, url, db, process in running:
                    _, said = process.communicate()
                    if process.returncode:
                        raise RuntimeError(f"{about}: {said}")
                    found.append(_found(stage, about, url, db))
            return found


def _start(stage: Stage, db: Path, urls: Sequence[str]) -> subprocess.Popen[str]:
    controls = (word for url in urls for word in ("--control", url))
    return stage.zond(
        "run", "--yes", "--no-upload", "--list", stage.list_file, "--db", db, "--seed", "1",
        "--no-follow-up", *controls,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _found(stage: Stage, about: str, url: str, db: Path) -> Found:
    with Store(db) as store:
        measured = list(store.measurements())
    queries = [
        e for m in measured for e in m.evidence
        if isinstance(e, ControlQuery) and e.control_url == url
    ]  # fmt: skip
    name = queries[0].control
    doubts = (said for said in over_run(measured).doubts() if said.startswith(f"{name} "))
    failures = tuple(sorted({str(e.failure) for e in queries if e.failure is not None}))
    return Found(about, tuple(stage.results(db)), len(queries), failures, tuple(doubts))


def table(of_two: Sequence[Found], of_three: Sequence[Found]) -> str:
    lines = [
        "`python -m bench.liars --write`: one control of two, and of three, beside honest ones;"
        f" {len(BLOCKED)} worlds that are blocked, {len(INNOCENT)} that are not.", "",
        "| the control | accused falsely | block hidden | blocks left of two | of three |"
        " its answers are | the run says, of two |",
        "|---|---|---|--:|--:|---|---|",
    ]  # fmt: skip
    for two, three in zip(of_two, of_three, strict=True):
        read = " and ".join(two.failures) or "read"
        lines.append(
            f"| {two.about} | {_named(two.accused + three.accused)} |"
            f" {_named(two.hidden + three.hidden)} | {two.left} | {three.left} | {read} |"
            f" {'; '.join(two.doubts) or 'nothing'} |"
        )
    return "\n".join(lines)


def _named(results: Sequence[Result]) -> str:
    return ", ".join(f"{r.world} ({r.outcome})" for r in results) or "none"


def all_cases() -> list[tuple[str, str]]:
    return [
        ("honest too", f"https://{CONTROLS[0][1]}/"),
        ("blocked, or down", REFUSED),
        *((lie.about, url_of(name)) for name, lie in lies().items()),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    worlds = (*BLOCKED, *INNOCENT)
    of_two = measure(all_cases(), worlds)
    of_three = measure(all_cases(), worlds, (HONEST, THIRD))
    text = table(of_two, of_three)
    print(text)
    if given.write:
        put(PAGE, "liars", text)
    return 1 if any(f.accused or f.hidden for f in (*of_two, *of_three)) else 0


if __name__ == "__main__":
    sys.exit(main())
