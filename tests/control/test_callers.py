"""What a person sees who looks at a control with a browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from probe.control.callers import MAX_CONTACT, BadContact, page

ZOND = Path(sys.executable).with_name("zond")
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@contextmanager
def serving(*arguments: str) -> Iterator[str]:
    """The URL of ``zond control serve`` on loopback."""
    started = [str(ZOND), "control", "serve", "--listen", "127.0.0.1:0", *arguments]
    with subprocess.Popen(started, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            yield process.stderr.readline().split()[-1]
        finally:
            process.terminate()


def test_a_browser_is_told_what_this_is_and_whom_to_ask() -> None:
    with serving("--contact", "abuse@example.org <b>or</b> ask") as url:
        shown = httpx2.get(url, headers=BROWSER, timeout=60)
        program = httpx2.get(url, timeout=60)
    assert shown.headers["content-type"].startswith("text/html")
    assert "abuse@example.org &lt;b&gt;or&lt;/b&gt; ask" in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert "This is a zond control." == program.json()["message"]


def test_the_page_needs_nothing_from_anywhere_and_runs_nothing() -> None:
    text = page("")
    assert "has not said" in text
    assert not [word for word in ("<script", "src=", "href=", "url(", "http://") if word in text]


@pytest.mark.parametrize("contact", ["a\nb", "\x1b[31m", "x" * (MAX_CONTACT + 1)])
def test_a_contact_is_one_line(contact: str) -> None:
    with pytest.raises(BadContact):
        page(contact)
    done = subprocess.run(
        [ZOND, "control", "serve", "--listen", "127.0.0.1:0", "--contact", contact],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (2, 1) == (done.returncode, len(done.stderr.splitlines()))
