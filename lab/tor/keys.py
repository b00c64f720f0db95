"""Fresh keys for the authorities: made by tor's own programs, kept where the daemon is.

Everybody must know an authority by its keys before anybody starts. A relay makes its own
when it starts; nothing secret is ever kept longer than the network.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.country import Country, LabError
from lab.tor.plan import Daemon
from lab.tor.torrc import Authority
from lab.world import Place

_PASSPHRASE = b"lab\n"  # tor-gencert insists on one; the key is thrown away with the network
_V3IDENT = re.compile(r"^fingerprint ([0-9A-F]{40})$", re.MULTILINE)
_FINGERPRINT = re.compile(r"\b((?:[0-9A-F]{4} ?){10})$", re.MULTILINE)
_PATIENCE = 120.0  # seconds; a key of 4,096 bits takes one, or a minute beside others


def make(
    country: Country, place: Place, daemons: Sequence[Daemon], folder: Path
) -> list[Authority]:
    """Keys of the authorities *daemons*, each in ``folder/NAME``. Raises LabError."""
    empty = folder / "empty"
    empty.touch()
    running = []
    for daemon in daemons:
        keys = folder / daemon.name / "keys"
        keys.mkdir(parents=True, mode=0o700, exist_ok=True)
        (folder / daemon.name).chmod(0o700)
        certificate: list[str | os.PathLike[str]] = [
            "tor-gencert", "--create-identity-key", "--passphrase-fd", "0", "-m", "12",
            "-a", f"{daemon.address}:{daemon.dir_port}",
            "-i", keys / "authority_identity_key", "-s", keys / "authority_signing_key",
            "-c", keys / "authority_certificate",
        ]  # fmt: skip
        identity: list[str | os.PathLike[str]] = [
            "tor", "--list-fingerprint", "--hush", "-f", empty,
            "--defaults-torrc", "/dev/null", "--DataDirectory", folder / daemon.name,
            "--Nickname", daemon.name, "--ORPort", f"{daemon.address}:{daemon.or_port}",
            "--Address", daemon.address, "--SocksPort", "0",
        ]  # fmt: skip
        pair = [
            country.command(
                place, argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            for argv in (certificate, identity)
        ]  # fmt: skip
        assert pair[0].stdin is not None
        pair[0].stdin.write(_PASSPHRASE)
        pair[0].stdin.close()
        pair[0].stdin = None
        running.append((daemon, pair))
    found = []
    for daemon, (certifying, identifying) in running:
        _finish(certifying)
        said = _finish(identifying)
        text = (folder / daemon.name / "keys" / "authority_certificate").read_text()
        v3ident, fingerprint = _V3IDENT.search(text), _FINGERPRINT.search(said)
        if v3ident is None or fingerprint is None:
            raise LabError(f"no keys for {daemon.name}:\n{said}")
        found.append(Authority(daemon, v3ident[1], fingerprint[1].replace(" ", "")))
    return found


def _finish(process: subprocess.Popen[bytes]) -> str:
    try:
        said, _ = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired as exc:
        raise LabError(f"{process.args!r} does not end") from exc
    text = said.decode(errors="replace")
    if process.returncode:
        raise LabError(f"{process.args!r} ended with {process.returncode}:\n{text}")
    return text
