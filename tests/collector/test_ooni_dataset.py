"""OONI's documents through collector and dataset: what `zond import` says of them, to the byte.

Of OONI's own documents ``bench/ooni_collected.py`` asks the same.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from bench.ooni_collected import main
from probe.formats.ooni_export import document as exported
from tests.analysis.worlds import CASES
from tests.formats.documents import SITE, connect, control, document, fine, handshake, keys, names

SCENES = (
    "own_resolver_leads_elsewhere", "innocent_filter_of_the_home_router", "reset_before_a_word",
)  # fmt: skip
RESET = handshake(SITE, "connection_reset")


def ours(name: str, *, whole: bool) -> bytes:
    """A scene as we export it, under ids of its own; *whole*: with what only we write."""
    scene, ident = CASES[name].build(), f"{name}-{whole}"
    climbs = [replace(m, id=f"{n}-{ident}"[:64], about=ident) for n, m in enumerate(scene.climbs)]
    return exported(scene.run, scene.measurement(ident=ident), climbs, scene.canaries, whole=whole)


def written(folder: Path) -> Path:
    """Documents in the forms in which they lie about: of OONI's probes, and of ours."""
    indented = json.dumps(json.loads(document(fine(), id="x")), indent=2)
    theirs = [
        document(fine()),
        document(keys(names("dns_nxdomain_error"), helper=control())),
        document(keys(names(), [connect(SITE, 443)], [RESET], helper=control())),
        f" \n{indented}\n\n".encode(),
        document({"success": True}, test_name="hologram"),
        document(None),
    ]
    mine = [ours(name, whole=whole) for name in SCENES for whole in (True, False)]
    for number, data in enumerate([*mine, *theirs]):
        (folder / f"{number:02}.json").write_bytes(data)
    return folder


def test_verdicts_on_collected_documents_are_those_on_imported_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main([str(written(tmp_path))])
    said = capsys.readouterr().out
    assert 0 == status, said
    assert "12 documents" in said
    assert "2 that nobody here can read" in said
