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

Table = Any  # Ibis ships no types

WINDOW = 6 * 3600.0  # seconds in which measurements are of one time
MINUTES = 600.0  # seconds in which one probe runs its other nettests
FEWEST_NETWORKS = 3  # that reach it, besides the own
FEWEST_COUNTRIES = 2
FEWEST_FAILING = 3  # networks abroad, to call an endpoint dead

# Rules of failures that others can decide, and of those the ones that leave the line in doubt.
DOUBTS = ("service_lost_here", "service_endpoint_fails", "service_lost_with_line")
LINE_DOUBTED = "service_lost_with_line"

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
    columns = rows.columns
    asked = _asked(rows)
    cases = [(rule.when, rule.outcome, rule.id) for rule in WITNESS_RULES]
    outcome = ibis.cases(*((when, said) for when, said, _id in cases), else_=asked.outcome)
    asked = asked.mutate(
        decided=ibis.cases(*((when, id) for when, _said, id in cases), else_="")
    ).mutate(told=outcome)
    accused = _.decided == WITNESS_RULES[0].id
    cases_seen = _.reached_networks.cast("float64")
    sure = ibis.least((cases_seen + 1.0) / (cases_seen + 2.0), ibis.literal(fitted().unseen))
    return asked.mutate(
        outcome=_.told,
        mechanism=ibis.ifelse(accused, _.manner, _.mechanism),
        mechanisms=ibis.ifelse(accused, _.manner, _.mechanisms),
        probability=ibis.ifelse(_.decided != "", sure, _.probability),
        rules=ibis.ifelse(_.decided != "", _.decided + "," + _.rules, _.rules),
    ).select(*columns)


def _asked(rows: Table) -> Table:
    """*rows*, each with what others say of its endpoint at that time."""
    timed = rows.mutate(window=(_.measured_at / WINDOW).floor().cast("int64"))
    doubted = reduce(or_, (_has(timed, rule) for rule in DOUBTS))
    timed = timed.mutate(
        doubtful=(timed.outcome == "inconclusive") & doubted,
        line_doubted=_has(timed, LINE_DOUBTED),
        manner=ibis.cases(
            *((_has(timed, rule.id), str(rule.mechanism)) for rule in SERVICE_MECHANISMS), else_=""
        ),
    )
    asked_about = timed.filter(_.doubtful).select("nettest", "url", "window").distinct()
    votes = (
        timed.semi_join(asked_about, ["nettest", "url", "window"])
        .filter((_.probe_asn > 0) & ((_.outcome == "ok") | _.doubtful))
        .group_by("nettest", "url", "window", "probe_cc", "probe_asn")
        .agg(reached=(_.outcome == "ok").any())
    )
    return _with_votes(timed, votes).join(
        _alive(timed), ["measurement_id", "url"], how="left", rname="{name}_of_line"
    ).mutate(line_alive=~_.line_doubted | _.answered.fill_null(0).cast("int64").__gt__(0))


def _with_votes(timed: Table, votes: Table) -> Table:
    """Counts of networks and countries, of others than the row's own."""
    key = ["nettest", "url", "window"]
    doubtful = timed.filter(_.doubtful).select(*key, "probe_cc", "probe_asn").distinct()
    networks = (
        doubtful.join(votes, key, how="inner", rname="{name}_other")
        .filter(_.probe_asn != _.probe_asn_other)
        .group_by(*key, "probe_cc", "probe_asn")
        .agg(
            reached_networks=_.reached.cast("int64").sum(),
            reached_countries=_.probe_cc_other.nunique(where=_.reached),
            failing_networks=(
                (~_.reached & (_.probe_cc != _.probe_cc_other)).cast("int64").sum()
            ),
        )
    )
    by_country = votes.group_by(*key, "probe_cc").agg(reached=_.reached.any())
    countries = (
        doubtful.join(by_country, key, how="inner", rname="{name}_other")
        .filter(~_.reached & (_.probe_cc != _.probe_cc_other))
        .group_by(*key, "probe_cc", "probe_asn")
        .agg(failing_countries=_.count())
    )
    at = [*key, "probe_cc", "probe_asn"]
    joined = timed.left_join(networks, at, rname="{name}_n").left_join(
        countries, at, rname="{name}_c"
    )
    names = ("reached_networks", "reached_countries", "failing_networks", "failing_countries")
    return joined.mutate(**{name: joined[name].fill_null(0) for name in names})


def _alive(timed: Table) -> Table:
    """For each row whose line is in doubt, other services or sites that answered beside it."""
    doubted = timed.filter(_.doubtful & _.line_doubted & (_.probe_asn > 0)).select(
        "measurement_id", "url", "measured_at", "probe_asn", "source", "network_type", "nettest",
    )
    near = timed.filter((_.outcome == "ok") & (_.mechanism == "")).select(
        "measured_at", "probe_asn", "source", "network_type", "nettest", "window"
    )
    doubted = doubted.mutate(window=(_.measured_at / WINDOW).floor().cast("int64"))
    beside = doubted.join(
        near, ["probe_asn", "source", "network_type", "window"], how="inner", rname="{name}_near"
    ).filter(
        (_.nettest != _.nettest_near)
        & ((_.measured_at - _.measured_at_near).abs() <= MINUTES)
    )  # fmt: skip
    return beside.group_by("measurement_id", "url").agg(answered=_.count())


def _has(table: Table, rule: str) -> Any:
    return ("," + table.rules + ",").contains(f",{rule},")
