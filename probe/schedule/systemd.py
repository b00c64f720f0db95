"""A systemd service and its timer, of the system or of one user.

The service may write to one folder, see no other user's files, talk to the network, and
nothing else: whatever an answer of a hostile server might make of the program, it is
confined. What needs privileges of the manager (its own view of the file system) is left out
of a user's unit, where it would need user namespaces that some systems forbid.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from probe.ending import BAD_ARGUMENTS, IN_PART, LOCKED, NOTHING_MEASURED, Problem
from probe.schedule.plan import Installed, Plan, read, written

SYSTEM = Path("/etc/systemd/system")
STATE = "/var/lib"  # where systemd makes the folder of a user that it made up
MARK = "X-Schedule"  # systemd leaves sections alone that begin with X-
PATIENCE = 90  # seconds that a run has to end in order
_TIMEOUT = 60.0
_ENDINGS = (NOTHING_MEASURED, IN_PART, LOCKED)  # of a run that is no fault of the service

_EVERYWHERE = """\
NoNewPrivileges=yes
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
UMask=0077
"""
_SYSTEM = """\
CPUSchedulingPolicy=batch
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
KeyringMode=private
"""


def service(plan: Plan, *, system: bool) -> str:
    """The text of the service's unit."""
    lines = ["[Unit]", "Description=Scheduled run"]
    if system:
        lines += ["Wants=network-online.target", "After=network-online.target time-sync.target"]
    if plan.agreed:  # whoever takes that back has ended the runs
        lines.append(f"ConditionPathExists={plan.agreed.replace('%', '%%')}")
    command = " ".join(map(_quoted, [*plan.now, "--", *plan.arguments]))
    megabytes = plan.memory // 2**20
    lines += [
        "", "[Service]",
        "Type=exec",  # so that RuntimeMaxSec= holds; it does not for oneshot
        f"ExecStart={command}",
        f"SuccessExitStatus={' '.join(map(str, _ENDINGS))}",
        f"RuntimeMaxSec={plan.seconds}", f"TimeoutStopSec={PATIENCE}",
        f"MemoryMax={megabytes}M", "TasksMax=200", "LimitNOFILE=16384", "OOMPolicy=stop",
        "Nice=10", "IOSchedulingClass=idle",
        *_EVERYWHERE.split("\n")[:-1],
    ]  # fmt: skip
    if system:
        lines += _SYSTEM.split("\n")[:-1]
        lines += _account(plan)
    lines += ["", f"[{MARK}]", f"Plan={written(plan)}", ""]
    return "\n".join(lines)


def _account(plan: Plan) -> list[str]:
    places = dict.fromkeys([plan.folder, str(Path(plan.database).parent)])
    lines = [f"ReadWritePaths={' '.join(map(_quoted, places))}"]
    seen = (*plan.program, *places)
    at_home = any(place.startswith(("/home/", "/root/", "/run/user/")) for place in seen)
    if plan.user:
        return [*lines, f"User={plan.user}", f"ProtectHome={'read-only' if at_home else 'tmpfs'}"]
    return [
        *lines, "DynamicUser=yes", f"ProtectHome={'read-only' if at_home else 'yes'}",
        f"StateDirectory={Path(plan.folder).name}", "StateDirectoryMode=0700",
        f"Environment=XDG_DATA_HOME={STATE} XDG_CONFIG_HOME=/etc HOME={plan.folder}",
    ]  # fmt: skip


def timer(plan: Plan) -> str:
    """The text of the timer's unit. What was missed, asleep or off, is made up for at once."""
    first = plan.start // 60
    hours = sorted((first + n) % 24 for n in range(0, 24, plan.every))
    spread = min(3600, plan.every * 3600 // 4)
    return "\n".join([
        "[Unit]", "Description=Scheduled run", "", "[Timer]",
        f"OnCalendar=*-*-* {','.join(f'{h:02}' for h in hours)}:{plan.start % 60:02}:00",
        f"RandomizedDelaySec={spread}", "AccuracySec=60", "Persistent=true",
        "", "[Install]", "WantedBy=timers.target", "", f"[{MARK}]", f"Plan={written(plan)}", "",
    ])  # fmt: skip


def folder(*, system: bool) -> Path:
    """Where units are put: the administrator's place, or the user's."""
    if system:
        return SYSTEM
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(config) / "systemd" / "user"


def runs_here(*, system: bool) -> bool:
    """Whether such a manager runs."""
    if shutil.which("systemctl") is None or not Path("/run/systemd/system").is_dir():
        return False
    return system or _systemctl(["show-environment"], system=False).returncode == 0


def closed_to(program: str, user: int | None) -> Path | None:
    """The folder above *program* that keeps the user with that number (None: one that systemd
    makes up) from starting it, if there is one."""
    for folder in Path(program).resolve().parents:
        about = folder.stat()
        if not about.st_mode & (0o100 if about.st_uid == user else 0o001):
            return folder
    return None


def install(plan: Plan, *, system: bool) -> list[Path]:
    """Write both units, and start the timer; the files. Raises `Problem` and OSError."""
    place = folder(system=system)
    place.mkdir(parents=True, exist_ok=True)
    files = [place / f"{plan.name}.service", place / f"{plan.name}.timer"]
    for file in files:
        if file.exists() and _plan_in(file) is None:
            raise Problem(f"{file} is there and is not ours: choose another --name", BAD_ARGUMENTS)
    for file, text in zip(files, (service(plan, system=system), timer(plan)), strict=True):
        aside = file.with_suffix(file.suffix + ".tmp")
        aside.write_text(text)
        aside.chmod(0o644 if system else 0o600)
        aside.replace(file)
    _must(["daemon-reload"], system=system)
    _must(["enable", "--now", f"{plan.name}.timer"], system=system)
    return files


def found(*, system: bool) -> list[Installed]:
    """The schedules that are installed, whatever they are called."""
    place = folder(system=system)
    schedules = []
    for file in sorted(place.glob("*.timer")):
        if (plan := _plan_in(file)) is not None:
            schedules.append(_state(plan, file, system=system))
    return schedules


def _state(plan: Plan, file: Path, *, system: bool) -> Installed:
    next_at, running, trouble = None, False, ""
    if runs_here(system=system):
        names = [f"{plan.name}.timer", f"{plan.name}.service"]
        wanted = "--property=ActiveState,NextElapseUSecRealtime,Result"
        told = _systemctl(["show", wanted, *names], system=system).stdout
        of_timer, _, of_service = told.partition("\n\n")
        next_at = _seconds(of_timer)
        running = "ActiveState=active" in of_service
        if "ActiveState=active" not in of_timer:
            trouble = "the timer is not active"
        elif (result := re.search(r"Result=(.*)", of_service)) and result[1] != "success":
            trouble = f"the last turn ended with: {result[1]}"
    else:
        trouble = "systemd does not answer here"
    files = (str(file.with_suffix(".service")), str(file))
    by = "systemd" if system else "systemd-user"
    return Installed(
        by=by, plan=plan, files=files, next_at=next_at, running=running, trouble=trouble
    )


def remove(schedule: Installed) -> None:
    """Stop it, and take away all that `install` and systemd put there for it. Raises OSError."""
    system = schedule.by == "systemd"
    name = schedule.plan.name
    if runs_here(system=system):
        _systemctl(["disable", "--now", f"{name}.timer"], system=system)
        _systemctl(["stop", f"{name}.service"], system=system)
    wanted = folder(system=system) / "timers.target.wants" / f"{name}.timer"
    for path in (*map(Path, schedule.files), wanted, _stamp(name, system=system)):
        path.unlink(missing_ok=True)
    if runs_here(system=system):
        _systemctl(["daemon-reload"], system=system)
        _systemctl(["reset-failed", f"{name}.service"], system=system)


def _stamp(name: str, *, system: bool) -> Path:
    """Where systemd keeps when a persistent timer last elapsed (systemd.timer(5))."""
    if system:
        return Path(STATE, "systemd/timers", f"stamp-{name}.timer")
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
    return Path(data, "systemd/timers", f"stamp-{name}.timer")


def lingers() -> bool | None:
    """Whether this user's units also run while nobody is logged in; None: not told."""
    if (loginctl := shutil.which("loginctl")) is None:
        return None
    told = _run([loginctl, "show-user", str(os.getuid()), "--property=Linger"]).stdout.strip()
    return {"Linger=yes": True, "Linger=no": False}.get(told)


def _plan_in(file: Path) -> Plan | None:
    try:
        text = file.read_text()
        marked = text.partition(f"[{MARK}]\nPlan=")[2]
        return read(marked.partition("\n")[0]) if marked else None
    except (OSError, UnicodeDecodeError, msgspec.DecodeError):
        return None


def _seconds(told: str) -> float | None:
    """When it elapses next: systemd 252 writes a date there, whatever is asked for."""
    found = re.search(r"NextElapseUSecRealtime=(?:\w+ )?([-\d]+ [:\d]+) UTC", told)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _must(arguments: Sequence[str], *, system: bool) -> None:
    done = _systemctl(arguments, system=system)
    if done.returncode != 0:
        said = done.stderr.strip() or f"status {done.returncode}"
        raise Problem(f"systemctl {' '.join(arguments)}: {said}")


def _systemctl(arguments: Sequence[str], *, system: bool) -> subprocess.CompletedProcess[str]:
    command = ["systemctl", "--no-ask-password", *([] if system else ["--user"]), *arguments]
    return _run(command)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - no shell, and the words are ours
            command, capture_output=True, text=True, timeout=_TIMEOUT, check=False,
            env=os.environ | {"LC_ALL": "C", "TZ": "UTC"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as exc:
        return subprocess.CompletedProcess(command, 1, "", str(exc))


def _quoted(word: str) -> str:
    """*word* as systemd.service(5) reads it back: specifiers and variables are not expanded."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return '"' + escaped.replace("$", "$$") + '"'
