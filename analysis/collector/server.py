"""The collector's ASGI application, and what runs it.

``PUT /v1/batches/{sha256}`` takes a batch, ``GET /v1/key`` gives the key to seal it with,
``GET /health`` says whether it can store, ``GET /metrics`` counts, ``GET /openapi.json`` tells
all of it; OONI's protocol is beside (`analysis.collector.ooni`). Errors are
``{"reason": "..."}``. Nothing is written down or counted by who asked.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec
import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from analysis.collector.bodies import Room
from analysis.collector.endpoints import TEXT, Endpoint, Parameter, openapi, refuse, routes
from analysis.collector.identities import Identities
from analysis.collector.intake import Intake, Receipt
from analysis.collector.limits import Limits
from analysis.collector.metrics import Metrics
from analysis.collector.networks import NAME as NETWORKS
from analysis.collector.networks import Networks
from analysis.collector.ooni import Ooni
from analysis.collector.ooni_documents import Reports
from analysis.collector.reading import genuine
from analysis.collector.spool import Spool
from probe import __version__
from probe.formats.batch import BatchError, CollectorSecret
from probe.serving.clients import Clients, Refused
from probe.serving.listen import Listener, client_address

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework

_SHA256 = "[0-9a-f]{64}"
KEEP_FREE = 64 * 2**20  # bytes of the disk left to others, or this part of it where it is small
KEEP_PART = 0.01
FORGET_SECONDS = 86400.0
LOG_SECONDS = 60.0
log = logging.getLogger(__name__)


class CollectorError(Exception):
    """The collector cannot serve. The message is one line for its operator."""


class Options(NamedTuple):
    """What the operator chooses. *behind_proxy*: the last address of X-Forwarded-For is the
    client's, where the peer is on the loopback. *helpers*: URLs of OONI test helpers."""

    tls_cert: str | None = None
    tls_key: str | None = None
    key: Path | None = None
    need_seal: bool = False
    behind_proxy: bool = False
    helpers: tuple[str, ...] = ()
    keep_free: int | None = None


class Health(msgspec.Struct):
    """*room*: bytes of the disk that may still be filled."""

    batches: int
    room: int


async def serve(
    listen: str, data: Path, *, options: Options | None = None, limits: Limits | None = None,
    stop: trio.Event | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:  # fmt: skip
    """Serve at *listen* (``"ADDRESS:PORT"``), keeping everything in *data*, until *stop* is set.

    Without *stop*, until SIGTERM or SIGINT. Tells *task_status* the URL when it listens.
    Raises `CollectorError`, `SpoolError`, `OSError` or `ListenError`.
    """
    limits, options = limits or Limits(), options or Options()
    clients = Clients(window=limits.window)
    with _opened(data, options) as kept:
        listener = Listener(
            listen, limits=limits, clients=clients,
            tls_cert=options.tls_cert, tls_key=options.tls_key,
        )  # fmt: skip
        served = Served(kept, clients, limits, options)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kept.spool.run)
            nursery.start_soon(kept.quarantine.run)
            nursery.start_soon(served.tell, _state(kept))
            nursery.start_soon(_forget, kept.identities)
            if stop is None:
                stop = trio.Event()
                await nursery.start(_stop_at_signal, stop)
            async with trio.open_nursery() as serving:
                await serving.start(
                    partial(listener.serve, cast("ASGIFramework", served.app), stop=stop)
                )
                task_status.started(listener.url)
            nursery.cancel_scope.cancel()
        log.info("stopped", extra=_state(kept))


class Kept(NamedTuple):
    """What is open in the data folder."""

    spool: Spool
    quarantine: Spool
    identities: Identities
    networks: Networks
    reports: Reports
    secret: CollectorSecret


class Served:
    """The application in *app*. It runs under trio only."""

    def __init__(self, kept: Kept, clients: Clients, limits: Limits, options: Options) -> None:
        self._spool = kept.spool
        self._secret = kept.secret
        self._limits = limits
        self._behind_proxy = options.behind_proxy
        self._room = Room(limits, clients)
        self._metrics = Metrics(kept.spool, kept.quarantine, self._room)
        self._intake = Intake(
            kept.spool, kept.quarantine, kept.secret, kept.identities, kept.networks, clients,
            limits, self._metrics, need_seal=options.need_seal,
        )  # fmt: skip
        ooni = Ooni(
            kept.spool, kept.reports, clients, self._room, limits, self._metrics, self._peer,
            helpers=options.helpers,
        )  # fmt: skip
        self.endpoints = [*self._endpoints(), *ooni.endpoints()]
        self._openapi = openapi(self.endpoints, __version__)
        self.app = make_app(self.endpoints, self._metrics)

    async def put(self, request: Request) -> Receipt:
        client = self._peer(request)
        if not re.fullmatch(_SHA256, request.path_params["sha256"]):
            raise Refused(400, "the address ends in no SHA-256, in hex")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refused(415, "a batch is compressed already")
        with self._room.body(client) as body:
            received = await body.read(request, self._limits.question_bytes)
            receipt = await self._intake.take(request.path_params["sha256"], received, client)
        self._metrics.stored(receipt.stored)
        return receipt

    async def key(self, request: Request) -> bytes:
        return self._secret.public.encode() + b"\n"

    async def health(self, request: Request) -> Health:
        if not (room := self._spool.room()):
            raise Refused(503, "the collector's disk is full", retry_after=600)
        return Health(self._spool.count(), room)

    async def numbers(self, request: Request) -> bytes:
        return self._metrics.text()

    async def described(self, request: Request) -> bytes:
        return self._openapi

    async def tell(self, state: dict[str, int | bool]) -> None:
        """Write *state* to the log, then from time to time what was done lately, in numbers: a
        line for each batch would tell who sees the network who sent it."""
        await trio.sleep(1)  # first comes the line that says where it listens
        log.info("serving", extra=state)
        while True:
            await trio.sleep(LOG_SECONDS)
            if self._metrics.lately:
                log.info("lately", extra=dict(self._metrics.lately))
                self._metrics.lately.clear()

    def _endpoints(self) -> list[Endpoint]:
        name = Parameter("sha256", "path", "SHA-256 of the batch's plain text.", _SHA256)
        return [
            Endpoint("PUT", "/v1/batches/{sha256}", self.put, "Store a batch.", bytes, Receipt,
                     parameters=(name,)),
            Endpoint("GET", "/v1/key", self.key, "The key to seal batches with.", None, bytes,
                     media=TEXT),
            Endpoint("GET", "/health", self.health, "Whether it can store.", None, Health),
            Endpoint("GET", "/metrics", self.numbers, "Counts, for Prometheus.", None, bytes,
                     media=self._metrics.media_type),
            Endpoint("GET", "/openapi.json", self.described, "This document.", None, bytes),
        ]  # fmt: skip

    def _peer(self, request: Request) -> str:
        host = client_address(request.client.host) if request.client else ""
        if self._behind_proxy and host in ("127.0.0.1", "::1"):
            said = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
            try:
                return client_address(said)
            except ValueError:
                return host
        return host


def make_app(endpoints: Sequence[Endpoint], metrics: Metrics) -> Starlette:
    """The ASGI application; what is refused, and faults of ours, are answered and counted here."""

    async def http_error(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)
        metrics.refused(exc.status_code)
        response = refuse(Refused(exc.status_code, exc.detail))
        response.headers.update(exc.headers or {})
        return response

    async def fault(request: Request, exc: Exception) -> Response:
        # Its text may quote a document.
        log.error("a fault", extra={"kind": type(exc).__name__, "path": _where(exc)})
        metrics.refused(500)
        return refuse(Refused(500, "a fault of the collector's; nothing was stored"))

    return Starlette(
        routes=routes(endpoints, metrics.refused),
        exception_handlers={HTTPException: http_error, Exception: fault},
    )


def load_secret(path: Path) -> CollectorSecret:
    """The collector's private key, made where there is none. Raises `CollectorError`."""
    try:
        if path.exists():
            return CollectorSecret(path.read_bytes())
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = CollectorSecret()
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.unlink(missing_ok=True)
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(secret.raw)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, path)
        return secret
    except BatchError as exc:
        raise CollectorError(f"{path}: {exc}") from exc
    except OSError as exc:
        raise CollectorError(f"{path}: {exc.strerror or exc}") from exc


@contextmanager
def _opened(data: Path, options: Options) -> Iterator[Kept]:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = load_secret(options.key or data / "secret.key")
    keep_free = options.keep_free
    if keep_free is None:
        keep_free = min(KEEP_FREE, int(shutil.disk_usage(data).total * KEEP_PART))
    with (
        Spool(data / "spool", keep_free=keep_free, genuine=genuine) as spool,
        Spool(data / "quarantine", keep_free=2 * keep_free, genuine=genuine) as quarantine,
    ):
        try:
            identities = Identities(data / "identities.db")
            reports = Reports(data / "reports.db", spool)
            networks = Networks(data / NETWORKS)
        except (sqlite3.Error, msgspec.MsgspecError) as exc:
            raise CollectorError(f"{data}: {exc}") from exc
        try:
            yield Kept(spool, quarantine, identities, networks, reports, secret)
        finally:
            identities.close()
            reports.close()


def _state(kept: Kept) -> dict[str, int | bool]:
    """For the log. *cut* and *damaged* bytes were found at the start."""
    spool = kept.spool
    return {
        "records": spool.count(), "quarantined": kept.quarantine.count(), "cut": spool.cut,
        "damaged": spool.damaged, "networks": bool(kept.networks),
    }  # fmt: skip


async def _forget(identities: Identities) -> None:
    while True:
        try:
            await trio.to_thread.run_sync(identities.forget, time.time())
        except sqlite3.OperationalError as exc:
            log.warning("old identities cannot be forgotten", extra={"reason": str(exc)})
        await trio.sleep(FORGET_SECONDS)


def _where(exc: BaseException) -> str:
    """The lines of ours that *exc* went through; no values."""
    at, found = exc.__traceback__, []
    while at is not None:
        code = at.tb_frame.f_code
        found.append(f"{Path(code.co_filename).name}:{at.tb_lineno}")
        at = at.tb_next
    return " ".join(found[-4:])


async def _stop_at_signal(
    stop: trio.Event, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            stop.set()
            return
