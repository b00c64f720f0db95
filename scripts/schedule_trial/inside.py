"""What is tried inside the booted machine, one step a boot; prints a line for each thing seen.

Runs as root by a unit of the machine's own, with the system's Python. Waiting is cut short in
two ways only, both said where they are used: the timer's random delay is set to nothing, and
what would have happened hours ago is dated back.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ZOND = sys.argv[1]
ARGUMENTS = sys.argv[2:]  # for zond run
STEP = Path("/var/trial/step")
COUNT = Path("/var/trial/count")
WHO = "volunteer"
DATA = Path(f"/home/{WHO}/.local/share/zond")
UNITS = Path("/etc/systemd/system")
STAMP = Path("/var/lib/systemd/timers/stamp-zond.timer")
LONG_AGO = 3 * 3600
AGREED = ("consent", "--yes", "--tiers", "low,medium", "--upload", "no", "--networks", "any")


def sh(*command: str, as_user: bool = False, env: dict[str, str] | None = None) -> tuple[int, str]:
    words = ["runuser", "-u", WHO, "--", *command] if as_user else list(command)
    home = f"/home/{WHO}" if as_user else "/root"
    done = subprocess.run(  # noqa: S603
        words, capture_output=True, text=True, check=False, timeout=300,
        env=os.environ | {"HOME": home} | (env or {}),
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).strip()


def zond(*arguments: str, as_user: bool = False, env: dict[str, str] | None = None) -> str:
    status, said = sh(ZOND, *arguments, as_user=as_user, env=env)
    if status:
        print(f"WRONG: zond {' '.join(arguments)} ended with {status}: {said}", flush=True)
    return said


def see(what: str, seen: object, detail: str = "") -> None:
    print(f"{'ok' if seen else 'WRONG'}: {what}{f' ({detail})' if detail else ''}", flush=True)


def wait(what: str, until: Callable[[], object], seconds: float = 100.0) -> bool:
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if until():
            see(what, True, f"after {time.monotonic() - began:.0f} s")
            return True
        time.sleep(0.5)
    see(what, False, f"not within {seconds:.0f} s")
    return False


def runs(database: Path = DATA / "zond.db") -> int:
    """How many runs are complete in *database*."""
    count = (
        "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("
        "\"SELECT count(DISTINCT run_id) FROM run_updates WHERE ended = 'done'\").fetchone()[0])"
    )
    status, said = sh("python3", "-c", count, str(database)) if database.exists() else (1, "")
    return int(said) if status == 0 else 0


def told(env: dict[str, str] | None = None, *, as_user: bool = False) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(
        zond("schedule", "status", "--json", as_user=as_user, env=env)
    )
    return found


def date_back_stamp() -> None:
    """As if the machine had been off when the timer should have elapsed."""
    then = time.time() - LONG_AGO
    os.utime(STAMP, (then, then))


def without_delay(units: Path) -> None:
    folder = units / "zond.timer.d"
    folder.mkdir(exist_ok=True)
    (folder / "trial.conf").write_text("[Timer]\nRandomizedDelaySec=0\n")


def leftovers() -> list[str]:
    """Files with our name that were not there, but for consent and what was measured."""
    _, found = sh("find", "/etc", "/var", "/run", "/home", "/root", "-xdev", "-iname", "*zond*")
    folders = ("/etc", "/root/.config", "/etc/skel/.config", f"/home/{WHO}/.config")
    config = {f"{folder}/zond" for folder in folders}
    data = (str(DATA), "/root/.local/share/zond", "/var/lib/private/zond", "/var/lib/zond")
    return [
        line for line in found.splitlines()
        if not line.startswith(data) and not {line, str(Path(line).parent)} & config
    ]  # fmt: skip


def first_boot() -> None:
    sh("useradd", "--create-home", WHO)
    install = ("schedule", "install", "--system", "--as", WHO, "--every", "1", "--", *ARGUMENTS)
    status, said = sh(ZOND, *install)
    see("without consent: refused, status 4", status == 4)
    see("and no unit is there", not leftovers(), " ".join(leftovers()))
    zond(*AGREED, as_user=True)
    zond(*install)
    units = [str(UNITS / f"zond.{kind}") for kind in ("service", "timer")]
    status, said = sh("systemd-analyze", "verify", *units)
    see("systemd-analyze verify has no complaint", status == 0 and not said, said)
    _, said = sh("systemd-analyze", "security", "--no-pager", "zond.service")
    see("systemd-analyze security", "OK" in said, said.splitlines()[-1].strip())
    (schedule,) = told()
    see("status tells the next turn, within two hours",
        0 < float(str(schedule["next_at"])) - time.time() < 7200)  # fmt: skip
    without_delay(UNITS)
    date_back_stamp()
    sh("systemctl", "daemon-reload")
    sh("systemctl", "restart", "zond.timer")
    wait("the timer fired, and a run as the volunteer is complete", lambda: runs() == 1)
    wait("the service is at rest again", lambda: not told()[0]["running"])
    see("the database is the volunteer's", (DATA / "zond.db").owner() == WHO)
    _, said = sh("systemctl", "show", "zond.service", "-p", "MainPID,Result,ExecMainStatus")
    see("it ended well", "Result=success" in said and "ExecMainStatus=0" in said)
    see("status tells of it", "done, 3 measured" in str(told()[0]["turns"]))
    date_back_stamp()


def second_boot() -> None:
    wait("after a reboot: what was missed is made up for", lambda: runs() == 2)
    wait("the service is at rest again", lambda: not told()[0]["running"])
    zond("consent", "withdraw", as_user=True)
    sh("systemctl", "start", "--wait", "zond.service")
    _, said = sh("systemctl", "show", "zond.service", "-p", "ExecMainStatus")
    see("consent withdrawn: the turn ends with 4 and measures nothing",
        said == "ExecMainStatus=4" and runs() == 2, said)  # fmt: skip
    zond(*AGREED, as_user=True)
    sh("rm", "-r", str(UNITS / "zond.timer.d"))
    zond("schedule", "remove")
    see("removed: nothing is left", not leftovers(), " ".join(leftovers()))
    see("what was measured is still there", runs() == 2)
    # A user that systemd makes up, root's consent handed over.
    zond(*AGREED)
    zond("schedule", "install", "--system", "--every", "1", "--", *ARGUMENTS)
    sh("systemctl", "start", "--wait", "zond.service")
    made_up = Path("/var/lib/private/zond/zond.db")
    see("a unit with a user of its own measured", runs(made_up) == 1)
    _, said = sh("systemd-analyze", "security", "--no-pager", "zond.service")
    see("systemd-analyze security", "OK" in said, said.splitlines()[-1].strip())
    zond("consent", "withdraw")
    sh("systemctl", "start", "--wait", "zond.service")
    see("consent withdrawn by root: nothing more is measured", runs(made_up) == 1)
    zond("schedule", "remove")
    see("removed: nothing is left", not leftovers(), " ".join(leftovers()))
    # The user's own manager, which runs without a login by lingering.
    sh("loginctl", "enable-linger", WHO)
    _, number = sh("id", "-u", WHO)
    bus = {"XDG_RUNTIME_DIR": f"/run/user/{number}"}
    wait("the volunteer's own systemd runs",
         lambda: Path(f"/run/user/{number}/systemd/private").exists())  # fmt: skip
    zond("schedule", "install", "--every", "1", "--", *ARGUMENTS, as_user=True, env=bus)
    _, said = sh("systemctl", "--user", "start", "zond.service", as_user=True, env=bus)
    if not wait("a unit of the user's own measured", lambda: runs() == 3, 30):
        _, state = sh("systemctl", "--user", "status", "zond.service", as_user=True, env=bus)
        print(said, state)
    wait("and is at rest again", lambda: not told(bus, as_user=True)[0]["running"])
    zond("schedule", "remove", as_user=True, env=bus)
    see("removed: nothing is left", not leftovers(), " ".join(leftovers()))
    sh("loginctl", "disable-linger", WHO)
    # cron. Each installation draws its own moments: until one's is past, so that it is due,
    # and its hour is not at its end before we have booted again.
    for _ in range(30):
        zond("schedule", "install", "--by", "cron", "--every", "1", "--", *ARGUMENTS, as_user=True)
        (schedule,) = told(as_user=True)
        into = (time.time() - 60 * schedule["plan"]["start"]) % 3600  # type: ignore[index]
        if float(str(schedule["next_at"])) <= time.time() and into < 2400:
            break
    before = runs()
    every_minute()
    wait("cron fired, and a run is complete", lambda: runs() == before + 1, 150)
    date_back_diary()
    COUNT.write_text(str(runs()))


def every_minute() -> None:
    """cron wakes us each minute in place of each quarter of an hour."""
    _, crontab = sh("crontab", "-l", as_user=True)
    now = re.sub(r"^[\d,]+ \* ", "* * ", crontab, flags=re.MULTILINE)
    Path("/var/trial/crontab").write_text(now + "\n")
    sh("crontab", "-u", WHO, "/var/trial/crontab")


def date_back_diary() -> None:
    """As if the last turn had been two hours ago, and the machine off since."""
    path = DATA / "schedule.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    text = "".join(json.dumps(line | {"at": line["at"] - 2 * 3600}) + "\n" for line in lines)
    path.write_text(text)


def third_boot() -> None:
    before = int(COUNT.read_text())
    wait("after a reboot cron's turn is made up for", lambda: runs() == before + 1, 150)
    see("status tells of it", "done" in str(told(as_user=True)[0]["turns"]))
    time.sleep(61)
    see("and no more than once in its hour", runs() == before + 1)
    zond("schedule", "remove", as_user=True)
    status, said = sh("crontab", "-l", as_user=True)
    see("removed: the crontab is gone", status == 1, said)
    see("removed: nothing is left", not leftovers(), " ".join(leftovers()))
    see("its diary is gone as well", not (DATA / "schedule.jsonl").exists())
    print("END", flush=True)


def main() -> None:
    step = int(STEP.read_text()) if STEP.exists() else 0
    STEP.write_text(str(step + 1))
    try:
        (first_boot, second_boot, third_boot)[step]()
    except Exception as exc:  # noqa: BLE001 - whatever it is belongs into the record
        print(f"WRONG: {type(exc).__name__}: {exc}\nEND", flush=True)
    finally:
        sh("systemctl", "poweroff", "--no-block")


main()
