"""The lab for somebody who is not root: it works, or one line says what to do."""

from __future__ import annotations

import pytest

from lab import real_servers
from tests.nobody import as_nobody, device_is_open

pytestmark = pytest.mark.lab

DEMO = """
import os, sys
from probe.cli import main
os.environ["HOME"] = "/nonexistent"
sys.argv = ["zond", "demo", "--targets", "6"]
main()
"""

STAGE = """
import tempfile
from pathlib import Path
from lab.score import summary
from lab.stage import Setting
from lab.trial import HURRY, try_worlds
from lab.worlds.plan import build
if __name__ == "__main__":
    worlds = [build(name) for name in ("plain_site", "domestic_site", "tls_reset", "dns_nxdomain")]
    setting = Setting(real_servers=True, config=HURRY)
    with tempfile.TemporaryDirectory() as folder:
        print(summary(try_worlds(worlds, Path(folder), setting).results))
"""


@pytest.mark.skipif(real_servers.missing() is not None, reason=str(real_servers.missing()))
def test_nginx_and_unbound_need_no_root_either() -> None:
    done = as_nobody(STAGE, open_to_all=True)
    assert 0 == done.returncode, done.stderr
    assert "4 of 4 right, 0 false alarms, 0 blocks missed\n" == done.stdout


def test_the_demo_works_where_the_device_is_open() -> None:
    done = as_nobody(DEMO, open_to_all=True)
    assert 0 == done.returncode, done.stderr
    assert "6 of 6 verdicts are as this country was built" in done.stderr


def test_the_demo_says_in_one_line_what_to_do_where_it_is_not() -> None:
    if device_is_open():
        pytest.skip("the device is open to all here")
    done = as_nobody(DEMO, open_to_all=False)
    assert 1 == done.returncode
    assert "" == done.stdout
    assert 1 == len(done.stderr.splitlines()), done.stderr
    assert "sudo chmod 0666 /dev/net/tun" in done.stderr
