"""What happens in the months and is no interference with a target: attacks, deaths, cuts.

Same form as `lab.months.script`. These are what blocking is to be told from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lab.months.stage import HOUR, Happening, Stage
from lab.months.truth import ALWAYS, Effect, TrueEvent


def registry(stage: Stage, at: float) -> Happening:
    """E12: the name leaves the registry; caches forget it within hours, everywhere."""
    number, targets = stage.number(), stage.pick(1)
    effects = [
        Effect(event=number, shape="down:name", targets=targets, asns=(asn,),
               start=at + stage.lasts(0, 4) * HOUR)
        for asn in stage.map.asns()
    ]  # fmt: skip
    effects.append(Effect(event=number, shape="down:name", targets=targets, start=at, home=False,
                          abroad=True))  # fmt: skip
    event = TrueEvent(number=number, story="removed from the registry", kind="registry",
                      scope="global", targets=stage.hosts(targets), onset=at)  # fmt: skip
    return [event], effects


def ddos(stage: Stage, at: float) -> Happening:
    """E15: what one hoster hosts is down for everybody, most of the time, for hours."""
    number = stage.number()
    first = stage.pick(1)
    hoster = stage.targets[first[0]].hoster if first else 0
    targets = tuple(sorted({*first, *stage.pick(2, lambda t: t.hoster == hoster)}))
    end = at + stage.lasts(5, 40) * HOUR
    effects = [
        Effect(event=number, shape=str(stage.rng.choice(["down:silence", "down:server"])),
               targets=targets, start=at, end=end, abroad=True, share=0.85)
    ]  # fmt: skip
    event = TrueEvent(number=number, story="attacked", kind="ddos", scope="global",
                      targets=stage.hosts(targets), onset=at, lift=end, share=0.85)  # fmt: skip
    return [event], effects


def site_death(stage: Stage, at: float) -> Happening:
    number, targets = stage.number(), stage.pick(1)
    effects = [Effect(event=number, shape="down:silence", targets=targets, start=at, abroad=True)]
    event = TrueEvent(number=number, story="site gone for good", kind="site_death",
                      scope="global", targets=stage.hosts(targets), onset=at)  # fmt: skip
    return [event], effects


def geofence(stage: Stage, at: float) -> Happening:
    """A site comes to refuse visitors of the country."""
    number, targets = stage.number(), stage.pick(1, lambda t: not t.domestic and not t.clear)
    effects = [Effect(event=number, shape="server_side:refuses", targets=targets, start=at)]
    event = TrueEvent(number=number, story="site refuses the country", kind="geofence",
                      scope="national", targets=stage.hosts(targets), onset=at)  # fmt: skip
    return [event], effects


def inbound_geofence(stage: Stage, at: float) -> Happening:
    """E36: what is hosted at home cannot be reached from abroad, for days."""
    number, targets = stage.number(), stage.pick(4, lambda t: t.domestic)
    end = at + stage.lasts(30, 62) * HOUR
    effects = [
        Effect(event=number, shape="down:silence", targets=targets, start=at, end=end, home=False,
               abroad=True)
    ]  # fmt: skip
    event = TrueEvent(number=number, story="home closed to the world", kind="geofence",
                      scope="global", targets=stage.hosts(targets), onset=at, lift=end)  # fmt: skip
    return [event], effects


def shutdown(stage: Stage, at: float) -> Happening:
    """E21: what is abroad is gone on nearly all networks, what is at home works. A part of the
    volunteers can measure nothing at all."""
    number, end = stage.number(), at + stage.lasts(8, 40) * HOUR
    asns = tuple(h.asn for h in stage.map.homes if h.kind != "academic")
    effects = [
        Effect(event=number, shape="inconclusive:shutdown", start=at, end=end, asns=asns,
               hosted="abroad"),
        Effect(event=number, shape="ok:shutdown", start=at, end=end, asns=asns, hosted="home"),
        Effect(event=number, drop=True, start=at, end=end, asns=asns, share=0.3),
    ]
    hosts = tuple(t.host for t in stage.targets if not t.domestic)
    event = TrueEvent(number=number, story="shutdown", kind="shutdown", scope="national",
                      targets=hosts, networks=asns, onset=at, lift=end)  # fmt: skip
    return [event], effects


def outage(stage: Stage, at: float) -> Happening:
    """One network's line is gone: some volunteers write it down, others are silent."""
    number, end = stage.number(), at + stage.lasts(4, 14) * HOUR
    asn = int(stage.rng.choice(stage.crowded or stage.watched))
    effects = [
        Effect(event=number, shape="local_fault:beyond", start=at, end=end, asns=(asn,)),
        Effect(event=number, drop=True, start=at, end=end, asns=(asn,), share=0.4),
    ]
    event = TrueEvent(number=number, story="network outage", kind="outage", scope="network",
                      targets=(), networks=(asn,), onset=at, lift=end)  # fmt: skip
    return [event], effects


def since_before(stage: Stage, at: float) -> Happening:
    """Blocked before anybody looked, by everybody: real, and nobody can say since when."""
    number, effects = stage.number(), []
    targets = stage.pick(3)
    for home in stage.map.homes:
        effects.append(
            Effect(event=number, shape=home.https[0], shape_clear=home.http[0], targets=targets,
                   asns=(home.asn,), start=stage.begin - 1e7, end=ALWAYS,
                   resolvers=(home.asn,) if home.https[0].startswith("dns.") else ())
        )  # fmt: skip
    event = TrueEvent(number=number, story="since before the data", kind="blocking",
                      scope="national", targets=stage.hosts(targets), networks=stage.map.asns(),
                      onset=stage.begin - 1e7, counted=False)  # fmt: skip
    return [event], effects


SURROUNDINGS: Mapping[str, Callable[[Stage, float], Happening]] = {
    f.__name__: f
    for f in (registry, ddos, site_death, geofence, inbound_geofence, shutdown, outage)
}
