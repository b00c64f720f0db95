"""Counts: how often a mechanism was met, of how often it could have been.

A cell is a target, a mechanism, a country, an access network, a resolver's network, and a day
or an hour. What counts for and against a mechanism:

- for it (``blocked``): an outcome `blocked`, or `ok`, that names it: interfered with and still
  reachable is interfered with;
- against it (``usable``, which holds both): `ok` without it; `blocked` by others, none of
  which comes before it on the way. What was cut off at the name never came to the handshake:
  that is masked, which is not ok;
- neither: `down` and `server_side` (the site itself ends it, whoever is on the way),
  `local_fault`, `inconclusive`, `not_measured`. They have columns of their own, since a
  cell in which nothing could be seen is unlike one in which nothing was looked at.

Only pages like those at which the mechanism was ever met in the series count against it: one
that was fetched over TLS does not show what is done to those in the clear. The mechanism
`any` is the whole: every cell has it. Others are there for series in which they were ever
met, also with 0.

Rule: everything is an expression, counted in the engine; two steps, first by probe, so that
the number of probes costs no memory of its own and what they repeat is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import ibis  # type: ignore[import-untyped]  # Ibis ships no types

ANY = "any"
LAYERS = ("dns", "tcp", "quic", "tls", "http", "throttled")  # in the order of the way
_PLACE = {layer: place for place, layer in enumerate(("dns", "tcp", "tls", "http", "throttled"))}
_PLACE["quic"] = _PLACE["tls"]  # in the place of both, and no step of the other way
_BEYOND = len(_PLACE)  # of a block for which no mechanism is named

Table = Any  # Ibis ships no types
Column = Any
Every = Literal["day", "hour"]
Target = Literal["host", "url"]


def cells(verdicts: Table, *, target: Target = "host", every: Every = "day") -> Table:
    """The counts of the verdict table *verdicts*.

    Columns: *target*, ``mechanism``, ``probe_cc``, ``probe_asn``, ``resolver_asn``, *every*
    (days or hours since 1970, UTC); ``blocked``, ``usable``; ``probes`` among the usable,
    ``probes_blocked`` of which met it; ``squares`` and ``within``, for
    `analysis.history.credible`; ``rows`` of the cell whatever they say, ``down``,
    ``server_side`` and ``undecided`` among them.
    """
    series = [target, "probe_cc", "probe_asn", "resolver_asn"]
    looks = _looks(verdicts.filter(verdicts.measured_at > 0))
    beside = {
        "rows": ibis.literal(True),
        "down": looks.outcome == "down",
        "server_side": looks.outcome == "server_side",
        "undecided": looks.outcome.isin(["local_fault", "inconclusive", "not_measured"]),
    }
    whole = _by_probe(looks, [*series, every], looks.open | looks.met, looks.met, beside)
    whole = whole.mutate(mechanism=ibis.literal(ANY))
    named = _named(looks)
    met = named.group_by([*series, "clear", "named"]).agg(place=named.place.min())
    # Looks that could have met it: at a kind of page where it is met at times, and not cut off
    # before. Few series are ever blocked, and only theirs are multiplied by mechanisms.
    near = looks.inner_join(met, [*series, "clear"])
    names = ibis.literal(",") + near.mechanisms + ","
    near = near.mutate(shows=near.met & names.contains(ibis.literal(",") + near.named + ","))
    could = near.filter(near.shows | near.open | (near.met & (near.first >= near.place)))
    single = _by_probe(could, [*series, every, "named"], ibis.literal(True), could.shows, {})
    single = single.rename(mechanism="named").inner_join(
        whole.select(*series, every, *beside), [*series, every]
    )
    kept = [target, "mechanism", *series[1:], every, *_COUNTS, *beside]
    return ibis.union(_nullable(whole.select(*kept)), _nullable(single.select(*kept)))


_COUNTS = ("blocked", "usable", "probes", "probes_blocked", "squares", "within")


def _looks(verdicts: Table) -> Table:
    """With each row, what it can tell: *open* (nobody interferes), *met* (somebody does),
    *first* (the place on the way of the first mechanism), *clear* (a page without TLS)."""
    met = (verdicts.outcome == "blocked") | (
        (verdicts.outcome == "ok") & (verdicts.mechanisms != "")
    )
    names = ibis.literal(",") + verdicts.mechanisms
    places = [
        (names.contains(f",{layer}"), _PLACE[layer])
        for layer in sorted(LAYERS, key=lambda layer: _PLACE[layer])
    ]
    return verdicts.mutate(
        met=met,
        open=(verdicts.outcome == "ok") & ~met,
        # Reachable all the same: nothing was cut off, and all of the way was seen.
        first=ibis.ifelse(
            verdicts.outcome == "ok", _BEYOND, ibis.cases(*places, else_=-1)
        ),
        clear=verdicts.url.startswith("http:"),
    )


def _nullable(table: Table) -> Table:
    """The same; Ibis takes columns that are never null for another type than those after a join."""
    return table.cast({name: kind.copy(nullable=True) for name, kind in table.schema().items()})


def _named(looks: Table) -> Table:
    """A row for each mechanism of each look that met one, with its *place* on the way."""
    table = looks.filter(looks.met & (looks.mechanisms != ""))
    table = table.mutate(named=table.mechanisms.split(",").unnest())
    place = ibis.cases(
        *((table.named.startswith(layer), _PLACE[layer]) for layer in LAYERS), else_=_BEYOND
    )
    return table.mutate(place=place)


def _by_probe(
    looks: Table, key: list[str], usable: Column, blocked: Column, beside: Mapping[str, Column]
) -> Table:
    """Counts by *key*, of *looks* that are *usable*, of which *blocked*; and how many are what
    is counted *beside*."""
    probe = ibis.ifelse(looks.probe_id == "", looks.run_id, looks.probe_id)
    others = {f"{name}_": column for name, column in beside.items()}
    table = looks.mutate(usable_=usable, blocked_=blocked, probe_=probe, **others)
    each = table.group_by([*key, "probe_"]).agg(
        m=table.usable_.sum().cast("int64"),
        y=(table.usable_ & table.blocked_).sum().cast("int64"),
        **{name: table[f"{name}_"].sum().cast("int64") for name in beside},
    )
    m, y = each.m.cast("float64"), each.y.cast("float64")
    return each.group_by(key).agg(
        blocked=each.y.sum().cast("int64"),
        usable=each.m.sum().cast("int64"),
        probes=(each.m > 0).sum().cast("int64"),
        probes_blocked=(each.y > 0).sum().cast("int64"),
        squares=(m * m).sum(),
        within=ibis.ifelse(each.m > 0, y * y / ibis.greatest(m, 1.0), 0.0).sum(),
        **{name: each[name].sum().cast("int64") for name in beside},
    )