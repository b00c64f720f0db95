"""What a run imports, and what stays out of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# As `zond run` does, up to the first packet.
IMPORTS = """
import sys
import probe.cli
from probe.lean import import_libraries
import_libraries()
import probe.session, probe.commands.screen
from probe.nettest import discover
discover()
"""

# Each would cost a run a megabyte or more of memory.
OUTSIDE = {
    "aioquic", "anyio", "asyncio", "babel", "certifi", "cryptography.hazmat.asn1", "dateutil",
    "dns.resolver", "duckdb", "hypercorn", "ibis", "multiprocessing", "numpy", "pandas", "pyarrow",
    "rich", "scapy", "starlette", "tabulate", "tomlkit", "utls",
}  # fmt: skip


def printed(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_a_run_imports_none_of_what_it_does_not_use() -> None:
    # A module that is only deferred has a name in sys.modules, and no code.
    loaded = printed(f"{IMPORTS}\nprint(*(n for n, m in sys.modules.items() if m))")
    assert "probe.session" in loaded
    assert set() == OUTSIDE & loaded


@pytest.mark.parametrize(
    "use",
    [
        "import anyio; print(anyio.sleep)",
        "import multiprocessing; print(multiprocessing.Lock)",
        "import truststore; print(truststore.SSLContext)",
        "from OpenSSL import SSL; print(SSL.Context)",
        "from service_identity import cryptography as c; print(c.verify_certificate_hostname)",
        "from sqlite_utils import recipes; print(recipes.parsedate)",
    ],
)
def test_what_was_left_out_is_there_when_it_is_wanted(use: str) -> None:
    assert printed(f"{IMPORTS}\n{use}")


def test_reading_packets_leaves_nothing_in_the_users_home(tmp_path: Path) -> None:
    code = """
import probe.wire.packet, scapy.data, sys
assert not scapy.data.MANUFDB.d, "the table of network cards"
from scapy.libs.manuf import DATA
assert DATA, "is there for who wants it"
"""
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=home)
    assert [] == [path for path in tmp_path.rglob("*") if path.name != ".config"]
