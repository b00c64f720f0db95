"""URLs as a browser reads them: normalised, with ASCII host names, or refused."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

import httpx2

MAX_URL = 4096
_HOSTLESS = re.compile(r"(?:https?:(?!//[^/\\?#])|//+(?![^/\\?#]))", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9._-]+")  # with the underscore, which is in use
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label that makes a host an address (WHATWG)


class BadURL(ValueError):
    """Not a URL that can be visited; the text says why."""


@dataclass(frozen=True, slots=True)
class URL:
    """A visitable URL. *host* is ASCII (IDNA) and lower case, *target* path and query as sent."""

    text: str
    scheme: str
    host: str
    port: int
    target: str

    @property
    def default_port(self) -> bool:
        return self.port == (443 if self.scheme == "https" else 80)

    @property
    def tls(self) -> bool:
        return self.scheme == "https"

    @property
    def ip_literal(self) -> str | None:
        """The address, where the host is one."""
        try:
            return str(ipaddress.ip_address(self.host))
        except ValueError:
            return None

    def with_scheme(self, scheme: str) -> URL:
        """The same name and path over the other scheme, on its default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return parse(f"{scheme}://{host}{self.target}")


@lru_cache(maxsize=256)  # a visit reads the same few URLs over and over
def parse(text: str, *, base: str | None = None) -> URL:
    """Read *text*, relative to *base* if given. Raises `BadURL`."""
    if len(text) > MAX_URL:
        raise BadURL(f"longer than {MAX_URL} characters")
    if _HOSTLESS.match(text.strip()):  # programs differ on what these are relative to
        raise BadURL("no host")
    try:
        url = httpx2.URL(base).join(text.strip()) if base is not None else httpx2.URL(text.strip())
        host = url.raw_host.decode("ascii").lower()
        port = url.port
        target = url.raw_path.decode("ascii")
    except (httpx2.InvalidURL, ValueError) as exc:
        raise BadURL(str(exc)) from exc
    if url.scheme not in ("http", "https"):
        raise BadURL(f"scheme {url.scheme!r} is neither http nor https")
    host = host.strip("[]").rstrip(".")
    if not host:
        raise BadURL("no host")
    if len(host) > 253 or any(not 0 < len(label) < 64 for label in host.split(".")):
        raise BadURL("not a host name")
    if "%" in host:
        raise BadURL("not a host name")  # nor may an address name an interface of ours
    if ":" in host:
        _check_address(ipaddress.IPv6Address, host)
    elif _NUMBER.fullmatch(host.rpartition(".")[2]):
        _check_address(ipaddress.IPv4Address, host)
    elif not _HOST.fullmatch(host):
        raise BadURL("not a host name")
    if port is not None and not 0 < port < 65536:
        raise BadURL(f"no port {port}")
    default = 443 if url.scheme == "https" else 80
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != default:
        shown += f":{port}"
    whole = f"{url.scheme}://{shown}{target}"
    if len(whole) > MAX_URL:  # escaping has made it longer
        raise BadURL(f"longer than {MAX_URL} characters")
    return URL(whole, url.scheme, host, port or default, target)


def _check_address(
    family: type[ipaddress.IPv4Address | ipaddress.IPv6Address], host: str
) -> None:
    """Refuse "127.1" and "0x7f000001", which are 127.0.0.1 to a resolver and a browser."""
    try:
        family(host)
    except ValueError as exc:
        raise BadURL("no address as people write it") from exc
