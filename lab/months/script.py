"""What happens in the months: one function for each kind of thing that is documented.

Each takes the `Stage` and a moment and returns what truly happened with the effects it has on
measurements. Lags, mechanisms and hours are those of the documented events (E05 ... E39 of the
dossier on Belarus): a list reaches operators over hours to days, a gateway cuts all its
customers at once, a name leaves the registry for everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lab.months.networks import BELTELECOM, NTEC, Home
from lab.months.stage import DAY, HOUR, Happening, Stage, effect_of, lone, style_of, told
from lab.months.truth import ALWAYS, Effect

SCHOOL = tuple(range(5, 12))  # 8 to 15 o'clock in Minsk
RESET = ("tls.reset", "http.reset")
MARCHES = tuple(range(12, 19))  # 15 to 22 o'clock


def list_block(
    stage: Stage, at: float, *, many: int = 1, lasting: float = ALWAYS, story: str = "list_block",
    homes: Sequence[Home] | None = None, scope: str = "national", mean_lag: float = 14.0,
    targets: tuple[int, ...] | None = None, lift_lag: float = 8.0,
) -> Happening:  # fmt: skip
    """A decision goes on the list, and each operator follows in its own time and way."""
    number, effects = stage.number(), []
    targets = stage.pick(many) if targets is None else targets
    lags: dict[str, tuple[float, float]] = {}
    follows: dict[str, bool] = {}
    for home in stage.map.homes if homes is None else homes:
        lags.setdefault(
            home.operator,
            (min(stage.rng.exponential(mean_lag), 72.0), min(stage.rng.exponential(lift_lag), 96)),
        )
        follows.setdefault(home.operator, homes is not None or stage.rng.random() > 0.1)
        if follows[home.operator]:
            on, off = lags[home.operator]
            end = at + lasting + off * HOUR
            effects.append(effect_of(number, home, targets, at + on * HOUR, end, style_of(home)))
    return [told(stage, story, scope, effects)], effects


def batch(stage: Stage, at: float) -> Happening:
    return list_block(stage, at, many=int(stage.rng.integers(3, 7)), story="list_block of several")


def lifted_list_block(stage: Stage, at: float) -> Happening:
    """E14: blocked by all within days, and lifted one after another."""
    return list_block(stage, at, lasting=stage.lasts(6, 14) * DAY, lift_lag=30.0,
                      story="list_block, lifted over days")  # fmt: skip


def network_block(stage: Stage, at: float) -> Happening:
    home = stage.map.home(stage.one_of(lone(stage)))
    lasting = ALWAYS if stage.rng.random() < 0.5 else stage.lasts(2, 20) * DAY
    return list_block(stage, at, homes=[home], scope="network", mean_lag=0.01, lasting=lasting,
                      story="one network")  # fmt: skip


def operator_block(stage: Stage, at: float) -> Happening:
    homes = [stage.map.home(a) for a in stage.map.of("A1")]
    lasting = stage.lasts(10, 40) * DAY
    return list_block(stage, at, homes=homes, scope="operator", mean_lag=0.5, lasting=lasting,
                      story="one operator's networks")  # fmt: skip


def reblock(stage: Stage, at: float) -> Happening:
    """Blocked, lifted, and weeks later blocked again: two decisions, two events."""
    home = stage.map.home(stage.one_of(lone(stage)))
    first, effects = list_block(
        stage, at, homes=[home], scope="network", mean_lag=0.01, lasting=4 * DAY,
        lift_lag=0.1, story="blocked, lifted, blocked again",
    )  # fmt: skip
    again = stage.lasts(14, 20) * DAY
    target = effects[0].targets
    second, more = list_block(
        stage, at + again, homes=[home], scope="network", mean_lag=0.01, targets=target,
        story="blocked, lifted, blocked again",
    )  # fmt: skip
    return first + second, effects + more


def gateway_block(stage: Stage, at: float) -> Happening:
    """E10: a gateway drops the address; all its customers lose it in the same minute."""
    number, targets = stage.number(), stage.pick(1, lambda t: not t.domestic)
    gateway = BELTELECOM if stage.rng.random() < 0.6 else NTEC
    end = at + stage.lasts(1, 12) * DAY
    effects = [
        Effect(event=number, shape="tcp.silence", targets=targets, start=at, end=end,
               asns=stage.map.behind(gateway))
    ]  # fmt: skip
    return [told(stage, "gateway", "gateway", effects)], effects


def spill_over(stage: Stage, at: float) -> Happening:
    """E08, E09: a Russian carrier's filter on the way of one gateway's customers."""
    number, targets = stage.number(), stage.pick(2, lambda t: not t.domestic)
    end = at + stage.lasts(10, 60) * HOUR
    effects = [
        Effect(event=number, shape="tls.silence", shape_clear="http.blockpage:F16",
               targets=targets, start=at, end=end, asns=stage.map.behind(NTEC))
    ]  # fmt: skip
    return [told(stage, "transit spill-over", "gateway", effects)], effects


def partial_block(stage: Stage, at: float) -> Happening:
    """Four of a site's six addresses are dropped by one network."""
    number, targets = stage.number(), stage.pick(1, lambda t: len(t.ips) >= 6)
    home = stage.map.home(stage.one_of(lone(stage)))
    effects = [
        Effect(event=number, shape="tcp.silence", targets=targets, start=at,
               end=at + stage.lasts(8, 30) * DAY, asns=(home.asn,), addresses=(0, 1, 2, 3))
    ]  # fmt: skip
    return [told(stage, "some addresses", "network", effects, share=4 / 6)], effects


def leaky_block(stage: Stage, at: float) -> Happening:
    """60 % of the measurements meet it: one of several boxes on the way has the rule."""
    number, targets = stage.number(), stage.pick(1)
    home = stage.map.home(stage.one_of(lone(stage)))
    effects = [
        effect_of(number, home, targets, at, at + stage.lasts(10, 30) * DAY, RESET, share=0.6)
    ]  # fmt: skip
    return [told(stage, "some measurements", "network", effects, share=0.6)], effects


def shift(stage: Stage, at: float) -> Happening:
    """E20: connections time out first; days later comes the block page, or the reset."""
    number, targets = stage.number(), stage.pick(1)
    effects, turn = [], at + stage.lasts(2, 5) * DAY
    for home in stage.map.homes:
        if home.kind == "academic":
            continue
        on = at + min(stage.rng.exponential(6.0), 30.0) * HOUR
        then = turn + stage.rng.exponential(5.0) * HOUR
        effects.append(effect_of(number, home, targets, on, then, ("tcp.silence", "tcp.silence")))
        effects.append(effect_of(number, home, targets, then, ALWAYS, style_of(home)))
    return [told(stage, "mechanism shift", "national", effects)], effects


def resolver_block(stage: Stage, at: float) -> Happening:
    """A resolver denies the name to whoever asks it, wherever they are."""
    number, targets = stage.number(), stage.pick(1)
    effects = [
        Effect(event=number, shape="dns.nxdomain", targets=targets, start=at,
               end=at + stage.lasts(10, 40) * DAY, resolvers=(BELTELECOM,), asns=stage.map.asns())
    ]  # fmt: skip
    return [told(stage, "a resolver", "resolver", effects)], effects


def mobile_block(stage: Stage, at: float) -> Happening:
    """Mobile networks block, the same operators' fixed lines do not."""
    number, targets = stage.number(), stage.pick(1)
    end = at + stage.lasts(5, 20) * DAY
    effects = [
        effect_of(number, h, targets, at + stage.lasts(0, 3) * HOUR, end, RESET,
                network_type="mobile")
        for h in stage.map.homes if h.kind in ("mobile", "both")
    ]  # fmt: skip
    return [told(stage, "mobile only", "mobile", effects)], effects


def regional_block(stage: Stage, at: float) -> Happening:
    """A network blocks in one region, and in others it does not."""
    number, targets = stage.number(), stage.pick(1)
    known = {(p.asn, p.region) for p in stage.people if p.region}
    often = {(p.asn, p.region) for each in stage.hourly.values() for p in each}
    several = sorted((a, r) for a, r in known if any(b == a and q != r for b, q in known))
    many = [place for place in several if place in often] or several
    asn, region = many[int(stage.rng.integers(len(many)))] if many else (BELTELECOM, "Minsk")
    effects = [
        effect_of(number, stage.map.home(asn), targets, at, at + stage.lasts(5, 20) * DAY,
                RESET, region=region)
    ]  # fmt: skip
    return [told(stage, "one region", "regional", effects)], effects


def school_hours(stage: Stage, at: float) -> Happening:
    """Networks of education block on weekdays, while there is school."""
    number, targets = stage.number(), stage.pick(1)
    homes = [h for h in stage.map.homes if h.kind == "academic" and h.asn in stage.watched]
    homes = homes or [h for h in stage.map.homes if h.kind == "academic"] or [stage.map.homes[0]]
    end = at + stage.lasts(20, 40) * DAY
    effects = [
        effect_of(number, h, targets, at, end, ("dns.refused", "dns.refused"), hours=SCHOOL,
                weekdays=(0, 1, 2, 3, 4))
        for h in homes
    ]  # fmt: skip
    scope = "group" if len(homes) > 1 else "network"
    return [told(stage, "school hours", scope, effects)], effects


def throttle(stage: Stage, at: float) -> Happening:
    """E23: mobile data is slowed on Sundays from the afternoon on, week after week."""
    number, targets = stage.number(), stage.pick(2, lambda t: not t.clear)
    end = at + 28 * DAY
    effects = [
        Effect(event=number, shape="ok:throttled", targets=targets, start=at, end=end,
               asns=(h.asn,), network_type="mobile", hours=MARCHES, weekdays=(5, 6), share=0.85)
        for h in stage.map.homes if h.kind in ("mobile", "both")
    ]  # fmt: skip
    event = told(stage, "throttled on weekends", "mobile", effects, kind="throttling")
    return [event], effects


def throttle_network(stage: Stage, at: float) -> Happening:
    """E24: one network shapes the traffic of one service."""
    number, targets = stage.number(), stage.pick(1, lambda t: not t.clear)
    effects = [
        Effect(event=number, shape="ok:throttled", targets=targets, start=at, share=0.8,
               end=at + stage.lasts(10, 40) * DAY, asns=(stage.one_of(lone(stage)),))
    ]
    event = told(stage, "throttled by one network", "network", effects, kind="throttling")
    return [event], effects


STORIES: Mapping[str, Callable[[Stage, float], Happening]] = {
    f.__name__: f
    for f in (
        list_block, batch, lifted_list_block, network_block, operator_block, reblock,
        gateway_block, spill_over, partial_block, leaky_block, shift, resolver_block,
        mobile_block, regional_block, school_hours, throttle, throttle_network,
    )
}  # fmt: skip
