"""What the interference minds: the first rule that fires says it."""

from __future__ import annotations

from ibis import _  # type: ignore[import-untyped]  # Ibis ships no types

from analysis.rule import Rule
from analysis.rules.conditions import (
    NAMED,
    REACHED,
    SLOWED_BY_NAME,
    SLOWED_ON_THE_WAY,
    met,
)

TRIGGERS: tuple[Rule, ...] = (
    Rule(
        "trigger_quic_itself",
        ((_.followed == "quic") | ((_.followed == "") & REACHED)) & met("quic", "silence")
        & (_.quic_elsewhere == "lost") & (_.harmless_here != "free"),
        trigger="protocol",
        comment="QUIC to no site gets through from here, and does for controls to several.",
        source="networks that drop UDP to port 443",
    ),
    Rule(
        "trigger_any_name_elsewhere",
        (_.harmless_elsewhere == "same") & (_.harmless_here == "same") & (_.followed != "quic"),
        trigger="protocol",
        comment="A harmless name at a place that has nothing to do with the target meets the"
        " same end: it is not about the target.",
        source="SNI-agnostic TLS filtering of August 2020",
    ),
    Rule(
        "trigger_hello",
        (_.harmless_here == "same") & (_.other_hello == "free"), trigger="protocol",
        comment="Any name meets the same end, and the same name in another program's hello does"
        " not.",
        source="rung other_hello",
    ),
    Rule(
        "trigger_query_name",
        (_.followed == "dns") & ((_.harmless_here == "free") | (_.bare_dns == "same")),
        trigger="name",
        comment="The resolver, or whoever answers for it, is truthful about other names.",
        source="rung harmless_dns, bare_dns",
    ),
    Rule(
        "trigger_name_anywhere", NAMED, trigger="name",
        comment="The name meets its end where the accused address plays no part.",
        source="rung elsewhere; Quack (USENIX Security 2018)",
    ),
    Rule(
        "trigger_name_here", (_.harmless_here == "free") & (_.again_same >= 2), trigger="name",
        comment="A harmless name passes at the same address and port.",
        source="rung harmless; OONI's sni_blocking",
    ),
    Rule(
        "trigger_port",
        (_.followed == "tcp") & _.other_port.isin(["free", "mixed"]), trigger="port",
        comment="Other ports of the address answer.",
        source="rung other_port",
    ),
    Rule(
        "trigger_address",
        (_.followed == "tcp") & (_.other_port == "same"), trigger="address",
        comment="No port of the address answers, which do for controls.",
        source="rung other_port",
    ),
    Rule(
        "trigger_port_of_address",
        (_.harmless_here == "same") & (_.harmless_other_port == "free"), trigger="port",
        comment="Whatever is said on this port of the address meets the same end, and on another"
        " port it does not.",
        source="rung harmless, name_on_other_port",
    ),
    Rule(
        "trigger_address_whatever_said",
        (_.harmless_here == "same") & (_.elsewhere == "free"), trigger="address",
        comment="Whatever is said at the address meets the same end, and elsewhere it does not.",
        source="rung harmless, elsewhere",
    ),
    Rule(
        "trigger_slow_name", SLOWED_BY_NAME, trigger="name",
        comment="The same page from the same address is fast without its name in the clear.",
        source="rung speed; Xue et al., IMC 2021",
    ),
    Rule(
        "trigger_slow_address", SLOWED_ON_THE_WAY & (_.speed_unnamed == "slow"),
        trigger="address", comment="Whatever is said there, what comes from the address is slow.",
        source="rung speed; H19",
    ),
)
