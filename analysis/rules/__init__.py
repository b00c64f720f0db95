"""The rules, as data: what an observation means.

Each rule is an Ibis expression over the columns of one row (`Observation`), so that one
definition runs embedded on DuckDB and on any engine that Ibis knows. Three kinds:

- a *mechanism* rule names one way of interfering; all that fire are collected;
- an *outcome* rule decides; they are ordered, and the first that fires wins;
- a *trigger* rule says what the interference minds; the first that fires wins.

With every verdict its rules' ids and `RULES_VERSION` are stored. A rule that says something else
gets a new id; how much it takes may change with the version.

How much it takes. A dead site may be silent, refuse, reset, close, alert, or show any bad
certificate, and one control may lie about it: two must contradict each of these, or the
name must meet its end where the site plays no part. A page or redirect that differs could
be a whim of one control's network: two, or one control and our own page over a valid
certificate. A name has its two in a control and an encrypted resolver as well. A known block
page and a second, true answer are nothing that a site does. Documents of other programs have
one control by design: `analysis.rules.lone`.
"""

from __future__ import annotations

import hashlib

from analysis import services, signers
from analysis.fingerprints import source_text
from analysis.observations import DERIVATION
from analysis.rule import Outcome, Rule, Trigger
from analysis.rules import mechanisms, outcomes, triggers
from analysis.rules.lone import LONE_MECHANISMS
from analysis.service_rules import SERVICE_MECHANISMS, SERVICE_OUTCOMES, SERVICE_TRIGGERS

__all__ = [
    "MECHANISMS", "OUTCOMES", "RULES", "RULES_VERSION", "TRIGGERS", "Outcome", "Rule", "Trigger",
]  # fmt: skip

# Those for services hold on no site's row; the last outcome is for all that was measured.
MECHANISMS: tuple[Rule, ...] = (
    mechanisms.MECHANISMS + LONE_MECHANISMS + SERVICE_MECHANISMS
)
OUTCOMES: tuple[Rule, ...] = SERVICE_OUTCOMES + outcomes.OUTCOMES
TRIGGERS: tuple[Rule, ...] = SERVICE_TRIGGERS + triggers.TRIGGERS
RULES: tuple[Rule, ...] = MECHANISMS + OUTCOMES + TRIGGERS


def _version() -> str:
    """Changes with any rule, any fingerprint, or the derivation of the fields."""
    content = "\n".join(f"{r.id}|{r.when!r}|{r.outcome}|{r.mechanism}|{r.trigger}" for r in RULES)
    data = f"{source_text()}\n{signers.source_text()}\n{services.source_text()}"
    said = f"{content}\n{data}\n{DERIVATION}"
    digest = hashlib.sha256(said.encode())
    return f"{DERIVATION}-{digest.hexdigest()[:10]}"


RULES_VERSION = _version()
