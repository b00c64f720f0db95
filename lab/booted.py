"""A Debian of its own, made by debootstrap and booted with its own systemd, inside the lab.

What a unit file means only systemd knows, and what a reboot leaves only a reboot tells. The
machine shares the household's network namespace, so the lab's country is all that it can
reach; it is a directory, is copied before it is used, and is gone afterwards. Needs root,
debootstrap and systemd-container.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.country import LabError
from lab.stage import Stage
from lab.world import Place

PROGRAMS = ("debootstrap", "systemd-nspawn")
BOOTS = "systemd,systemd-sysv,dbus,libpam-systemd,cron,python3,python3-venv"
SUITE = "bookworm"


def missing() -> list[str]:
    """The programs that are not installed here."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def bare_root(folder: Path, packages: str) -> None:
    """Make *folder* a small Debian with *packages*, unless it is one already.

    From the mirror that this machine's apt is set to. Raises `LabError`.
    """
    if (folder / "etc/debian_version").exists():
        return
    beside = folder.with_name(folder.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    _must(
        ["debootstrap", "--variant=minbase", f"--include={packages}", SUITE, str(beside), mirror()]
    )
    for left in (beside / "var/cache/apt/archives").glob("*.deb"):
        left.unlink()
    beside.rename(folder)


def mirror() -> str:
    """Where this machine's apt gets Debian from. Raises `LabError`."""
    told = _must(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
         f"Codename: {SUITE}", "Component: main"]
    )  # fmt: skip
    if not told:
        raise LabError("apt knows no mirror of Debian here")
    return told.splitlines()[0]


@contextmanager
def copied(root: Path, folder: Path) -> Iterator[Path]:
    """A copy of *root* in *folder*, for as long as it is needed."""
    _must(["cp", "-a", "--reflink=auto", str(root), str(folder)])
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def install_zond(root: Path, wheels: Path, place: str) -> None:
    """Put the probe into a virtual environment at *place* within *root*, from *wheels* alone."""
    shutil.copytree(wheels, root / "wheels")
    inside = ["chroot", str(root)]
    _must([*inside, "python3", "-m", "venv", place])
    _must([*inside, f"{place}/bin/pip", "install", "--quiet", "--no-index", "--find-links",
           "/wheels", "zond"])  # fmt: skip
    shutil.rmtree(root / "wheels")


def build_wheels(source: Path, folder: Path) -> None:
    """Wheels of the probe and all that it needs. Raises `LabError`."""
    python = str(Path(shutil.which("python3") or "python3"))
    _must([python, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(folder), str(source)])


def boot(stage: Stage, root: Path, *, binds: Sequence[Path] = (), seconds: float) -> str:
    """Boot *root* at home in *stage*'s country until it powers itself off; its console.

    Raises `LabError` where it does not within *seconds*.
    """
    process = stage.country.command(
        Place.HOME,
        [
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe",
            "--resolv-conf=copy-host", "--timezone=off", *(f"--bind-ro={path}" for path in binds),
            "--directory", root, "--boot",
        ],
        env=stage.environment(SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="0"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as exc:
        process.terminate()  # nspawn takes its machine with it
        process.communicate()
        raise LabError(f"the machine was not off within {seconds:g} s") from exc
    return str(out)


def _must(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise LabError(f"{command[0]}: {said[-1] if said else done.returncode}")
    return done.stdout.strip()
