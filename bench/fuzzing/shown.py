"""What people look at: a terminal, the report's HTML; no stranger's word may do anything there."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from html.parser import HTMLParser

import msgspec
from rich.console import Console
from rich.table import Table

from analysis import cli
from analysis.dataset.cli import _printable
from analysis.explain import Node, _seen
from analysis.history.show import tree
from analysis.report import shown
from analysis.report.page import _finalize
from bench.fuzzing.target import target
from probe.evidence import Measurement
from probe.upload.sending import _shown
from tests.collector.test_fuzz_documents import GOOD

HARMLESS = {"details", "summary", "ul", "ol", "li", "span", "b", "i", "em", "strong", "code", "p"}
WORDS = (
    b"<script>x</script>", b"</li></ul><svg onload=x>", b"&lt;script&gt;", b"\\u001b[2J",
    b"[link=x]y[/]",
    b"\\u009b31m", b"\\u202e", b"\\r", b"[/bold]", b"{{7*7}}", b"\" onmouseover=x ", b"=1+1",
    b"\\u2028",
)  # fmt: skip


class _Tags(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(f"{tag}@{name}" for name, _ in attrs if name.startswith("on"))}


def measurements() -> Iterator[bytes]:
    yield json.dumps(GOOD[1]).encode()


_measurement = msgspec.json.Decoder(Measurement)


@target(
    "terminal_and_report", "analysis.explain", "analysis.report", "analysis.history.show",
    json=True, refuses=(msgspec.MsgspecError, UnicodeDecodeError, RecursionError),
    seeds=measurements, most=65536, words=WORDS,
)  # fmt: skip
def terminal_and_report(data: bytes) -> None:
    """The chain of a measurement, as ``zond explain`` and as the report shows it."""
    node = _seen(_measurement.decode(data))
    _on_a_terminal(node)
    tags = _Tags()
    tags.feed(str(shown._list(node)))
    assert tags.found <= HARMLESS, tags.found - HARMLESS


def _on_a_terminal(node: Node) -> None:
    out = io.StringIO()
    Console(file=out, width=100, no_color=True).print(tree(node))
    text = out.getvalue().replace("\n", "")
    assert text.isprintable(), ascii(text)


@target(
    "told_text", "analysis.cli", "analysis.dataset", "analysis.report", "probe.upload",
    seeds=lambda: (b"https://site.by/\x1b[2J[bold]x[/]", "\u202eгоре\u0301".encode()), words=WORDS,
)  # fmt: skip
def told_text(data: bytes) -> None:
    """A text of a stranger's in a cell of a table, in a line, in a page."""
    text = data.decode("utf-8", "replace")
    out = io.StringIO()
    for said in (cli._printable(text), _shown(text)):
        assert said.isprintable()
        said.encode()
    table = Table(box=None)  # as a query's answer is shown
    table.add_column("it")
    table.add_row(_printable(text))
    Console(file=out, width=100, no_color=True).print(table)
    assert out.getvalue().replace("\n", "").isprintable()
    assert "\x1b" not in str(_finalize(text)) and "\u202e" not in str(_finalize(text))
