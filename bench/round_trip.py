"""Our measurements through OONI's format and back: are the verdicts the same?

    python -m bench.round_trip [--seed S] [--only TEXT] [--write]

Measures every world of the lab with the ladder, and every situation of the whole country;
exports each database as OONI's documents, imports them into another, judges that. Beside it,
what OONI's own fields say without our extension. Prints every difference; exit status 1 if
there is one with the extension. --write puts the table into docs/ooni_export.md. Real packets;
needs what the lab needs.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.round_trip import RoundTrip, round_trip, stronger
from lab.trial import try_country, try_worlds
from lab.worlds.plan import build, names
from lab.worlds.whole import WHOLE

PAGE = Path(__file__).parent.parent / "docs" / "ooni_export.md"
TOGETHER = {  # kinds of worlds that share a country
    "blocked, hindered and innocent worlds": ("blocked", "hindered", "innocent"),
    "throttled worlds and their twins": ("throttled", "unhurried"),
    "OONI's own worlds": ("qa",),
}


def trips(seed: int, only: str) -> Iterator[tuple[str, str, RoundTrip]]:
    """Each trial: the row of the table it belongs to, its name, what came of it."""
    for title, kinds in TOGETHER.items():
        if only in title:
            with tempfile.TemporaryDirectory() as folder:
                worlds = [build(name, seed) for name in names(*kinds)]
                try_worlds(worlds, Path(folder) / "lab")
                yield title, title, _back(Path(folder))
    for name, make in WHOLE.items():
        if only in name:
            with tempfile.TemporaryDirectory() as folder:
                try_country(make(seed), Path(folder) / "lab", seed=seed)
                yield "situations of the whole country", name, _back(Path(folder))


def _back(folder: Path) -> RoundTrip:
    return round_trip(folder / "lab" / "zond.db", folder / "trip")


def count(name: str, trip: RoundTrip) -> Counter[str]:
    """Count, and say each difference."""
    changed = trip.changed()
    found = Counter(verdicts=len(trip.before), same=len(trip.before.keys() - changed))
    for url, fields in changed.items():
        print(f"{name}: {url}: {', '.join(fields)}: {trip.before.get(url)} {trip.after.get(url)}")
    for url, before in trip.before.items():
        bare = trip.bare[url]
        same = before["outcome"] == bare["outcome"]
        accused = bare["outcome"] == "blocked" and not same
        found["bare same"] += same
        found["bare accused"] += accused
        found["bare named more"] += not accused and stronger(bare, before)
        if accused:
            print(f"{name}: from OONI's fields alone {url} is blocked, was {before['outcome']}")
    found["findings lost"] = len(trip.lost)
    found["findings gained"] = len(trip.gained)
    if trip.lost or trip.gained:
        print(f"{name}: findings lost {sorted(trip.lost)}, gained {sorted(trip.gained)}")
    return found


def table(rows: dict[str, Counter[str]]) -> str:
    lines = [
        "| | verdicts | the same in every field | findings lost / gained |"
        " from OONI's fields alone: same outcome | more mechanisms | blocked that was not |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for title, n in rows.items():
        lines.append(
            f"| {title} | {n['verdicts']} | {n['same']} |"
            f" {n['findings lost']} / {n['findings gained']} | {n['bare same']} |"
            f" {n['bare named more']} | {n['bare accused']} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    rows: dict[str, Counter[str]] = {}
    for title, name, trip in trips(given.seed, given.only):
        rows.setdefault(title, Counter()).update(count(name, trip))
        print(f"{name}: {len(trip.before)} verdicts", file=sys.stderr)
    shown = table(rows)
    print(shown)
    if given.write:
        marked = f"<!-- bench/round_trip.py -->\n{shown}\n<!-- end -->"
        found = re.compile(r"<!-- bench/round_trip.py -->.*?<!-- end -->", re.DOTALL)
        PAGE.write_text(found.sub(lambda _: marked, PAGE.read_text()))
    return 0 if all(n["same"] == n["verdicts"] for n in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
