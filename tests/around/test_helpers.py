"""The command that serves helpers: what it refuses, in one line."""

from __future__ import annotations

import csv
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe.cli import zond
from probe.ending import BAD_ARGUMENTS, FAILED
from probe.nettest import discover
from probe.wire.wireguard import new_pair, write_key
from testlists.target import target_from_url
from tests.ports import free_port

REFUSED = {
    "nothing": [],
    "no port": ["--echo", "127.0.0.1"],
    "a name": ["--echo", "localhost:80"],
    "no key": ["--wireguard", "127.0.0.1:51820"],
    "a key that is none": ["--wireguard", "127.0.0.1:51820", "--wireguard-key", __file__],
    "a key that is nowhere": ["--wireguard", "127.0.0.1:51820", "--wireguard-key", "/nowhere"],
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused(name: str) -> None:
    done = CliRunner().invoke(zond, ["control", "helpers", *REFUSED[name]])
    assert BAD_ARGUMENTS == done.exit_code
    assert 1 == done.output.count("\n") and "Traceback" not in done.output, done.output


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(zond, ["control", "helpers", "--echo", f"127.0.0.1:{port}"])
    assert FAILED == done.exit_code
    assert "cannot listen" in done.output and "Traceback" not in done.output


def test_a_signal_ends_it_in_order(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(write_key(new_pair().private) + "\n")
    port = free_port()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("zond"), "control", "helpers",
         "--echo", f"127.0.0.1:{port}", "--wireguard", f"127.0.0.1:{port}",
         "--wireguard-key", tmp_path / "key"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stderr is not None
        assert f"echo at port {port}\n" == process.stderr.readline()
        assert process.stderr.readline().startswith("wireguard with the public key ")
        process.send_signal(signal.SIGTERM)
        assert (0, "") == (process.wait(60), process.stderr.read())


@pytest.mark.parametrize("name", ["messengers", "resolvers"])
def test_every_line_of_the_lists_is_measured_by_one_nettest(name: str) -> None:
    text = (files("testlists") / "lists" / f"{name}.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        target = replace(target_from_url(row["url"]), attributes=tuple(row.items()))
        takers = [test.name for test in discover().values() if test.takes(target)]
        assert 1 == len(takers), row["url"]
