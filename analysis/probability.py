"""How probable it is that a verdict is right.

Evidence is weighed as in any diagnosis: odds before, times a likelihood ratio for each
thing that was or was not seen, are the odds after (I. J. Good, 1950, in logarithms: the
weight of evidence). The weights are data, ``data/likelihoods.json``, fitted on worlds of the
lab with known truth by ``bench/calibration.py``, which also says how well they do on
others (``docs/calibration.md``). What this module knows is which way each thing points:

- more repetitions that end the same never make a block less probable, more that
  pass never more probable;
- one control fewer never makes it more probable, whichever that is (design 0001, principle
  4). So what agrees with us counts for nothing here: else leaving it out would accuse;
- nothing is certain: after *n* cases that fired the same rules, all of them right, the next
  one is right with (n + 1) / (n + 2) (Laplace's rule of succession), and no more is said.

What is meant by *right*: for ``blocked``, that somebody on the way keeps the page from us;
for ``ok`` with mechanisms, that somebody interferes; for ``ok`` without, that the page is to be
had; for ``down``, ``server_side`` and ``local_fault``, that it is so. ``inconclusive``
and ``not_measured`` claim nothing that could be right, and have no probability.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import msgspec

from analysis.observations import Observation
from analysis.rules import RULES

ACCUSED = "accused"  # the claim of `blocked`, and of `ok` with mechanisms
CLAIMS = (ACCUSED, "ok", "down", "server_side", "local_fault")

# Features of an accusation, each with the way it points. What bounds them is in `_accusation`.
FOR, AGAINST = 1, -1
DIRECTION: Mapping[str, int] = {
    "again_same": FOR, "again_passed": AGAINST, "again_other": AGAINST, "contradicting": FOR,
    "answered": FOR, "forged": FOR, "known": FOR, "named": FOR, "harmless_free": FOR,
    "located": FOR, "own_network": FOR, "slow": FOR, "loss": AGAINST, "canaries": AGAINST,
    "certified": FOR, "alike": FOR, "shared": FOR, "elsewhere": AGAINST, "cut": AGAINST,
}  # fmt: skip

ACCUSING = frozenset(r.id for r in RULES if r.mechanism or r.outcome == "blocked")
REPETITIONS = 6
CONTROLS = 2  # a third adds nothing that two have not said
MOST_LOSS = 0.15
FEWEST_CONNECTS = 10  # of a run, before its losses are told from chance
DIGITS = 1e4  # what is told is a whole number of these; halves go up, in every engine

CONTRASTS = (
    "tcp_silence", "tcp_refused", "tcp_reset", "tcp_unreachable", "tls_silence", "tls_reset",
    "tls_closed", "tls_alert", "tls_forged", "http_silence", "http_reset", "http_closed",
    "http_blockpage", "http_redirect", "quic_silence", "quic_closed", "quic_refused",
    "path_contradicted", "redirect_unseen",
)  # fmt: skip
LIKENESS = {"same": 1.0, "similar": 0.5}
LIES = ("lie", "bogon", "nxdomain", "refused", "servfail", "empty", "silence")
ABSENCE = frozenset({"silence", "refused", "unreachable"})
CUT = frozenset({"reset", "closed", "alert"})
TROUBLE = frozenset({"servfail", "empty"})  # said by resolvers that are only in trouble


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In fitting, a rule fired beside a verdict of this claim in *cases*, of which *right*."""

    cases: int
    right: int


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """*base*: log-odds with none of the features; *weights*: log likelihood ratios, by
    feature and per unit of it; *rules*: what was counted, by rule."""

    base: float
    weights: dict[str, float]
    rules: dict[str, Record]


class Likelihoods(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fitted weights. *unseen*: the most that is said of a verdict by rules that no case
    of the fit had fired, all their worlds being others; *rules_version*: of the fit."""

    rules_version: str
    unseen: float
    claims: dict[str, Claim]


@cache
def fitted() -> Likelihoods:
    """The weights that come with this version."""
    data = files("analysis").joinpath("data/likelihoods.json").read_bytes()
    return msgspec.json.decode(data, type=Likelihoods)


def claim_of(outcome: str, mechanisms: Sequence[str]) -> str | None:
    """Which of `CLAIMS` a verdict makes; None: none."""
    if outcome == "blocked" or (outcome == "ok" and mechanisms):
        return ACCUSED
    return outcome if outcome in CLAIMS else None


def probability(
    o: Observation,
    outcome: str,
    mechanisms: Sequence[str],
    rules: Sequence[str],
    *,
    by: Likelihoods | None = None,
) -> float | None:
    """That the verdict on *o* is right, between 0 and 1 and neither of them.

    *rules* are all that fired, the one that decided first. None where nothing is claimed.
    """
    name = claim_of(outcome, mechanisms)
    if name is None:
        return None
    return weighed(features(o, name, mechanisms, rules), name, rules, by or fitted())


def weighed(
    seen: Mapping[str, float], name: str, rules: Sequence[str], by: Likelihoods
) -> float:
    """The probability of the claim *name* by the features that were *seen*."""
    claim = by.claims.get(name)
    if claim is None:
        return by.unseen
    odds = claim.base + sum(claim.weights.get(what, 0.0) * value for what, value in seen.items())
    least, most = bounds(claim, name, rules, by.unseen)
    return math.floor(min(max(_logistic(odds), least), most) * DIGITS + 0.5) / DIGITS


def features(
    o: Observation, claim: str, mechanisms: Sequence[str], rules: Sequence[str]
) -> dict[str, float]:
    """What is weighed for *claim*: a number for each feature, 0 where it was not seen."""
    if claim == ACCUSED:
        return _accusation(o, mechanisms)
    return {f"rule {rules[0]}": 1.0} | {
        "certified": float(o.path_certified),
        "alike": max(LIKENESS.get(o.page_match, 0.0), LIKENESS.get(o.page_twin, 0.0)),
        "shared": float(min(o.path_shared, CONTROLS)),
        "elsewhere": float(min(o.path_elsewhere, CONTROLS)),
        "cut": float(o.speed_cut),
    }


def _accusation(o: Observation, mechanisms: Sequence[str]) -> dict[str, float]:
    kinds = {name.partition(".")[2] for name in mechanisms if name != "throttled"}
    answered = bool(kinds - ABSENCE) or o.path_how in CUT or o.path_end == "certificate"
    again = o.followed == "dns" or o.path_end in (o.followed, "page", "redirect")
    other = o.again_tries - o.again_same - o.again_passed
    contradicting = max(int(getattr(o, name)) for name in CONTRASTS)
    if o.dns_own in LIES:
        contradicting = max(contradicting, o.dns_witnesses)
    located = o.hop_met >= 2 and 0 < o.hop_high != o.path_length
    p = min(o.speed_p, o.speed_name_p) if "throttled" in mechanisms else 1.0
    return {
        "again_same": min(o.again_same, REPETITIONS) if again else 0.0,
        "again_passed": min(o.again_passed, REPETITIONS) if again else 0.0,
        "again_other": float(min(other, REPETITIONS)) if again else 0.0,
        "contradicting": float(min(contradicting, CONTROLS)),
        # A line that loses packets is silent; it does not answer in another's place.
        "answered": float(answered),
        "forged": float(bool(kinds - ABSENCE - CUT - TROUBLE)),
        "known": float(o.fingerprint_path != ""),
        "named": float(o.elsewhere == "same" and o.harmless_elsewhere == "free"),
        "harmless_free": float(o.harmless_here == "free"),
        # A site in trouble is met at the far end of the way, or at no one place.
        "located": float(located),
        "own_network": float(located and (o.hop_near or 0 < o.hop_asn == o.probe_asn)),
        "slow": min(-math.log10(max(p, 1e-3)), 3.0),
        "loss": 0.0 if answered else 10 * loss(o),
        "canaries": min(o.canary_failures / max(o.canary_looks, FEWEST_CONNECTS), 1.0),
    }


def loss(o: Observation) -> float:
    """Share of packets that the line lost, of each way, 0 to `MOST_LOSS`; 0 if not known.

    From connections that were late by a SYN: two packets have to come through.
    """
    if o.line_connects < FEWEST_CONNECTS:
        return 0.0
    return min(o.line_late / o.line_connects / 2, MOST_LOSS)


def bounds(
    claim: Claim, name: str, rules: Sequence[str], unseen: float
) -> tuple[float, float]:
    """The least and the most that as many cases allow to say.

    An accusation has the record of that of the rules that accuse which was met most: with
    one control more, more of them fire. Another verdict has that of the rule which decided.
    """
    meant = [rule for rule in rules if rule in ACCUSING] if name == ACCUSED else rules[:1]
    cases = max((claim.rules[rule].cases for rule in meant if rule in claim.rules), default=0)
    least, most = 1 / (cases + 2), (cases + 1) / (cases + 2)
    return (1 - unseen, unseen) if cases == 0 else (least, most)


def _logistic(odds: float) -> float:
    return 1 / (1 + math.exp(-max(-40.0, min(40.0, odds))))
