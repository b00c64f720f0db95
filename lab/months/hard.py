"""What is hard to understand: overlaps, onsets that nobody saw, faults that look like blocks.

Same form as `lab.months.script`. The second half are innocent: nobody interferes, and our own
rules, which see one measurement at a time, accuse all the same. Their events are not counted,
and an accusation of them is false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lab.months.networks import BELTELECOM
from lab.months.script import RESET, list_block
from lab.months.stage import DAY, HOUR, Happening, Stage, effect_of, lone, told
from lab.months.truth import ALWAYS, Effect, TrueEvent


def overlap(stage: Stage, at: float) -> Happening:
    """A gateway drops, for some days, a site that one of its customers blocks already."""
    behind = stage.map.behind(BELTELECOM)
    home = stage.map.home(stage.one_of([a for a in behind if len(stage.map.of(
        stage.map.home(a).operator)) == 1]))  # fmt: skip
    number, targets = stage.number(), stage.pick(1, lambda t: not t.clear)
    inner = [effect_of(number, home, targets, at, ALWAYS, RESET)]
    first = told(stage, "one network, then its gateway", "network", inner)
    number, start = stage.number(), at + stage.lasts(4, 7) * DAY
    outer = [
        Effect(event=number, shape="tcp.silence", targets=targets, start=start,
               end=start + stage.lasts(3, 5) * DAY, asns=behind)
    ]  # fmt: skip
    second = told(stage, "one network, then its gateway", "gateway", outer)
    return [first, second], inner + outer


def same_day(stage: Stage, at: float) -> Happening:
    """Two networks block different sites within two hours, and have nothing to do with it."""
    events, effects = [], []
    for start, asn in zip((at, at + 2 * HOUR), stage.rng.permutation(lone(stage)), strict=False):
        number, targets = stage.number(), stage.pick(1)
        home = stage.map.home(int(asn))
        one = [effect_of(number, home, targets, start, start + stage.lasts(5, 25) * DAY,
                         (home.https[0], home.http[0]))]  # fmt: skip
        events.append(told(stage, "two decisions on one day", "network", one))
        effects += one
    return events, effects


def in_outage(stage: Stage, at: float) -> Happening:
    """A block that begins while the network is down: nobody saw it begin."""
    home = stage.map.home(stage.one_of([a for a in lone(stage) if a in stage.crowded]))
    number, end = stage.number(), at + 12 * HOUR
    dark = [Effect(event=number, shape="local_fault:beyond", start=at, end=end, asns=(home.asn,))]
    story = "a block that begins in an outage"
    down = TrueEvent(number=number, story=story, kind="outage", scope="network", targets=(),
                     networks=(home.asn,), onset=at, lift=end)  # fmt: skip
    number, targets = stage.number(), stage.pick(1)
    block = [effect_of(number, home, targets, at + 5 * HOUR, ALWAYS, (home.https[0], home.http[0]))]
    return [down, told(stage, story, "network", block)], dark + block


def night_test(stage: Stage, at: float) -> Happening:
    """E35: five services are gone on all networks for 90 minutes of a night."""
    number, targets = stage.number(), stage.pick(5)
    start = (at // DAY) * DAY + 22.5 * HOUR
    effects = [
        Effect(event=number, shape="tls.silence", shape_clear="http.silence", targets=targets,
               start=start, end=start + 1.5 * HOUR, asns=stage.map.asns())
    ]  # fmt: skip
    return [told(stage, "90 minutes of a night", "national", effects)], effects


def few_see(stage: Stage, at: float) -> Happening:
    """A block on a network that nobody measures hourly."""
    others = [p.asn for p in stage.people if p.asn not in stage.watched and p.habit != "weekly"]
    home = stage.map.home(others[0] if others else stage.one_of(lone(stage)))
    return list_block(stage, at, homes=[home], scope="network", mean_lag=0.01,
                      lasting=stage.lasts(20, 30) * DAY, story="few look")  # fmt: skip


def seldom(stage: Stage, at: float) -> Happening:
    """A quarter of the measurements meet it."""
    number, targets = stage.number(), stage.pick(1)
    home = stage.map.home(stage.one_of(lone(stage)))
    effects = [
        effect_of(number, home, targets, at, at + stage.lasts(15, 30) * DAY, RESET, share=0.25)
    ]
    return [told(stage, "a quarter of the time", "network", effects, share=0.25)], effects


def long_silence(stage: Stage, at: float) -> Happening:
    """In the middle of a block nobody on that network measures for twelve days: one block."""
    home = stage.map.home(stage.one_of(lone(stage)))
    events, effects = list_block(stage, at, homes=[home], scope="network", mean_lag=0.01,
                                 story="twelve days of silence in a block")  # fmt: skip
    quiet = Effect(event=-1, drop=True, asns=(home.asn,), start=at + 5 * DAY, end=at + 17 * DAY)
    return events, [*effects, quiet]


def unlisted(stage: Stage, at: float) -> Happening:
    """A blocked site is taken off the list: that is no lift."""
    events, effects = list_block(stage, at, story="taken off the list while blocked")
    gone = Effect(event=-1, drop=True, abroad=True, targets=effects[0].targets, start=at + 8 * DAY)
    return events, [*effects, gone]


def household_filter(stage: Stage, at: float) -> Happening:
    """One volunteer's router filters three sites; a neighbour on that network, of the same kind
    of access, gets them. Where there is no such neighbour nobody could tell, and nothing
    happens."""
    hourly = [probe for each in stage.hourly.values() for probe in each]
    beside = [
        p for p in hourly
        if any(q is not p and (q.asn, q.network_type) == (p.asn, p.network_type) for q in hourly)
    ]  # fmt: skip
    if not beside:
        return [], []
    probe = beside[int(stage.rng.integers(len(beside)))]
    return _innocent(
        stage, "a filter of one household", at, ALWAYS, many=3, shape="tls.reset",
        shape_clear="http.reset", asns=(probe.asn,), probes=(probe.id,),
    )  # fmt: skip


def lost_route(stage: Stage, at: float) -> Happening:
    """One network loses its way to a hoster for some hours: four of its sites are silent."""
    asn = stage.one_of(lone(stage))
    return _innocent(
        stage, "a route to one hoster lost", at, at + stage.lasts(2, 8) * HOUR, many=4,
        shape="tcp.silence", asns=(asn,),
    )  # fmt: skip


def broken_signature(stage: Stage, at: float) -> Happening:
    """A site breaks its DNSSEC: resolvers that check it fail, at home and abroad."""
    checking = tuple(h.asn for h in stage.map.homes[::3])
    return _innocent(
        stage, "a broken DNSSEC signature", at, at + stage.lasts(10, 30) * HOUR, many=1,
        shape="dns.servfail", asns=checking, resolvers=checking, abroad=True, share=0.9,
    )  # fmt: skip


def dropped_by_site(stage: Stage, at: float) -> Happening:
    """A site stops answering the country's addresses, on all its networks in the same minute."""
    return _innocent(stage, "a site drops the country", at, ALWAYS, many=1, shape="tcp.silence",
                     asns=stage.map.asns())  # fmt: skip


def _innocent(
    stage: Stage, story: str, at: float, end: float, *, many: int, **more: object
) -> Happening:
    number, targets = stage.number(), stage.pick(many)
    effects = [Effect(event=number, targets=targets, start=at, end=end, **more)]  # type: ignore[arg-type]
    event = TrueEvent(number=number, story=story, kind="outage", scope="network",
                      targets=stage.hosts(targets), onset=at, lift=end, counted=False,
                      networks=effects[0].asns)  # fmt: skip
    return [event], effects


HARD: Mapping[str, Callable[[Stage, float], Happening]] = {
    f.__name__: f
    for f in (
        overlap, same_day, in_outage, night_test, few_see, seldom, long_silence, unlisted,
        household_filter, lost_route, broken_signature, dropped_by_site,
    )
}  # fmt: skip
