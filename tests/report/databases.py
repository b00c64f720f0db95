"""Databases to report on: a history of two networks, and a run in which strangers are hostile."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from probe.evidence import PROBE
from probe.failure import Failure
from probe.store import Planned, Store
from testlists.target import Target
from tests.analysis.build import BOTH, RUN, STARTED, Page, Scene, site

BLOCKED, OPEN, THIRD = "https://news.example/", "https://other.example/", "https://third.example/"
HOURS, FROM = 48, 30
BLOCK = Page(
    "<html><head><title>Доступ ограничен</title></head><body bgcolor=#eee>"
    "<h1 style='color:#900'>Access restricted</h1><p>By decision of the authority.</body></html>"
)


def history(path: Path) -> Path:
    """Hourly runs of probes on two networks over two days; one site is reset from an hour on."""
    with Store(path, write=True) as store:
        for hour in range(HOURS):
            for probe, asn in ((0, 6697), (1, 6697), (2, 25106)):
                at = STARTED + 3600 * hour + 600 * probe
                scenes = [
                    reset(BLOCKED) if hour >= FROM else site(BLOCKED).visit(),
                    site(OPEN).visit(),
                    site(THIRD).visit(),
                ]
                _run(store, f"run{hour}-{probe}", at, asn, scenes)
    return path


def one_run(path: Path, scenes: Iterable[Scene], planned: Iterable[str] = ()) -> Path:
    """One run with *scenes*, and what was only *planned*."""
    with Store(path, write=True) as store:
        _run(store, "run", STARTED, 6697, list(scenes), list(planned))
    return path


def reset(url: str) -> Scene:
    """The handshake is cut here and nowhere else."""
    return site(url).visit(by=BOTH).connect(tls=Failure.CONNECTION_RESET, holds=True)


def replaced(url: str, page: Page = BLOCK) -> Scene:
    """In the clear, a page of somebody else's comes in place of the site's."""
    return site(url).visit(by=BOTH).connect().page(page, by=(PROBE,))


def _run(
    store: Store, id: str, at: float, asn: int, scenes: list[Scene], planned: Iterable[str] = ()
) -> None:
    run = msgspec.structs.replace(
        RUN, id=id, started_at=at - 60, ended_at=at + 100, probe_asn=asn
    )
    urls = [*(scene.url for scene in scenes), *planned]
    store.begin_run(run, [
        Planned(run_id=id, position=n, nettest="web_connectivity",
                target=Target(url=url, category="NEWS"))
        for n, url in enumerate(urls)
    ])  # fmt: skip
    store.append([
        msgspec.structs.replace(scene.measurement(at, f"m-{id}-{n}"), run_id=id)
        for n, scene in enumerate(scenes)
    ])  # fmt: skip
