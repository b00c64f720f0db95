"""Chromium without a way to any network, and what a page did in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Dialog, Page, sync_playwright

# No name resolves, and what is asked for by address goes to a port where nobody listens.
CLOSED = ["--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9",
          "--proxy-bypass-list=<-loopback>", "--no-sandbox"]  # fmt: skip
STOPPED = ("csp", "origin")  # by the policy, and what is of another origin: never sent
PATIENCE = 180_000  # milliseconds, for a busy machine
WHAT_TO_INSTALL = "the report's tests need Chromium: apt-get install chromium"
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


@dataclass
class Seen:
    """What happened while a page was open: *console* holds errors and warnings, *requests* the
    URLs that were asked for, *refused* those that the page's policy stopped before they were
    sent, *dialogs* what was popped up."""

    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def dismissed(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def beyond(self, page: Page, path: Path) -> list[str]:
        """The requests for anything but the file itself, and frames that have no address.

        That one was refused is told after it, on a busy machine a while after.
        """
        own = (path.as_uri(), "about:srcdoc")
        for _ in range(300):
            asked = [url for url in self.requests if url not in self.refused]
            left = [url for url in asked if url.partition("#")[0] not in own]
            if not left:
                break
            page.wait_for_timeout(100)
        return left


@contextmanager
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program is not None, WHAT_TO_INSTALL
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CLOSED, timeout=PATIENCE)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, path: Path, **context: Any) -> Iterator[tuple[Page, Seen]]:
    """The file *path* in a window of its own."""
    seen = Seen()
    window = browser.new_context(**context)
    window.set_default_timeout(PATIENCE)
    page = window.new_page()
    page.on("console", lambda m: seen.console.append(m.text) if m.type != "log" else None)
    page.on("pageerror", lambda error: seen.console.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("requestfailed", lambda r: seen.refused.append(r.url) if r.failure in STOPPED else None)
    page.on("dialog", seen.dismissed)
    page.goto(path.as_uri())
    yield page, seen
    window.close()


def unfold(page: Page) -> None:
    """Open all that is folded, and have all drawn that is not in view."""
    page.evaluate("""() => {
        document.querySelectorAll('details').forEach((part) => (part.open = true));
        document.querySelectorAll('*').forEach((e) => (e.style.contentVisibility = 'visible'));
    }""")


def violations(page: Page) -> list[tuple[str, str, str]]:
    """What axe finds wrong that is serious or worse: rule, impact, the first place."""
    page.evaluate(AXE)
    found = page.evaluate("() => axe.run(document, {iframes: false})")
    return [
        (v["id"], v["impact"], str(v["nodes"][0]["target"]) + v["nodes"][0]["html"][:200])
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]
