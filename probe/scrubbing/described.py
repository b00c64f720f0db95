"""The allow-list as a page for people: ``python -m probe.scrubbing.described`` prints it.

The page in the documentation is this text and nothing else; a test says when it is not.
"""

from __future__ import annotations

from probe.scrubbing.fields import ALLOWED, COMMON, How, Rule

_HEAD = """\
# What leaves this machine

`zond upload` sends documents, each a line of JSON, and nothing else. They are made of the
records in the database by a list of what is allowed (`probe/scrubbing/fields.py`), from which
the tables below are generated: a field that is not on it does not leave. Whatever a field is,
what is known of the user is taken out of its text and bytes. `zond upload --dry-run` shows
the documents as they would be sent.

## Whose it is

Asked of the machine each time (`probe/scrubbing/known.py`): addresses of its interfaces, of
routers, of neighbours and of resolvers at home; hardware addresses; host name, user name, the
user's real name, home directory, machine id, Wi-Fi name, time zone, locale. The addresses
under which the controls see the line are known while a run lasts, are kept in memory only, and
are taken out of every measurement *before it is written to the database*
(`probe/scrubbing/ahead.py`): days later nobody would know what to look for, and the user was
told that they are not stored.
Where a server says that an address is the client's (`X-Client-IP`, "your IP address is"), that
one is taken out of the measurement too: behind a carrier's NAT a household has several. Where
no two controls told us (they are asked through a proxy, or are OONI's), any address in a page or
a header may be the user's: all are taken out to which the measurement did not go itself, and
where they are too many the pages are.

They are found as text in every notation (decimal, octal, hexadecimal, one number, reversed, in
host names, IPv4 in IPv6; a whole line of IPv6 addresses, not only the one of today; a
hardware address inside an IPv6 one), URL-encoded, as HTML or JSON escapes, in base64 and one
inside another; and as bytes in packets, certificates and DNS messages (client subnet).

| what was found | what stands there instead |
|---|---|
| an IPv4 address | `192.0.2.0`, or the first of its private network: `192.168.0.0`, `10.0.0.0`, … |
| an IPv6 address | `2001:db8::`, or `fe80::`, `fc00::` |
| a name | `[scrubbed]` |
| a cookie, ticket, token, subscriber's number | `x` |
| in packets, certificates and other bytes | zeros, so that lengths stay |

What merely looks like an address stays: `Chrome/119.0.0.0`, the operator's block page. Names
that are part of the measured URL stay.

## What a site gave to one user only

Values of cookies, of headers, of what stands in URLs, forms and scripts stay where a control
was given the same, or where they are plain words; else they go and their names stay. An
operator could find a subscriber by the number in a redirect to its block page.

## Times

All times of a run are moved together, by less than a minute, so that it began at a full
minute. Durations and order stay exact: a canary beside a measurement decides what it means.
HTTP dates of that moment are moved alike; those of the last two days, which could tell by
how much, go. The time zone is never said, the clock's error only to a minute.

## Choices

| in `[upload]` | usual | |
|---|---|---|
| bodies | suspected | `none`, `suspected`: pages that no control saw and \
that came in the clear, over a bad certificate or with an error status; `all` that are kept |
| personal targets | no | targets that are on no list that comes with zond: what they are \
tells of the user, and a bridge may be known to nobody else |
| resolvers at home | no | their addresses |
| controls | none | which of the user's own control servers may be named |

Documents that were imported from other programs do not leave: they are not ours.

## What this does not hide

- The operator sees a run when it happens. Whoever has a record of all connections can find
  the one that measured these sites in this order; nothing in a document can help that.
- The network (AS) and country are told: they are what every finding is about.
- A page that was given to this user only and has no sign of it that is known here.
- The city that a page says the user is in, or what else a server knows by the address.
- An address that is written as none of the notations above: cut by tags, or encrypted.
- The time inside a certificate that was forged at that moment, and inside a page.
- The length of a page, and the sketch (a hash of its words) of one whose body is not sent.
- A control that lies about our address can have another address taken out.

## Field by field
"""


def text() -> str:
    """The page, in Markdown."""
    lines = [_HEAD, "What is done:", ""]
    lines += [f"- **{how.name.lower().replace('_', ' ')}**: {how.value}" for how in How]
    lines += ["", "### Every operation", "", *_table(COMMON)]
    for kind, rules in ALLOWED.items():
        own = {name: rule for name, rule in rules.items() if COMMON.get(name) != rule}
        extra = ", beside what every operation has" if len(own) < len(rules) else ""
        lines += ["", f"### {kind.__name__}{extra}", "", *_table(own)]
    return "\n".join(lines) + "\n"


def _table(rules: dict[str, Rule]) -> list[str]:
    rows = [
        f"| {name} | {how.name.lower().replace('_', ' ')} | {why} |"
        for name, (how, why) in rules.items()
    ]
    return ["| field | treatment | why |", "|---|---|---|", *rows]


if __name__ == "__main__":
    print(text(), end="")
