"""The collector's ASGI application, and what runs it.

``PUT /v1/batches/{sha256}`` takes a batch, ``GET /v1/key`` gives the key to seal it with,
``GET /health`` says whether it can store, ``GET /metrics`` counts. Errors are
``{"reason": "..."}``. Nothing is written down or counted by who asked.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from analysis.collector.intake import Intake, Receipt
from analysis.collector.limits import Limits
from analysis.collector.metrics import Metrics
from analysis.collector.spool import Spool
from probe.formats.batch import BatchError, CollectorSecret
from probe.serving.clients import Clients, Refused
from probe.serving.listen import Listener, client_address

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework

JSON = "application/json"


class CollectorError(Exception):
    """The collector cannot serve. The message is one line for its operator."""


async def serve(
    listen: str, data: Path, *, tls_cert: str | None = None, tls_key: str | None = None,
    limits: Limits | None = None, need_seal: bool = False, stop: trio.Event | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:  # fmt: skip
    """Serve at *listen* (``"ADDRESS:PORT"``), keeping everything in *data*, until *stop* is set.

    Without *stop*, until SIGTERM or SIGINT. Tells *task_status* the URL when it listens.
    Raises `CollectorError`, `SpoolError`, `OSError` or `ListenError`.
    """
    limits = limits or Limits()
    clients = Clients(window=limits.window)
    secret = load_secret(data / "secret.key")
    with Spool(data / "spool") as spool:
        listener = Listener(
            listen, limits=limits, clients=clients, tls_cert=tls_cert, tls_key=tls_key
        )
        intake = Intake(spool, secret, clients, limits, need_seal=need_seal)
        app = make_app(intake, spool, secret, limits=limits)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(spool.run)
            if stop is None:
                stop = trio.Event()
                await nursery.start(_stop_at_signal, stop)
            async with trio.open_nursery() as serving:
                await serving.start(
                    partial(listener.serve, cast("ASGIFramework", app), stop=stop)
                )
                task_status.started(listener.url)
            nursery.cancel_scope.cancel()


def make_app(
    intake: Intake, spool: Spool, secret: CollectorSecret, *, limits: Limits,
    more: Sequence[Route] = (),
) -> Starlette:  # fmt: skip
    """The application; *more* are routes beside ours. It runs under trio only."""
    metrics = Metrics(spool)
    room = trio.Semaphore(limits.waiting)

    async def put(request: Request) -> Response:
        client = _peer(request)
        try:
            receipt = await _taken(request, client)
        except Refused as refused:
            metrics.refused(refused.status)
            return refuse(refused)
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody
        metrics.stored(receipt.stored)
        return Response(msgspec.json.encode(receipt), media_type=JSON)

    async def _taken(request: Request, client: str) -> Receipt:
        try:
            room.acquire_nowait()
        except trio.WouldBlock:
            raise Refused(503, "busy", retry_after=30) from None
        try:
            body = await read_body(request, limits)
            return await intake.take(request.path_params["sha256"], body, client)
        finally:
            room.release()

    async def key(request: Request) -> Response:
        return PlainTextResponse(secret.public + "\n")

    async def health(request: Request) -> Response:
        return Response(msgspec.json.encode({"batches": spool.count()}), media_type=JSON)

    async def numbers(request: Request) -> Response:
        return Response(metrics.text(), media_type=metrics.media_type)

    async def http_error(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)
        return refuse(Refused(exc.status_code, exc.detail))

    return Starlette(
        routes=[
            Route("/v1/batches/{sha256}", put, methods=["PUT"]),
            Route("/v1/key", key, methods=["GET"]),
            Route("/health", health, methods=["GET"]),
            Route("/metrics", numbers, methods=["GET"]),
            *more,
        ],
        exception_handlers={HTTPException: http_error},
    )


def refuse(refused: Refused) -> Response:
    """The answer that says why not, and when to come again."""
    headers = {}
    if refused.retry_after is not None:
        headers["retry-after"] = str(max(1, round(refused.retry_after)))
    body = msgspec.json.encode({"reason": refused.reason})
    return Response(body, refused.status, headers, media_type=JSON)


async def read_body(request: Request, limits: Limits) -> bytes:
    """The body of *request*, within bounds of size and time. Raises `Refused` (408, 413)."""
    most = limits.question_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise Refused(413, f"larger than {most} bytes")
    parts: list[bytes] = []
    size = 0
    with trio.move_on_after(limits.body_seconds) as patience:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise Refused(413, f"larger than {most} bytes")
            parts.append(part)
    if patience.cancelled_caught:
        raise Refused(408, f"not here after {limits.body_seconds:g} s", retry_after=60)
    return b"".join(parts)


def load_secret(path: Path) -> CollectorSecret:
    """The collector's private key, made where there is none. Raises `CollectorError`."""
    try:
        if path.exists():
            return CollectorSecret(path.read_bytes())
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = CollectorSecret()
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
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


def _peer(request: Request) -> str:
    return client_address(request.client.host) if request.client else ""


async def _stop_at_signal(
    stop: trio.Event, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            stop.set()
            return
