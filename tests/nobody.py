"""Runs Python as an ordinary user, with the TUN device open to all or closed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

AS_NOBODY = """
import ctypes, os, sys
from pathlib import Path
libc = ctypes.CDLL(None, use_errno=True)

def mount(source, target, kind=None, flags=0):
    code = libc.mount(source.encode(), str(target).encode(), kind, flags, None)
    assert code == 0, (source, target, ctypes.get_errno())

assert libc.unshare(0x20000) == 0  # a mount namespace of our own, private
mount("none", "/", None, 0x44000)
if OPEN_TO_ALL:
    mount("none", "/mnt", b"tmpfs")
    os.mknod("/mnt/tun", 0o20666, os.makedev(10, 200))
    os.chmod("/mnt/tun", 0o666)
    mount("/mnt/tun", "/dev/net/tun", None, 0x1000)
# What a strict home directory hides of Python and of us is shown on another path to it.
needed = {Path(name).resolve(): os.open(name, os.O_PATH) for name in PATHS}
hidden = {
    path.parts[1]
    for path in needed
    for above in [path, *path.parents]
    if not above.stat().st_mode & 0o001
}
for top in hidden:
    mount("none", f"/{top}", b"tmpfs")
os.umask(0o022)
for path, handle in needed.items():
    if path.parts[1] in hidden:
        path.mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{handle}", path, None, 0x1000)
for top in hidden:
    os.chmod(f"/{top}", 0o755)
os.chdir(ROOT)
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
os.execv(sys.executable, [sys.executable, "-c", CODE])
"""


def as_nobody(code: str, *, open_to_all: bool) -> subprocess.CompletedProcess[str]:
    """Run *code* as an ordinary user, with the TUN device open to all or as it is here.

    Skips the test where nobody but root may become somebody else, and we are not root.
    """
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    facts = {
        "OPEN_TO_ALL": open_to_all,
        "PATHS": [sys.base_prefix, sys.prefix, str(ROOT)],
        "ROOT": str(ROOT),
        "CODE": code,
    }
    given = "".join(f"{name} = {value!r}\n" for name, value in facts.items())
    return subprocess.run(
        [sys.executable, "-c", given + AS_NOBODY],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def device_is_open() -> bool:
    """Whether every user may use the TUN device of this machine as it is."""
    device = "/dev/net/tun"
    return os.access(device, os.F_OK) and os.stat(device).st_mode & 0o006 == 0o006
