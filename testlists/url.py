"""Which URLs can be measured, and the one form in which each is written.

A list is made by many hands and may come from a stranger. What is refused here
never reaches the network: other schemes, the home network, names that a resolver
reads differently from a person (``127.1``). Normalised is what a browser would ask
for: lower case and ASCII (IDNA, UTS 46) in the host, no default port, a path, non-ASCII
percent-encoded, no fragment.

What is no site has the scheme of its service and, for a host, an address, a name, or the
service's own word: ``tor://192.0.2.1:9001``, ``doh://dns.example/dns-query``,
``tor://obfs4`` (docs/design/0008-services.md).
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, ip_address
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

import idna

MAX_URL = 2048  # characters; longer ones do not come from people
MAX_HOST = 253  # RFC 1035, as text

DEFAULT_PORTS = {"http": 80, "https": 443}

# What is measured by a nettest of its own. Schemes as OONI's where it has one.
SERVICES = frozenset(
    {
        "tor", "dns", "dot", "doh", "doq", "telegram", "whatsapp", "signal", "openvpn",
        "wireguard", "socks5", "http-proxy", "middlebox",
    }
)  # fmt: skip

# Names of the house, the machine or an overlay: no resolver of the Internet knows them.
LOCAL_NAMES = (
    "localhost",
    "local",
    "localdomain",
    "lan",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "onion",
    "i2p",
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_WORD = re.compile(r"[a-z][a-z0-9_-]{0,62}", re.ASCII)  # a name without a dot: no host's
_BRACKETED = re.compile(r"\[[^\[\]]*\](:\d*)?", re.ASCII)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.ASCII | re.IGNORECASE)
# What a browser leaves as it is in a path and in a query; "%" because a list's URLs are
# already encoded where they must be.
_SAFE = "%/:@!$&'()*+,;=~-._?[]|^"


class BadURL(ValueError):
    """The URL cannot be measured; the message says why, for the person who wrote it."""


def normalise(written: str) -> str:
    """The one form of the URL that somebody wrote. Raises `BadURL`."""
    if len(written) > MAX_URL:
        raise BadURL(f"URL of {len(written)} characters; at most {MAX_URL}")
    if _CONTROL.search(written):
        raise BadURL("control characters in the URL")
    text = written.strip()
    if not text:
        raise BadURL("no URL")
    if re.search(r"[\s\\]", text):  # a browser reads a backslash as "/", other programs do not
        raise BadURL("white space or a backslash in the URL")
    if _SCHEME.match(text) is None:
        raise BadURL(_without_scheme(text))
    parts = _split(text)
    if parts.scheme in SERVICES:
        return _service(parts)
    if parts.scheme not in DEFAULT_PORTS:
        services = ", ".join(sorted(SERVICES))
        raise BadURL(f"scheme {parts.scheme!r}; measured are http, https, and {services}")
    host = _host(parts)
    port = _port(parts)
    where = host if port in (None, DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    path, query = quote(parts.path, safe=_SAFE) or "/", quote(parts.query, safe=_SAFE)
    found = urlunsplit((parts.scheme, where, path, query, ""))
    if len(found) > MAX_URL:  # as it is written into a list, which must be readable again
        raise BadURL(f"URL of {len(found)} characters once escaped; at most {MAX_URL}")
    return found


def _service(parts: SplitResult) -> str:
    """The form of a service's URL: no query, and a path only where it is over HTTP."""
    if parts.query or parts.fragment or (parts.path.strip("/") and parts.scheme != "doh"):
        raise BadURL(f"more than a host and a port in a {parts.scheme}:// URL")
    word = (parts.hostname or "").lower()
    host = word if _WORD.fullmatch(word) and word not in LOCAL_NAMES else _host(parts)
    port = _port(parts)
    path = quote(parts.path, safe=_SAFE) if parts.scheme == "doh" else ""
    return urlunsplit((parts.scheme, host if port is None else f"{host}:{port}", path, "", ""))


def _without_scheme(text: str) -> str:
    name = text.partition("/")[0]
    if re.fullmatch(r"[^:@?#]+\.[^:@?#]+(:\d+)?", name):
        return f"no scheme; write https://{text}" + ("" if "/" in text else "/")
    return "no http:// or https:// URL"


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
    except ValueError as exc:  # brackets that do not match, characters that normalise to "/"
        raise BadURL(f"not a URL: {exc}") from exc
    if "@" in parts.netloc:
        raise BadURL("a user name or password in the URL")
    return parts


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError as exc:
        raise BadURL("bad port; it is a number from 1 to 65535") from exc
    if port == 0:
        raise BadURL("bad port; it is a number from 1 to 65535")
    return port


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not host:
        raise BadURL("no host in the URL")
    if "[" in parts.netloc or "]" in parts.netloc:
        if not _BRACKETED.fullmatch(parts.netloc):
            raise BadURL("not an IPv6 address in brackets")
        return f"[{_public_literal(host)}]"
    name = _ascii_name(host).removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _public_literal(name)
    if any(f".{name}".endswith(f".{local}") for local in LOCAL_NAMES):
        raise BadURL(f"{name} is a name of the local network or of an overlay")
    if len(labels) < 2:
        raise BadURL(f"host {name!r} has no dot")
    if len(name) > MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadURL("not a host name")
    return name


def _ascii_name(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError) as exc:
        raise BadURL(f"not a host name by IDNA: {exc}"[:200]) from exc


def _public_literal(host: str) -> str:
    """*host* as an address, if a site on the public Internet may have it.

    Stricter than what the probe does with addresses that it resolves: a list has
    no reason to name an address of a transition technique.
    """
    try:
        address = ip_address(host)
    except ValueError as exc:
        # "127.1" and "0x7f000001" are 127.0.0.1 to a resolver.
        raise BadURL(f"{host} is no address as people write it") from exc
    if isinstance(address, IPv4Address):
        public = address.is_global and not address.is_multicast
        public = public and int(address) >> 8 not in (0xC00000, 0xC05863)  # 192.0.0, 192.88.99
    else:
        embedded = address.sixtofour or address.teredo or address.ipv4_mapped
        public = address.is_global and address.scope_id is None and embedded is None
        public = public and int(address) >> 125 == 1  # 2000::/3
    if not public:
        raise BadURL(f"{address} is no address on the public Internet")
    return str(address)
