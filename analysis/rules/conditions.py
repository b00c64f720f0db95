"""Conditions that several rules share, each under a name of its own."""

from __future__ import annotations

from ibis import _  # type: ignore[import-untyped]  # Ibis ships no types
from ibis.common.deferred import Deferred  # type: ignore[import-untyped]

STRONG = ["reset", "closed", "alert"]
WEAK = ["silence", "refused", "unreachable"]


def dns_says(kind: str) -> Deferred:
    """Own resolvers say *kind*, and enough others know better.

    Not where each such answer was an injected one: then that is the mechanism.
    """
    return (_.dns_own == kind) & DNS_SHOWN & ~_.dns_all_injected


# Two who resolve the name otherwise, of which one is a control; or a certificate.
DNS_SHOWN = ((_.dns_controls >= 1) & (_.dns_witnesses >= 2)) | _.dns_proof
DNS_FINE = _.dns_own.isin(["true", "none", "unclear", "other"])
# A silent resolver lies only if it speaks at other times.
# So does one that fails, where no canary was there to fail as well.
DNS_SPEAKS = (
    ~((_.dns_own == "silence") | ((_.dns_own == "servfail") & _.lone_control)) | _.resolver_alive
)
INJECTED = (_.dns_injected > 0) & ((_.dns_controls >= 1) | _.dns_proof)
LIES = ["lie", "bogon", "nxdomain", "refused", "servfail", "empty", "silence"]
LIED = ~DNS_FINE & DNS_SPEAKS & (DNS_SHOWN | INJECTED) & ~_.dns_exists_nowhere
# Nothing shows that somebody on the way has answered.
UNINJECTED = (_.dns_injected == 0) & (_.dns_intercepted == 0) & ~_.dns_ghost
REACHED = _.path_end == "page"
REPLACED = (_.path_end == "certificate") & (_.path_how == "replaced")
# The site's own page, as others know it: no dead line and no portal has it to give.
VOUCHED = REACHED & (
    _.page_match.isin(["same", "similar"]) | _.page_twin.isin(["same", "similar"])
)

# Slower than without its name, or than over a control, in nearly every pair: 7 of 7 or 8 of 8
# beyond the margin. A page takes four round trips or a few more: if a longer one explains it,
# it must be longer than a route by the wrong ocean makes it.
NOT_THE_SERVER = (_.speed_controls >= 2) & ~_.server_slow
SLOWED_BY_NAME = (
    (_.speed_name_p <= 0.01) & (_.speed_name_ratio >= 2) & (_.speed_seconds >= 0.5)
    & NOT_THE_SERVER
)
SLOWED_ON_THE_WAY = (
    (_.speed_p <= 0.01) & (_.speed_excess >= 0.8) & NOT_THE_SERVER & ~_.line_slow
    & ((_.speed_rtt_excess >= 0.25) | (_.speed_excess >= 10 * _.speed_rtt_excess))
)
THROTTLED = SLOWED_BY_NAME | SLOWED_ON_THE_WAY

# Looked at again, and it was what ends the user's path.
FOLLOWED = (_.followed == _.path_end) | ((_.followed == "dns") & ~DNS_FINE)
# The name meets its end at a place that has nothing to do with it, where others pass.
NAMED = (_.elsewhere == "same") & (_.harmless_elsewhere == "free")
NAMED_EACH_TIME = ~REACHED & FOLLOWED & NAMED & (_.again_same >= 3)
# A censor's reset to one name leaves others alone. Here those meet the same end, or who names
# nobody, and the name at times does not: a server's mood, whoever comes.
UNNAMED_MET = (
    _.harmless_here.isin(["mixed", "same"]) | _.no_name.isin(["mixed", "same"])
    | _.harmless_other_port.isin(["mixed", "same"])
)
MOODY = (_.again_passed >= 1) & UNNAMED_MET & ~NAMED
# What is dropped is dropped each time.
SEEPS = (_.again_passed >= 1) & ~NAMED
NOT_AGAIN = (_.again_tries >= 3) & (_.again_passed > 2 * _.again_same)


def met(layer: str, how: str) -> Deferred:
    """Two controls pass where we met this; not where it passes at times."""
    spoiled = SEEPS if how in WEAK else MOODY
    found = _[f"{layer}_{how}"] >= 2
    return found & ~((_.followed == layer) & (spoiled | NOT_AGAIN))


def named(layer: str, how: str) -> Deferred:
    """The ladder shows it, and no control is needed for that."""
    return NAMED_EACH_TIME & (_.path_end == layer) & (_.path_how == how)
