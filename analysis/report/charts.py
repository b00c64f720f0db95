"""The report's charts, as SVG that stands in the page: described by Altair, drawn by Vega.

Rule: a chart says nothing that words or a table beside it do not say as well, for those who
cannot see it; and nothing by colour alone. What is drawn runs nothing and loads nothing. Texts
keep room to their left, since the reader's letters may be wider than those it was drawn with.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

from analysis.history.event import Event
from analysis.report.gather import Network
from analysis.report.inert import plain
from analysis.report.tell import Teller
from analysis.report.words import SHORT_KINDS

INK, QUIET, RULE, PAPER = "#23262b", "#5c6370", "#d9d7d0", "#fdfcf9"
# Quiet, told apart by those who see few colours, and not the only thing that tells kinds apart.
COLOURS = {
    "blocking": "#a63d23", "throttling": "#c9922e", "shutdown": "#3c2a21", "outage": "#8a8f98",
    "geofence": "#7b5a94", "ddos": "#7e9cb5", "site_death": "#5c6370", "registry": "#2b6a99",
}  # fmt: skip
FONT = "system-ui, sans-serif"
LETTER = 7.4   # pixels that a letter of a label may take
PLOT = 560     # pixels
MOST_ROWS = 40
LONGEST = 28   # characters of a site's name in a label
WIDE = 12      # networks, from which on the columns are narrow
_VERSION = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])  # of Vega-Lite


def timeline(events: Sequence[Event], end: float, tell: Teller) -> Markup:
    """Events as bars over time: the pale ends are the intervals in which something began or
    ended; an arrow says that it went on at the last look, or had begun before the first."""
    bars: list[dict[str, Any]] = []
    arrows: list[dict[str, Any]] = []
    labels: list[str] = []
    for number, e in enumerate(events[:MOST_ROWS], 1):
        labels.append(f"{number}. {_targets(e, tell)} · {tell.words.of(SHORT_KINDS, e.kind)}")
        by = e.onset.by or e.onset.after or end
        after = by if e.onset.after is None else e.onset.after
        stop = end if e.lift is None else max(by, e.lift.after or by)
        gone = stop if e.lift is None else e.lift.by or stop
        row = {"event": labels[-1], "kind": e.kind}
        bars += [
            row | {"from": _time(begin), "to": _time(until), "sure": sure}
            for begin, until, sure in ((after, by, 0), (by, stop, 1), (stop, gone, 0))
            if until > begin
        ]
        arrows += [row | {"from": _time(by), "shape": "before"}] * (e.onset.after is None)
        arrows += [row | {"from": _time(end), "shape": "on"}] * (e.lift is None)
    if not bars:
        return Markup("")
    colour = alt.Color("kind:N", legend=None, scale=alt.Scale(
        domain=list(COLOURS), range=list(COLOURS.values())))  # fmt: skip
    axis = alt.Axis(format="%Y-%m-%d", tickCount=5, grid=True, orient="top", domain=False)
    x, y = alt.X("from:T", title=None, axis=axis), _rows("event:N", labels)
    drawn = (
        alt.Chart(_data(bars)).mark_bar(height=10).encode(
            x=x, x2="to:T", y=y, color=colour,
            opacity=alt.Opacity("sure:N", legend=None, scale=alt.Scale(
                domain=[1, 0], range=[1, 0.35])),
        )
        + alt.Chart(_data(arrows)).mark_point(filled=True, size=110, opacity=1).encode(
            x=x, y=y, color=colour,
            shape=alt.Shape("shape:N", legend=None, scale=alt.Scale(
                domain=["on", "before"], range=["triangle-right", "triangle-left"])),
        )
    )  # fmt: skip
    title = tell.words.gettext("Events over time; the list below says the same.")
    return _svg(drawn.properties(width=PLOT, height=alt.Step(19)), title)


def mechanisms(networks: Sequence[Network], tell: Teller) -> Markup:
    """How many sites meet which mechanism on which network, as numbers on tiles."""
    rows: list[dict[str, Any]] = [
        {"network": tell.network(n.asn), "way": way, "sites": count}
        for n in networks
        for way, count in n.mechanisms.most_common()
    ]
    if not rows:
        return Markup("")
    most = max(row["sites"] for row in rows)
    names = list(dict.fromkeys(row["network"] for row in rows))
    ways = sorted({row["way"] for row in rows})
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("network:N", title=None, sort=names, axis=alt.Axis(
            orient="top", labelAngle=-90, ticks=False, domain=False, labelLimit=400,
            minExtent=_room(names))),
        y=_rows("way:N", ways),
    )  # fmt: skip
    tiles = base.mark_rect(stroke=PAPER, strokeWidth=3, cornerRadius=4).encode(
        color=alt.Color("sites:Q", legend=None, scale=alt.Scale(
            domain=[0, most], range=["#f9efe9", "#a63d23"])),
    )  # fmt: skip
    pale = alt.datum.sites < 0.55 * most
    numbers = base.mark_text(fontSize=12).encode(
        text="sites:Q", color=alt.when(pale).then(alt.value(INK)).otherwise(alt.value("white"))
    )
    title = tell.words.gettext("Sites by network and by what is done to them.")
    step = 46 if len(names) <= WIDE else 30
    return _svg((tiles + numbers).properties(width=alt.Step(step), height=alt.Step(28)), title)


def path(networks: Sequence[Network], tell: Teller) -> Markup:
    """Where on the way interference was met: the hop on each network, and whose it is."""
    met: dict[tuple[str, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for n in networks:
        for hop, asn, _ip, count in tell.hops(n):
            met[tell.network(n.asn), hop][asn] += count
    if not met:
        return Markup("")
    rows = [
        {"network": network, "hop": hop, "sites": sum(whose.values()), "whose": _whose(whose, tell)}
        for (network, hop), whose in met.items()
    ]
    last = max(hop for _network, hop in met) + 1
    names = list(dict.fromkeys(network for network, _hop in met))
    axis = alt.Axis(values=list(range(last + 1)), format="d", grid=True)
    scale = alt.Scale(domain=[0, last])
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("hop:Q", title=tell.words.gettext("hops from the probe"), scale=scale, axis=axis),
        y=_rows("network:N", names),
    )
    marks = base.mark_point(filled=True, shape="diamond", color="#a63d23", opacity=1).encode(
        size=alt.Size("sites:Q", legend=None, scale=alt.Scale(rangeMin=60, rangeMax=320))
    )
    texts = base.mark_text(align="left", dx=13, color=INK, fontSize=12).encode(text="whose:N")
    title = tell.words.gettext("Where on the way interference is met, hop by hop.")
    return _svg((marks + texts).properties(width=PLOT, height=alt.Step(34)), title)


def _whose(whose: dict[int, int], tell: Teller) -> str:
    named = sorted(whose.items(), key=lambda w: (-w[1], w[0]))
    return ", ".join(f"{tell.short(asn)} {count}" if asn else f"? {count}" for asn, count in named)


def _targets(event: Event, tell: Teller) -> str:
    name = event.targets[0] if event.targets else tell.words.gettext("all targets")
    more = f" +{len(event.targets) - 1}" if len(event.targets) > 1 else ""
    return plain(name, LONGEST) + more


def _rows(field: str, names: Sequence[str]) -> alt.Y:
    axis = alt.Axis(
        ticks=False, domain=False, labelLimit=600, labelPadding=8, minExtent=_room(names)
    )
    return alt.Y(field, sort=list(names), title=None, axis=axis)


def _room(names: Iterable[str]) -> float:
    return LETTER * max(map(len, names)) + 8


def _data(rows: list[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=rows)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _svg(chart: Any, title: str) -> Markup:
    spec = chart.configure(
        font=FONT, background="transparent", aria=False,
        axis=alt.AxisConfig(labelColor=INK, titleColor=QUIET, gridColor=RULE, domainColor=RULE,
                            labelFontSize=12, titleFontSize=12, titleFontWeight="normal"),
        view=alt.ViewConfig(stroke=None),
    ).to_dict()  # fmt: skip
    svg = vl_convert.vegalite_to_svg(spec, vl_version=_VERSION, allowed_base_urls=[])
    head = re.search(r'<svg [^>]*width="([\d.]+)"[^>]*viewBox="([-\d. ]+)"[^>]*>', svg)
    assert head is not None, "Vega draws an svg with its size"
    drawn = svg[head.end() :].removesuffix("</svg>")
    return Markup(
        '<svg width="{}" viewBox="{}" role="img" aria-label="{}"><g aria-hidden="true">{}</g></svg>'
    ).format(head[1], head[2], title, Markup(drawn))  # noqa: S704 - Vega escapes what it draws
