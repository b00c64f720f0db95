"""Which resolvers this machine is set to use."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.surroundings.resolvers import system_resolvers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nameserver 192.0.2.1\nnameserver 2001:db8::1\n", ("192.0.2.1", "2001:db8::1")),
        ("# a comment\n; one more\n\n nameserver\t192.0.2.1 # mine\n", ("192.0.2.1",)),
        ("search a..b " + "x" * 80 + "\nnameserver 192.0.2.1", ("192.0.2.1",)),
        ("nameserver fe80::1%eth0\nnameserver nonsense\nnameserver\nnameserver 192.0.2.1",
         ("192.0.2.1",)),
        ("".join(f"nameserver 192.0.2.{n // 2}\n" for n in range(10)),
         ("192.0.2.0", "192.0.2.1", "192.0.2.2")),
        ("", ()),
    ],
    ids=["both families", "comments", "a bad domain", "bad addresses", "twice, and many", "empty"],
)  # fmt: skip
def test_name_servers_are_read_as_the_system_reads_them(
    tmp_path: Path, text: str, expected: tuple[str, ...]
) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(text)
    assert expected == system_resolvers(path)


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert () == system_resolvers(tmp_path / "resolv.conf")


def test_what_is_no_text_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_bytes(b"\xff\xfe\x00\nnameserver 192.0.2.1\n")
    assert ("192.0.2.1",) == system_resolvers(path)
