"""What somebody is told before they agree: what zond does, who sees it, what has happened.

Facts only, neither more nor less: where each comes from is in ``docs/risks.md``. Who changes
what is said here raises the version in `probe.consent.agreement`, so that everybody is asked anew.
"""

from __future__ import annotations

from probe.i18n import _, paragraph
from testlists.target import Risk


def measuring() -> str:
    """What it means to measure, in the user's language."""
    return "\n\n".join((_what_it_does(), _who_sees_it(), _what_happened(), _what_stays()))


def _what_it_does() -> str:
    return _section(
        _("What zond does"),
        _(
            "It asks for web sites and services from this machine, a hundred and more within"
            " minutes, and writes down what comes back. Some of them may be forbidden where you"
            " are. All of it is done under your name, as your operator knows it."
        ),
    )


def _who_sees_it() -> str:
    return _section(
        _("Who can see it"),
        _(
            "Your operator sees the name of every site that is asked for, and when. Operators in"
            " Belarus must know their customers by name, keep for a year which sites they asked"
            " for, and give the security services access to their networks (SORM); no court is"
            " asked."
        ),
        _(
            "So does whoever runs the network that you are on: an employer, a university, a"
            " café. On public Wi-Fi in Belarus you were identified before you got access."
        ),
        _(
            "No ordinary reader asks for so many of these sites in a few minutes. What seems"
            " blocked is tried again, some thirty times, in ways in which no browser does;"
            " --no-follow-up leaves that out. Who looks for this can find it."
        ),
    )


def _what_happened() -> str:
    return _section(
        _("What has happened to people"),
        _("We know of nobody who was punished for measuring. That is no promise."),
        _(
            "In Belarus people have been fined, held for days and some of them sentenced for"
            " subscribing to forbidden media and channels, passing them on or giving them money:"
            " 24 people were held in Homel on a day of October 2021 for subscriptions; at least"
            " 207 were held at the border in 2023, where phones were searched, and 18 of them"
            " were sentenced for crimes."
        ),
        _(
            "The sites of high risk are media and groups of this kind. Who finds this program and"
            " its files on your machine can read there what was asked for."
        ),
    )


def _what_stays() -> str:
    return _section(
        _("What stays on this machine"),
        _(
            "A database of what was measured, and when. Your own address is not in it. Only your"
            " user can read it; it is encrypted only if you choose that. `zond wipe` removes it,"
            " and all else that zond keeps."
        ),
        _(
            "It is sent to nobody unless you agree to that as well. If you are not sure, do not"
            " run zond."
        ),
    )


def sharing() -> str:
    """What it means to share, in the user's language."""
    return _section(
        _("What it means to share"),
        _("zond sends what it measured to a shared dataset, which anybody can read."),
        _(
            "It tells which sites were asked for, when, from which operator's network and"
            " country, and what came back. Your address and names of your machine and home are"
            " taken out."
        ),
        _("No scrubbing is perfect. `zond upload --dry-run` shows all that would be sent."),
        _(
            "Your operator sees that something is sent, and to whom, unless that goes by Tor, by"
            " a proxy or by a file that you carry."
        ),
        _(
            "In the dataset you are a number, another for each network and each month. Who watched"
            " your line at that time can still recognise your measurements among all."
        ),
        _("What was sent and published cannot be called back."),
    )


def tier(risk: Risk) -> str:
    """What the targets of *risk* are, in the user's language."""
    said = {
        "low": _(
            "state and mainstream media, shops, games, search, neutral sites: everybody's traffic"
            " holds them"
        ),
        "medium": _(
            "Tor and other ways around blocking, private mail, foreign organisations, adult sites:"
            " they say something of who asks"
        ),
        "high": _(
            "independent Belarusian media, human rights, opposition: most were declared extremist,"
            " and people were punished for passing them on or supporting them"
        ),
    }
    return said[risk]


def _section(title: str, *paragraphs: str) -> str:
    return "\n".join((title, *(paragraph(p, indent="  ", bullet="- ") for p in paragraphs)))
