"""Certificates for tests, good and bad in one chosen way; one authority per session."""

from __future__ import annotations

import datetime
import ssl
from functools import cache
from pathlib import Path

import trustme

DAY = datetime.timedelta(days=1)


@cache
def authority(name: str) -> trustme.CA:
    return trustme.CA(organization_name=name)


@cache
def server_context(
    *names: str,
    signed_by: str = "good",
    not_before: datetime.datetime | None = None,
    not_after: datetime.datetime | None = None,
    alpn: tuple[str, ...] = (),
) -> ssl.SSLContext:
    """A server that is *names*. *signed_by* another authority than ``good`` is not trusted."""
    leaf = authority(signed_by).issue_cert(*names, not_before=not_before, not_after=not_after)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


@cache
def cafile(folder: Path) -> Path:
    """The file to give to a `Verifier`, in *folder*."""
    path = folder / "authorities.pem"
    authority("good").cert_pem.write_to_path(path)
    return path
