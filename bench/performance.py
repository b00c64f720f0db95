"""Makes every table of docs/performance.md anew, one bench after another.

    python -m bench.performance [--from NAME]

Takes an hour and a half, and is worth it on a machine that does nothing else. A bench that fails
leaves its table as it was, and the others go on; the exit status says so.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BENCHES = {
    "full_list": ("--targets", "1000"),
    "grid": ("--targets", "2200", "--sample", "10"),
    "where": ("--targets", "300", "--profile"),
    "visit": (),
    "control": ("--seconds", "4"),
    "collector": ("--seconds", "3"),
    "throughput": (),
    "wires": (),
    "memory": ("--targets", "150"),
}
MODULES = {"where": "full_list"}  # of tables that are not named as their bench


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--from", dest="first", choices=BENCHES, default=next(iter(BENCHES)))
    names = list(BENCHES)
    failed = []
    for name in names[names.index(parser.parse_args().first) :]:
        module = f"bench.{MODULES.get(name, name)}"
        print(f"\n{name}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", module, *BENCHES[name], "--write"], cwd=ROOT, check=False
        )
        if done.returncode:
            failed.append(name)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
