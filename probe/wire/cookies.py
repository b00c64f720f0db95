"""Cookies for the length of one visit: some sites redirect in a circle to who brings none back."""

from __future__ import annotations

import re
import urllib.request
import warnings
from email.message import Message
from http.cookiejar import CookieJar

MAX_COOKIES = 50
_SENDABLE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class _Response:
    """The one method that `http.cookiejar` asks of a response."""

    def __init__(self, headers: tuple[tuple[str, str], ...]) -> None:
        self._message = Message()
        for name, value in headers:
            if name == "set-cookie":
                self._message.add_header("Set-Cookie", value)

    def info(self) -> Message:
        return self._message


class Cookies:
    """A jar for one visit, by the standard library's rules (RFC 2965 and Netscape's)."""

    def __init__(self) -> None:
        self._jar = CookieJar()

    def take(self, url: str, headers: tuple[tuple[str, str], ...]) -> None:
        """Keep what the answer from *url* set; what is no cookie costs the others nothing."""
        with warnings.catch_warnings():
            # Of an attribute without its value the library says, at length, that it has a bug.
            warnings.filterwarnings("ignore", "http.cookiejar bug!", UserWarning)
            for header in headers:
                if header[0] == "set-cookie" and len(self._jar) < MAX_COOKIES:
                    self._jar.extract_cookies(
                        _Response((header,)),  # type: ignore[arg-type]
                        urllib.request.Request(url),
                    )

    def header(self, url: str) -> str:
        """The Cookie header for a request to *url*; empty for none."""
        request = urllib.request.Request(url)
        self._jar.add_cookie_header(request)
        header = request.get_header("Cookie") or ""
        # What HTTP/2 carried need not be a header of HTTP/1.1.
        return header.strip() if _SENDABLE.fullmatch(header) else ""
