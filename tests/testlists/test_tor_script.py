"""scripts/tor-lists: from the text in a binary, and from older files, to lists that are sound."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from testlists.lint import lint_together
from testlists.parsing import load

ROOT = Path(__file__).parents[2]
OLD, NEW, BOTH = "A" * 40, "B" * 40, "C" * 40
AUTHORITY = "9695 DFC3 5FFE B861 329B 9F1A B04C 4639 7020 CE31"
BINARY = b"\x7fELF\0".join(line.encode() for line in (
    "",
    f"keeper orport=9201 v3ident={'D' * 40} ipv6=[2001:858:2::1]:443 128.31.0.39:9231 {AUTHORITY}",
    f"serge orport=9001 bridge 66.111.2.131:9030 {AUTHORITY}",
    f"64.65.62.122 orport=443 id={NEW}",
    f"162.19.252.137 orport=9200 id={BOTH} ipv6=[2a03::1]:9200",
    "orport=%d", "",
))  # fmt: skip
OLDER = "".join(
    f"{identity}.{said}\n"
    for identity, ip in ((OLD, "185.13.39.197"), (BOTH, "185.13.39.198"))
    for said in (f"address {ip}", "or_port 443", "dir_port 80", "nickname n")
)
CERT = "cert=qUVQ0srL1JI/vO6V6m/24anYXiJD3QP2HgzUKQtQ7GRqqUvs7P+tG43RtAqdhLOALP7DJQ iat-mode=1"
BRIDGES = {
    "obfs4": [f"obfs4 192.95.36.142:443 {OLD} {CERT}"],
    "snowflake": [f"snowflake 192.0.2.3:80 {NEW} url=https://broker.example/"],
    "meek-azure": ["meek_lite 192.0.2.20:80 url=https://front.example/"],
}


def test_lists_of_tor_are_made_of_what_its_programs_carry(tmp_path: Path) -> None:
    (tmp_path / "tor").write_bytes(BINARY)
    (tmp_path / "older.cfg").write_text(OLDER)
    (tmp_path / "pt.json").write_text(json.dumps({"bridges": BRIDGES}))
    (out := tmp_path / "out").mkdir()
    done = subprocess.run(
        [
            sys.executable, ROOT / "scripts" / "tor-lists", "--tor", tmp_path / "tor",
            "--source", "tor 1", "--day", "2026-06-25", "--older", tmp_path / "older.cfg",
            "--older-day", "2019-06-25", "--bridges", tmp_path / "pt.json",
            "--bridges-source", "a browser", "--out", out,
        ],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    found = {path.stem: load(path)[0] for path in out.iterdir()}
    authorities = {t.url: t for t in found["tor-authorities"]}
    assert {
        "tor://128.31.0.39:9201", "tor://[2001:858:2::1]:443", "tor://66.111.2.131:9001",
    } == set(authorities)  # fmt: skip
    keeper = authorities["tor://128.31.0.39:9201"]
    assert (AUTHORITY.replace(" ", ""), "9231", "D" * 40) == tuple(
        keeper.attribute(name) for name in ("fingerprint", "dir_port", "v3ident")
    )
    seen = {t.attribute("fingerprint"): t.attribute("first_seen") for t in found["tor-relays"]}
    assert {OLD: "2019-06-25", BOTH: "2019-06-25", NEW: "2026-06-25"} == seen
    (relay,) = [t for t in found["tor-relays"] if t.attribute("fingerprint") == BOTH]
    assert "tor://162.19.252.137:9200" == relay.url  # where it is now
    assert [CERT] == [t.attribute("arguments") for t in found["tor-bridges"]]
    ways = {t.hostname: t.attribute("bridge1") for t in found["tor-bootstrap"]}
    assert (BRIDGES["snowflake"][0], BRIDGES["meek-azure"][0]) == (ways["snowflake"], ways["meek"])
    contents = {path.stem: path.read_bytes() for path in out.iterdir()}
    assert {name: [] for name in contents} == lint_together(contents)
