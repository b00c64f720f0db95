"""The report's charts, as SVG that stands in the page: drawn by Vega, described by Altair.

Rule: a chart says nothing that a table or a sentence beside it does not say as well, for those
who cannot see it; colours are told apart by everybody, and beside each there is a shape or a word.
Nothing of a chart is loaded from anywhere, and it runs nothing in the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

from analysis.history.event import Event
from analysis.report.gather import Network
from analysis.report.inert import plain
from analysis.report.tell import Teller
from analysis.report.words import KINDS, Words

INK, QUIET, RULE = "#23262b", "#5c6370", "#d9d7d0"
# After Okabe and Ito (2008): told apart by those who see few colours, and in grey.
PALETTE = ["#b3472b", "#2b6a99", "#c9922e", "#5b8c7b", "#7b5a94", "#8a8f98"]
FONT = "system-ui, sans-serif"
WIDTH = 640
MOST_ROWS = 40
_VERSION = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])  # of Vega-Lite
LABEL = 34  # characters of a row's name
DAY = 86400.0


def timeline(events: Sequence[Event], end: float, tell: Teller) -> Markup:
    """Events as bars over time: the pale ends are the intervals in which something began or
    ended, an arrow says that it went on at the last look."""
    words = tell.words
    bars: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    order: list[str] = []
    for number, e in enumerate(events[:MOST_ROWS], 1):
        label = f"{number}. {_label(e, words)}"
        order.append(label)
        kind = words.of(KINDS, e.kind).partition(":")[0]
        by = e.onset.by or e.onset.after or end
        after = by if e.onset.after is None else e.onset.after
        stop, gone = end, end
        if e.lift is not None:
            stop = e.lift.after or by
            gone = e.lift.by or stop
        row = {"event": label, "kind": kind}
        bars.append(row | {"from": _ms(after), "to": _ms(by), "part": "unsure"})
        bars.append(row | {"from": _ms(by), "to": _ms(max(stop, by)), "part": "sure"})
        bars.append(row | {"from": _ms(stop), "to": _ms(gone), "part": "unsure"})
        if e.onset.after is None:
            points.append(row | {"from": _ms(by), "shape": "before"})
        if e.lift is None:
            points.append(row | {"from": _ms(end), "shape": "on"})
    if not bars:
        return Markup("")
    kinds = list(dict.fromkeys(bar["kind"] for bar in bars))
    y = alt.Y("event:N", sort=order, title=None, axis=alt.Axis(labelLimit=230, ticks=False))
    x = alt.X("from:T", title=None, axis=alt.Axis(format="%Y-%m-%d", tickCount=6, grid=True))
    colour = alt.Color(
        "kind:N", title=None, scale=alt.Scale(domain=kinds, range=PALETTE[: len(kinds)]),
        legend=alt.Legend(orient="top", columns=2, labelLimit=400),
    )
    drawn = (
        alt.Chart(_data(bars)).mark_bar(height=11).encode(
            x=x, x2="to:T", y=y, color=colour,
            opacity=alt.Opacity("part:N", legend=None, scale=alt.Scale(
                domain=["sure", "unsure"], range=[1, 0.4])),
        )
        + alt.Chart(_data(points)).mark_point(filled=True, size=80, opacity=1).encode(
            x=x, y=y, color=colour,
            shape=alt.Shape("shape:N", legend=None, scale=alt.Scale(
                domain=["on", "before"], range=["triangle-right", "triangle-left"])),
        )
    )  # fmt: skip
    title = words.gettext("Events over time; the table below says the same.")
    return _svg(drawn.properties(width=WIDTH - 230), title)


def mechanisms(networks: Sequence[Network], tell: Teller) -> Markup:
    """How many sites meet which mechanism on which network, as numbers on tiles."""
    rows: list[dict[str, Any]] = [
        {"network": tell.short(n.asn), "way": way, "sites": count}
        for n in networks
        for way, count in n.mechanisms.most_common()
    ]
    if not rows:
        return Markup("")
    most = max(row["sites"] for row in rows)
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("network:N", title=None, sort=None,
                axis=alt.Axis(orient="top", labelAngle=-40, ticks=False, domain=False)),
        y=alt.Y("way:N", title=None, axis=alt.Axis(ticks=False, domain=False)),
    )
    tiles = base.mark_rect(stroke="white", strokeWidth=2, cornerRadius=3).encode(
        color=alt.Color("sites:Q", legend=None, scale=alt.Scale(
            domain=[0, most], range=["#f7ece6", "#b3472b"])),
    )
    numbers = base.mark_text(fontSize=12).encode(
        text="sites:Q",
        color=alt.condition(f"datum.sites > {0.55 * most}", alt.value("white"), alt.value(INK)),
    )  # fmt: skip
    title = tell.words.gettext("Sites by network and by what is done to them.")
    return _svg((tiles + numbers).properties(width=alt.Step(44), height=alt.Step(26)), title)


def path(networks: Sequence[Network], tell: Teller) -> Markup:
    """Where on the way interference was met: hops by network, as large as there are sites."""
    rows: list[dict[str, Any]] = [
        {"network": tell.network(n.asn), "hop": hop, "sites": count,
         "whose": f"{count} · {tell.short(asn)}" if asn else str(count)}
        for n in networks
        for hop, asn, _ip, count in tell.hops(n)
    ]
    if not rows:
        return Markup("")
    last = max(row["hop"] for row in rows) + 2
    title = tell.words.gettext("Where on the way interference is met, hop by hop.")
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("hop:Q", title=tell.words.gettext("hops from the probe"),
                scale=alt.Scale(domain=[0, last]),
                axis=alt.Axis(values=list(range(last + 1)), format="d", grid=True)),
        y=alt.Y("network:N", title=None, sort=None, axis=alt.Axis(labelLimit=230, ticks=False)),
    )
    drawn = base.mark_point(filled=True, shape="diamond", color=PALETTE[0], opacity=0.9).encode(
        size=alt.Size("sites:Q", legend=None, scale=alt.Scale(rangeMin=60, rangeMax=420))
    ) + base.mark_text(align="left", dx=14, color=INK).encode(text="whose:N")
    return _svg(drawn.properties(width=WIDTH - 230, height=alt.Step(40)), title)


def _label(event: Event, words: Words) -> str:
    name = event.targets[0] if event.targets else words.gettext("all targets")
    more = f" +{len(event.targets) - 1}" if len(event.targets) > 1 else ""
    return plain(name, LABEL - len(more)) + more


def _ms(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _data(rows: list[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=rows)


def _svg(chart: Any, title: str) -> Markup:
    spec = chart.configure(
        font=FONT, background="transparent", aria=False,
        axis=alt.AxisConfig(labelColor=INK, titleColor=QUIET, gridColor=RULE, domainColor=RULE,
                            tickColor=RULE, labelFontSize=12, titleFontWeight="normal"),
        legend=alt.LegendConfig(labelColor=INK, labelFontSize=12),
        view=alt.ViewConfig(stroke=None),
    ).to_dict()  # fmt: skip
    svg = vl_convert.vegalite_to_svg(spec, vl_version=_VERSION, allowed_base_urls=[])
    # The text's size is measured with other fonts than the reader's: room at the sides is left.
    head = re.search(r'<svg [^>]*viewBox="([^"]+)"[^>]*>', svg)
    assert head is not None
    label = Markup.escape(title)
    opened = f'<svg viewBox="{head[1]}" role="img" aria-label="{label}">'
    return Markup(opened + svg[head.end() :])  # noqa: S704 - drawn by Vega, which escapes its texts
