"""Why asking for a target is dangerous: the reasons that a list's ``risk_reason`` names.

Rule: a risk is never bare. Whoever agrees to a tier must be able to see why an entry is in
it, and a local who knows better must be able to say what is wrong. A reason belongs to one
risk, so that a list cannot say "high, because it is ordinary".

The sources are the documents behind the project's table of events (E..) and of the law
(`analysis/regime/belarus`). No lawyer set these.
"""

from __future__ import annotations

from dataclasses import dataclass

from testlists.target import Risk


@dataclass(frozen=True, slots=True)
class RiskReason:
    """*meaning* is a sentence for the person who measures; *source* where it follows from."""

    risk: Risk
    meaning: str
    source: str


REASONS = {
    "extremist": RiskReason(
        "high",
        "Declared extremist, or made by people who were: passing on a link is an offence,"
        " helping the makers a crime.",
        "E26 E27 E29 E31 E33; media law, article 38; Citizen Lab change 1015",
    ),
    "opposition": RiskReason(
        "high",
        "Opposition, elections, petitions, human rights: it shows what one thinks, and most of"
        " its makers are outlawed.",
        "E13 E22 E39; OONI 2020-09 report",
    ),
    "hate": RiskReason(
        "high",
        "Hate, or calls for violence: on the courts' lists of extremist materials whatever the"
        " cause.",
        "Regulation 4/11 of 2010; OONI 2020-09 report",
    ),
    "tool": RiskReason(
        "medium",
        "A way around: lawful to look at, and stands out. The inspection lists tools on its own.",
        "Resolution 6/8 of 2015, paragraph 11; E17 E25",
    ),
    "private-message": RiskReason(
        "medium",
        "Private mail and messages: lawful and common, and yet looked for on seized phones.",
        "E22 E24",
    ),
    "opinion": RiskReason(
        "medium",
        "Foreign media and organisations without a decision known here: they say something of"
        " the reader, not much.",
        "E40; own judgement",
    ),
    "intimate": RiskReason(
        "medium",
        "Sex, health, faith, drugs, money changed privately: embarrassing, or near an offence of"
        " another kind.",
        "Decree 6 of 2014; own judgement",
    ),
    "unseen": RiskReason(
        "medium",
        "Nobody has looked at it.",
        "own judgement",
    ),
    "ordinary": RiskReason(
        "low",
        "Everybody's traffic holds it.",
        "own judgement",
    ),
    "official": RiskReason(
        "low",
        "A site of the state, or one that it licenses.",
        "own judgement; Decree 305 for gambling",
    ),
    "neutral": RiskReason(
        "low",
        "Chosen because it has nothing to do with anything.",
        "own judgement",
    ),
}

# Of a list whose authors do not know our tiers: by what the site is about, the higher where
# two are defensible, as of somebody who lives under such a regime.
BY_CATEGORY = {
    "NEWS": "opposition",
    "POLR": "opposition",
    "HUMR": "opposition",
    "HATE": "hate",
    "MILX": "hate",
    "ANON": "tool",
    "HACK": "tool",
    "COMT": "private-message",
    "ENV": "opinion",
    "CULTR": "opinion",
    "ECON": "opinion",
    "IGO": "opinion",
    "MISC": "unseen",
    "PORN": "intimate",
    "PROV": "intimate",
    "XED": "intimate",
    "LGBT": "intimate",
    "ALDR": "intimate",
    "DATE": "intimate",
    "REL": "intimate",
    "PUBH": "intimate",
    "GMB": "ordinary",
    "GRP": "ordinary",
    "FILE": "ordinary",
    "MMED": "ordinary",
    "HOST": "ordinary",
    "SRCH": "ordinary",
    "GAME": "ordinary",
    "COMM": "ordinary",
    "GOVT": "official",
    "CTRL": "neutral",
}


def usual_reason(category: str) -> str:
    """The reason by which an entry of *category* is judged where nobody judged itself."""
    return BY_CATEGORY.get(category, "unseen")
