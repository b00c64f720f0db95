"""The dataset as the control that documents of services do not have.

A relay that does not answer here may be dead. Whether it is, those say who tried the same
endpoint at that time from other networks: the verdict table holds them. Rule: only what is
``inconclusive`` is judged again, by others' rows of the same URL in the same quarter of a day
(`WINDOW`, so that a day's partition is judged by itself):

- reached from other networks, in more than one country, and in more countries than those
  where nobody reaches it: this endpoint is alive, and ``blocked`` here, if this line was alive;
- failing in every network that tried, in several countries: ``down``.

A witness who reaches it and is left out can only weaken what is said; a country abroad where
all fail is a veto, and never accuses. Others of the own country who fail are none: a national
block looks so. Who is blocked there himself is no witness at all. That the line was alive is
known from the document, or from another service or site that answered on the same network,
to the same software, within minutes (`MINUTES`).

Rows that accuse keep how it failed, which `analysis.service_rules` has named. Sources: OONI
pipeline v5 (any probe's valid handshake vouches for an address); Raman et al., NDSS 2023, for
judging a vantage point by the others.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

import ibis  # type: ignore[import-untyped]  # Ibis ships no types
from ibis import _

from analysis.probability import fitted
from analysis.rule import Rule
from analysis.service_rules import SERVICE_MECHANISMS
from analysis.services import known

Table = Any  # Ibis ships no types

WINDOW = 6 * 3600.0  # seconds in which measurements are of one time
MINUTES = 600.0  # seconds in which one probe runs its other nettests
FEWEST_NETWORKS = 3  # that reach it, besides the own
FEWEST_COUNTRIES = 2
FEWEST_FAILING = 3  # networks abroad, to call an endpoint dead

# Rules of failures that others can decide, and of those the ones that leave the line in doubt.
DOUBTS = ("service_lost_here", "service_endpoint_fails", "service_lost_with_line")
LINE_DOUBTED = "service_lost_with_line"
ENDPOINT = ["nettest", "url", "quarter"]  # what was tried, at one time

CONTRADICTED = (
    (_.reached_networks >= FEWEST_NETWORKS) & (_.reached_countries >= FEWEST_COUNTRIES)
    & (_.reached_countries > _.failing_countries)
)

WITNESS_RULES: tuple[Rule, ...] = (
    Rule(
        "service_reached_elsewhere", _.doubtful & _.line_alive & CONTRADICTED & (_.manner != ""),
        outcome="blocked",
        comment="Probes on other networks, in more than one country, reach the endpoint at that"
        " time, and in more countries than not: it is alive, and this line is.",
        source="OONI pipeline v5: a handshake of any probe's vouches",
    ),
    Rule(
        "service_dead_everywhere",
        _.doubtful & (_.reached_networks == 0) & (_.failing_networks >= FEWEST_FAILING)
        & (_.failing_countries >= FEWEST_COUNTRIES),
        outcome="down",
        comment="Nobody reaches it at that time, in several countries.",
        source="Dunna et al., FOCI 2018, for dead relays",
    ),
)  # fmt: skip


def witnessed(rows: Table) -> Table:
    """*rows* (columns of `VerdictRow`, and any others, which are kept), where rows of services
    that were left in doubt are judged by the others. The same number of rows, in no order."""
    of_service = rows.nettest.isin([*known()])
    told = applied(rows.filter(of_service), decisions(rows))
    # Sites are most of a table, and pass as they are. What an engine calls nullable differs.
    nullable = ibis.schema({name: kind.copy(nullable=True) for name, kind in rows.schema().items()})
    return rows.filter(~of_service).cast(nullable).union(told.cast(nullable))


def applied(rows: Table, decided: Table) -> Table:
    """*rows* with what was *decided* (`decisions`) of them."""
    told = rows.left_join(decided, ["measurement_id", "url"], rname="{name}_of_it")
    found = (told.decided.fill_null("") != "") & told.nettest.isin([*known()])
    accused = found & (told.decision == "blocked")
    return told.mutate(
        outcome=ibis.ifelse(found, told.decision, told.outcome),
        mechanism=ibis.ifelse(accused, told.manner, told.mechanism),
        mechanisms=ibis.ifelse(accused, told.manner, told.mechanisms),
        probability=ibis.ifelse(found, told.sure, told.probability),
        rules=ibis.ifelse(found, told.decided + "," + told.rules, told.rules),
    ).select(*rows.columns)


def undecided(rows: Table) -> Table:
    """*rows* as they were before others decided: what is left in doubt names no mechanism and
    has no probability."""
    decided = reduce(or_, (rows.rules.startswith(f"{rule.id},") for rule in WITNESS_RULES))
    return rows.mutate(
        outcome=ibis.ifelse(decided, "inconclusive", rows.outcome),
        mechanism=ibis.ifelse(decided, "", rows.mechanism),
        mechanisms=ibis.ifelse(decided, "", rows.mechanisms),
        probability=ibis.ifelse(decided, -1.0, rows.probability),
        rules=ibis.ifelse(
            decided, rows.rules.substr(rows.rules.find(",") + 1), rows.rules
        ),
    )


def decisions(rows: Table) -> Table:
    """For each row in doubt that others decide: ``measurement_id``, ``url``, by which rule
    (``decided``), what (``decision``), how it had failed (``manner``), how ``sure`` that is."""
    timed = rows.mutate(quarter=(_.measured_at / WINDOW).floor().cast("int64"))
    in_doubt = reduce(or_, (_has(timed, rule) for rule in DOUBTS))
    timed = timed.mutate(
        doubtful=(timed.outcome == "inconclusive") & in_doubt & (timed.probe_asn > 0)
    )
    doubted = timed.filter(timed.doubtful)
    doubted = doubted.select(
        "measurement_id", "url", "nettest", "quarter", "measured_at", "probe_cc", "probe_asn",
        "source", "network_type", "doubtful",
        line_doubted=_has(doubted, LINE_DOUBTED),
        manner=ibis.cases(
            *((_has(doubted, rule.id), str(rule.mechanism)) for rule in SERVICE_MECHANISMS),
            else_="",
        ),
    )
    asked = _with_votes(doubted, _votes(timed, doubted)).left_join(
        _alive(timed, doubted), ["measurement_id", "url"], rname="{name}_of_line"
    )
    asked = asked.mutate(line_alive=~asked.line_doubted | (asked.answered.fill_null(0) > 0))
    decided = asked.mutate(
        decided=ibis.cases(*((rule.when, rule.id) for rule in WITNESS_RULES), else_=""),
        decision=ibis.cases(*((r.when, str(r.outcome)) for r in WITNESS_RULES), else_=""),
    ).filter(_.decided != "")
    # A measurement that is there twice is decided once.
    once = decided.group_by("measurement_id", "url").agg(
        decided=_.decided.max(), decision=_.decision.max(), manner=_.manner.max(),
        reached=_.reached_networks.max(),
    )
    seen = once.reached.cast("float64")
    sure = ibis.least((seen + 1.0) / (seen + 2.0), ibis.literal(fitted().unseen))
    return once.mutate(sure=sure).drop("reached")


def _votes(timed: Table, doubted: Table) -> Table:
    """Of each endpoint in doubt, the networks that tried it then, and whether they reached it."""
    tried = timed.filter((_.probe_asn > 0) & ((_.outcome == "ok") | _.doubtful))
    return (
        tried.semi_join(doubted.select(*ENDPOINT).distinct(), ENDPOINT)
        .group_by(*ENDPOINT, "probe_cc", "probe_asn")
        .agg(reached=(_.outcome == "ok").any())
    )


def _with_votes(doubted: Table, votes: Table) -> Table:
    """Counts of networks and countries, of others than the row's own network.

    All are counted once, and the own taken away: a pair for each two networks would grow with
    the square of what is measured.
    """
    nation, network = [*ENDPOINT, "probe_cc"], [*ENDPOINT, "probe_cc", "probe_asn"]
    own = votes.mutate(own_reached=_.reached.cast("int64")).drop("reached")
    countries = own.group_by(*nation).agg(
        cc_reached=_.own_reached.sum(), cc_failing=(1 - _.own_reached).sum()
    )
    world = countries.group_by(*ENDPOINT).agg(
        reached=_.cc_reached.sum(),
        failing=_.cc_failing.sum(),
        countries_reached=(_.cc_reached > 0).cast("int64").sum(),
        countries_failing=(_.cc_reached == 0).cast("int64").sum(),
    )
    joined = (
        doubted.join(own, network, how="inner", rname="{name}_own")
        .join(countries, nation, how="inner", rname="{name}_cc")
        .join(world, ENDPOINT, how="inner", rname="{name}_world")
    )
    neighbours = (joined.cc_reached - joined.own_reached > 0).cast("int64")
    return joined.mutate(
        reached_networks=joined.reached - joined.own_reached,
        reached_countries=joined.countries_reached
        - (joined.cc_reached > 0).cast("int64") + neighbours,
        failing_networks=joined.failing - joined.cc_failing,
        failing_countries=joined.countries_failing - (joined.cc_reached == 0).cast("int64"),
    )


def _alive(timed: Table, doubted: Table) -> Table:
    """For rows whose line is in doubt, how many other services or sites answered beside them."""
    line = ["probe_asn", "source", "network_type", "quarter"]
    near = timed.filter((_.outcome == "ok") & (_.mechanism == "")).select(
        *line, "measured_at", "nettest"
    )
    beside = doubted.filter(_.line_doubted).join(near, line, how="inner", rname="{name}_near")
    return (
        beside.filter(
            (_.nettest != _.nettest_near)
            & ((_.measured_at - _.measured_at_near).abs() <= MINUTES)
        )
        .group_by("measurement_id", "url")
        .agg(answered=_.count())
    )


def _has(table: Table, rule: str) -> Any:
    return ("," + table.rules + ",").contains(f",{rule},")
