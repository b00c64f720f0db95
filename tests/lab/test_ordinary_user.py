"""`zond demo` for somebody who is not root: it works, or one line says what to do."""

from __future__ import annotations

import pytest

from tests.nobody import as_nobody, device_is_open

pytestmark = pytest.mark.lab

DEMO = """
import os, sys
from probe.cli import main
os.environ["HOME"] = "/nonexistent"
sys.argv = ["zond", "demo", "--targets", "6"]
main()
"""


@pytest.mark.xfail(
    strict=True,
    reason="explain_if_impossible tries the device in the host's network, where it is root's",
)
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
