"""The cells of the matrix of blocks: every combination that makes sense, and its truth.

What a cell expects follows from what its censor does, so nothing is written down twice.
The censor is at the wires that are *hop* hops away from home; at the fourth, which the
controls pass as well, it is about the household alone. Their worlds are made in
`lab.worlds.matrix`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lab.world import Truth, Wire
from lab.worlds.plan import truly

HOPS: dict[int, tuple[Wire, ...]] = {
    1: (Wire.LINE,),
    2: (Wire.UPLINK_1, Wire.UPLINK_2),
    3: (Wire.BORDER_1, Wire.BORDER_2),
    4: (Wire.HOSTING, Wire.TRANSIT),  # sites and public resolvers
}

Layer = Literal["dns", "ip", "sni", "host", "quic", "throttle"]
Position = Literal["in-path", "on-path"]
BOTH: tuple[Position, ...] = ("in-path", "on-path")
IN_PATH: tuple[Position, ...] = ("in-path",)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One combination.

    *port_agnostic*: the censor reads the name, or means the address, on every port;
    else on the port of the layer alone. *residual*: a trigger is punished for some
    seconds; in the path by dropping, beside it by refusing.
    """

    layer: Layer
    action: str
    position: Position
    hop: int
    port_agnostic: bool = False
    residual: bool = False

    @property
    def name(self) -> str:
        more = "-any-port" * self.port_agnostic + "-residual" * self.residual
        return f"matrix/{self.layer}-{self.action}-{self.position}-hop{self.hop}{more}"


# What makes sense: a packet can only be kept back by who is in the path, and an address
# is known before anything has been said.
ACTIONS: dict[Layer, dict[str, tuple[Position, ...]]] = {
    "dns": {"forged": BOTH, "nxdomain": BOTH, "drop": IN_PATH},
    "ip": {
        "drop": IN_PATH, "refuse": BOTH, "reset": BOTH, "unreachable": IN_PATH, "forged": IN_PATH,
    },
    "sni": {
        "drop": IN_PATH, "reset-both-ways": BOTH, "reset-one-way": BOTH, "fin": BOTH,
        "alert": BOTH, "forged": IN_PATH,
    },
    "host": {
        "drop": IN_PATH, "reset-both-ways": BOTH, "reset-one-way": BOTH, "fin": BOTH,
        "redirect": BOTH, "page": BOTH,
    },
    "quic": {"drop": IN_PATH, "close": BOTH, "negotiate": IN_PATH},
    "throttle": {
        "name-shaped": IN_PATH, "name-policed": IN_PATH, "name-delayed": IN_PATH,
        "address-shaped": IN_PATH, "address-delayed": IN_PATH,
    },
}  # fmt: skip
# Which of them are also tried on all ports, and with a residue.
ANY_PORT: dict[Layer, tuple[str, ...]] = {
    "ip": ("drop", "refuse"), "sni": ("drop", "reset-one-way"), "host": ("reset-one-way", "page"),
}  # fmt: skip
RESIDUAL: dict[Layer, tuple[str, ...]] = {
    "sni": ("drop", "reset-one-way"), "host": ("reset-both-ways", "redirect"),
}  # fmt: skip


def cells() -> Iterator[Cell]:
    """All of them, in an order that stays."""
    for layer, actions in ACTIONS.items():
        for (action, positions), hop in itertools.product(actions.items(), HOPS):
            for position in positions:
                make = functools.partial(
                    Cell, layer=layer, action=action, position=position, hop=hop
                )
                yield make()
                if action in ANY_PORT.get(layer, ()):
                    yield make(port_agnostic=True)
                if action in RESIDUAL.get(layer, ()):
                    yield make(residual=True)


_MECHANISM = {
    "dns-drop": ("dns.silence",),
    # Own resolvers behind the injector believe it; in the path it looks like their own lie.
    "dns-forged": ("dns.injected", "dns.injected|dns.substituted"),
    "dns-nxdomain": ("dns.injected", "dns.injected|dns.nxdomain"),
    "ip-drop": ("tcp.silence",), "ip-refuse": ("tcp.refused",), "ip-reset": ("tcp.reset",),
    "ip-unreachable": ("tcp.unreachable",), "ip-forged": ("tls.forged",),
    "sni-drop": ("tls.silence",), "sni-reset-both-ways": ("tls.reset",),
    "sni-reset-one-way": ("tls.reset",), "sni-fin": ("tls.closed",), "sni-alert": ("tls.alert",),
    "sni-forged": ("tls.forged",),
    "host-drop": ("http.silence",), "host-reset-both-ways": ("http.reset",),
    "host-reset-one-way": ("http.reset",), "host-fin": ("http.closed",),
    "host-redirect": ("http.redirect", "http.redirect|http.blockpage"),
    "host-page": ("http.blockpage",),
    "quic-drop": ("quic.silence",), "quic-close": ("quic.closed",),
    "quic-negotiate": ("quic.closed",),
}  # fmt: skip


def truth_of(cell: Cell) -> Truth:
    """What is so where the censor is as *cell* says."""
    if cell.layer == "throttle":  # nothing fails, so no packet tells where
        return truly("ok", "throttled", trigger=cell.action.partition("-")[0])
    trigger = "name"
    if cell.layer == "ip":
        trigger = "address" if cell.port_agnostic else "address|port"
    return truly(
        "ok" if cell.layer == "quic" else "blocked",  # the page comes over TCP
        *_MECHANISM[f"{cell.layer}-{cell.action}"],
        trigger=trigger,
        hop=cell.hop,
        position=cell.position,
        residual=cell.residual if cell.layer in ("sni", "host") else None,
    )
