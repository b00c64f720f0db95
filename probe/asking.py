"""The controls as a session uses them: renewed when what was learned of them is void.

A client remembers which controls were silent and spares them questions. After the
line has been dead that memory is about the line, so a fresh client begins without it.
Where this machine's clock is wrong, the controls' own certificates would look
expired; they are then checked for issuer and name and not for time.
"""

from __future__ import annotations

import errno
import ssl
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from probe.config import Config
from probe.control.client import Control, ControlClient
from probe.control.transport import make_client, make_trust

NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, openssl/x509_vfy.h


class Controls:
    """*client* is the one to ask now. Enter it before use; earlier clients stay open until
    the end, since measurements that began with them still ask."""

    def __init__(self, config: Config) -> None:
        self._named = [Control(name=c.name, url=c.url) for c in config.all_controls]
        self._proxy = config.proxy
        self._trust: dict[bool, ssl.SSLContext] = {}  # by whether times are not judged
        self._stack = AsyncExitStack()
        self.client = ControlClient(self._named, proxy=self._proxy)

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.client)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def renew(self, *, clock_wrong: bool) -> None:
        """Forget which controls were silent; *clock_wrong*: do not judge times by our clock."""
        urls = [control.url for control in self._named]
        if clock_wrong not in self._trust:
            try:
                trust = make_trust([*urls, self._proxy or ""])
            except OSError as exc:
                if exc.errno in (errno.EMFILE, errno.ENFILE):
                    return  # the roots cannot be read just now: the client of before goes on
                raise
            if clock_wrong:
                trust.verify_flags = ssl.VerifyFlags(trust.verify_flags | NO_CHECK_TIME)
            self._trust[clock_wrong] = trust
        # Connections of before may lead from an address that is ours no more.
        client = make_client(urls, proxy=self._proxy, trust=self._trust[clock_wrong])
        http = await self._stack.enter_async_context(client)
        self.client = ControlClient(self._named, proxy=self._proxy, http=http)
