"""The words of the report in the reader's language, from gettext catalogues.

Rule: a code (an outcome, a mechanism, a scope) has one place where it becomes words, here.
The catalogues are read as they are written (``locale/<language>/LC_MESSAGES/report.po``):
nothing has to be compiled first, so that what a translator saves is what is shown. What others
wrote in English (rules, laws, evidence) stays English and is marked so.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

from analysis.report.cells import State

DOMAIN = "report"
SUREST = 0.99  # above which no more is said than that it is above


def N_(text: str) -> str:
    return text


class Look(NamedTuple):
    """How a state is shown: a *sign* that needs no colour, a *name* and what it *means*."""

    sign: str
    name: str
    means: str


STATES: dict[State, Look] = {
    "blocked": Look("✕", N_("blocked"), N_("Fails here and works elsewhere, by the means named.")),
    "mixed": Look("◐", N_("partly blocked"), N_(
        "Blocked in some looks and open in others: over http and not over https, at some"
        " addresses, at some hours, or for some people."
    )),
    "interfered": Look("≈", N_("interfered with"), N_(
        "Somebody on the way interferes, and the site is reached all the same."
    )),
    "server_side": Look("⊘", N_("refused by the site"), N_(
        "The site or its platform refuses this country, or asks for a captcha. Nobody on the way"
        " does that."
    )),
    "down": Look("↓", N_("down for everybody"), N_("Fails from the controls abroad as well.")),
    "ok": Look("✓", N_("open"), N_("Reached, as from elsewhere.")),
    "inconclusive": Look("?", N_("not decided"), N_(
        "Measured, and the evidence does not decide. This is neither open nor blocked."
    )),
    "local_fault": Look("⌂", N_("own fault"), N_(
        "The fault was in the line, resolver or clock of the one who measured."
    )),
    "not_measured": Look("–", N_("not measured"), N_(
        "On the list, and not looked at: nothing is known of it."
    )),
}  # fmt: skip

MECHANISMS: dict[str, str] = {
    "dns.nxdomain": N_("the resolver says that the name does not exist"),
    "dns.refused": N_("the resolver refuses to answer for the name"),
    "dns.servfail": N_("the resolver answers with an error"),
    "dns.empty": N_("the resolver answers with nothing"),
    "dns.silence": N_("questions about the name are not answered"),
    "dns.bogon": N_("the resolver gives an address that leads nowhere"),
    "dns.substituted": N_("the resolver gives a false address"),
    "dns.injected": N_("a forged answer comes before the resolver's"),
    "tcp.silence": N_("packets to the address vanish"),
    "tcp.refused": N_("connections to the address are refused"),
    "tcp.reset": N_("connections are cut as soon as they stand"),
    "tcp.unreachable": N_("the network says that the address cannot be reached"),
    "tls.silence": N_("the encrypted connection gets no answer once the site is named"),
    "tls.reset": N_("the encrypted connection is cut when the site is named"),
    "tls.closed": N_("the encrypted connection is closed when the site is named"),
    "tls.alert": N_("the encrypted connection is refused with an alert"),
    "tls.forged": N_("somebody else's certificate is shown in place of the site's"),
    "http.silence": N_("requests for the page get no answer"),
    "http.reset": N_("the connection is cut when the page is asked for"),
    "http.closed": N_("the connection is closed when the page is asked for"),
    "http.redirect": N_("who asks for the page is sent to a block page"),
    "http.blockpage": N_("a block page comes in place of the page"),
    "http.altered": N_("the page is changed on the way"),
    "quic.silence": N_("HTTP/3 gets no answer"),
    "quic.closed": N_("HTTP/3 connections are closed"),
    "throttled": N_("the site is made slow"),
}

TRIGGERS = {
    "name": N_("by the site's name"), "address": N_("by its address"), "port": N_("by the port"),
    "protocol": N_("by the protocol"), "any": N_("whatever is asked for"),
}  # fmt: skip

POSITIONS = {
    "in-path": N_("what we sent was stopped"),
    "on-path": N_("what we sent got through, beside a forged answer"),
}

KINDS = {
    "blocking": N_("Blocked"), "throttling": N_("Made slow"),
    "shutdown": N_("Shutdown: what is abroad is gone, what is in the country answers"),
    "outage": N_("Outage: nothing answers"), "geofence": N_("Refused by the site itself"),
    "ddos": N_("Down for everybody, for a while"), "site_death": N_("Down for everybody, for good"),
    "registry": N_("The name is gone from its registry, for everybody"),
}  # fmt: skip

SHORT_KINDS = {
    "blocking": N_("blocked"), "throttling": N_("slow"), "shutdown": N_("shutdown"),
    "outage": N_("outage"), "geofence": N_("refused"), "ddos": N_("down for a while"),
    "site_death": N_("dead"), "registry": N_("name gone"),
}  # fmt: skip

SCOPES = {
    "network": N_("on one network"), "operator": N_("on the networks of one operator"),
    "gateway": N_("on the customers of one gateway"), "national": N_("in the whole country"),
    "mobile": N_("on mobile access only"), "regional": N_("in some regions"),
    "group": N_("on several operators, and not on others"), "global": N_("everywhere"),
    "resolver": N_("for those who ask one network's resolvers"),
    "unknown": N_("on how many networks is not known"),
}  # fmt: skip

STANDS = {
    "consistent": N_("fits the documents"), "contradicts": N_("does not fit the documents"),
    "cannot_tell": N_("cannot be told"),
}  # fmt: skip

PREDICTED = {
    "consistent": N_("as predicted"), "contradicts": N_("not as predicted"),
    "cannot_tell": N_("cannot be told"),
}  # fmt: skip

CATEGORIES = {
    "NEWS": N_("news"), "POLR": N_("politics"), "HUMR": N_("human rights"),
    "ANON": N_("ways around"), "COMT": N_("communication"), "GRP": N_("social networks"),
    "MMED": N_("media"), "GMB": N_("gambling"), "ALDR": N_("alcohol and drugs"),
    "PORN": N_("pornography"), "PROV": N_("provocative attire"), "REL": N_("religion"),
    "LGBT": N_("LGBT"), "CULTR": N_("culture"), "GOVT": N_("government"), "MISC": N_("other"),
    "HOST": N_("hosting"), "SRCH": N_("search"), "COMM": N_("commerce"), "ECON": N_("economy"),
    "ENV": N_("environment"), "FILE": N_("file sharing"), "GAME": N_("games"),
    "HACK": N_("hacking"), "HATE": N_("hate speech"), "IGO": N_("organisations of states"),
    "MILX": N_("militants"), "PUBH": N_("public health"), "XED": N_("sex education"),
    "DATE": N_("dating"), "CTRL": N_("comparison"),
}  # fmt: skip


class Words:
    """Gettext and formats of a *language* of `probe.i18n`; with *days_only* no time of day."""

    def __init__(self, language: str, *, days_only: bool = False) -> None:
        self.days_only = days_only
        self.language = language
        self.locale = Locale.parse(language)
        self.translations = _catalogue(language)
        self.gettext = self.translations.gettext
        self.ngettext = self.translations.ngettext

    def of(self, table: dict[str, str], code: str) -> str:
        """The words for *code*; the code itself where there are none."""
        return self.gettext(table[code]) if code in table else code

    def state(self, state: State) -> str:
        return self.gettext(STATES[state].name)

    def mechanism(self, code: str) -> str:
        return self.of(MECHANISMS, code)

    def country(self, cc: str) -> str:
        return self.locale.territories.get(cc, cc) if cc != "ZZ" else self.gettext("not known")

    def moment(self, at: float | None) -> str:
        """A POSIX second as date and time, UTC."""
        if not at or self.days_only:
            return self.day(at)
        when = datetime.fromtimestamp(at, UTC)
        return f"{format_datetime(when, 'd MMMM yyyy, HH:mm', locale=self.locale)} UTC"

    def day(self, at: float | None) -> str:
        if not at:
            return self.gettext("an unknown time")
        day = datetime.fromtimestamp(at, UTC).date()
        return format_date(day, "d MMMM yyyy", locale=self.locale)

    def number(self, n: float) -> str:
        return format_decimal(n, locale=self.locale)

    def share(self, share: float) -> str:
        return format_percent(round(share, 2), locale=self.locale)

    def sure(self, probability: float) -> str:
        """A probability, never rounded up to certainty."""
        if probability > SUREST:
            return self.gettext("more than %(share)s") % {"share": self.share(SUREST)}
        return self.share(probability)

    def joined(self, names: Sequence[str], most: int = 6) -> str:
        """*names* as a list in a sentence, of which *most* are named and the rest counted."""
        if len(names) > most:
            more = self.ngettext("%(num)s more", "%(num)s more", len(names) - most)
            names = [*names[:most], more % {"num": self.number(len(names) - most)}]
        return format_list(list(names), locale=self.locale)


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    place = files("analysis.report") / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    compiled = io.BytesIO()
    with place.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
