"""The page that people see who look at a control with a browser.

Somebody found this machine's address in a log and wants to know whose it is, why it came, and
whom to ask. The page says that; it is still, has no script, and asks nobody for anything.
"""

from __future__ import annotations

from html import escape

MAX_CONTACT = 200  # characters

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>A control of zond</title>
<style>body {{ max-width: 40em; margin: 2em auto; font: 1em/1.5 sans-serif }}</style>
<h1>This machine is a control of zond</h1>
<p>zond is software with which people find out which sites are blocked on their network. To
tell a block from a site that is down, they ask a machine elsewhere, this one, to open the same
page.</p>
<h2>Why did it connect to you?</h2>
<p>Somebody measured whether your site can be reached from their network. For that this machine
looked up its name, connected to the addresses found, and fetched its first page, over http and
https, as a browser does. Where it is slow, the beginning of the page is fetched a few times more;
a Tor relay gets a handshake. It tries no passwords, sends no forms, follows no links but
redirects, and keeps an answer for some minutes so that it need not ask again.</p>
<h2>What is kept?</h2>
<p>Nobody's questions: there is no log of who asked for what.</p>
<h2>Whom to ask, or to tell to stop</h2>
<p>{contact}</p>
</html>
"""


class BadContact(ValueError):
    """What was given cannot be shown as a contact. The message is one line."""


def page(contact: str) -> str:
    """The page, with *contact* as the operator wrote it: an address, or a line of text.

    Raises `BadContact` where it is longer than `MAX_CONTACT` or not one line.
    """
    if len(contact) > MAX_CONTACT or not contact.isprintable():
        raise BadContact(f"a contact is one line of at most {MAX_CONTACT} characters")
    said = escape(contact) or (
        "The operator of this machine has not said. The company whose address this is can"
        " reach them."
    )
    return _PAGE.format(contact=said)


def wants_page(accept: str) -> bool:
    """Whether *accept*, the header of a request, is a browser's; programs get JSON."""
    return "text/html" in accept.lower()
