"""The control server: an ASGI application and what runs it.

``POST /`` takes a question and gives an answer (see ``probe.control.protocol``), ``GET /``
says that the control lives, or to a browser what it is (see ``probe.control.callers``),
``POST /nettests`` is for targets that are no sites. ``GET /bytes`` and ``POST /transfers``
are for the question how fast (see ``probe.control.speed``). Errors are
``{"error": "..."}`` with 400, 404, 405, 408, 413, 429, 500 or 503. Nothing is logged of
who asked what.

starlette and hypercorn come with the extra ``all`` only; without them `serve` raises
`ServerExtrasMissing`, which says so.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, cast

import trio

from probe.addresses import is_public
from probe.asn import AddressBook
from probe.control.callers import page, wants_page
from probe.control.guard import Guard
from probe.control.limits import Limits
from probe.control.protocol import encode
from probe.control.service import Errand, Service, Visit
from probe.control.speed import Speed
from probe.extras import install
from probe.net import Network, TrioNetwork
from probe.pacing import PacedNetwork, Rates
from probe.serving.clients import Clients, Refused
from probe.serving.shares import Room
from probe.steps.certificate import Verifier
from probe.surroundings.resolvers import Resolvers
from probe.tools import Tools
from probe.visit import visit as real_visit

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

JSON = "application/json"

# Per second. A control serves many probes at once, and must still not be a tool to
# flood somebody with: what comes too fast for one address or network waits.
RATES = Rates(
    connections_per_second=500.0,
    per_address=10.0,
    per_network=50.0,
    per_resolver=100.0,
    datagrams_per_second=1000.0,
    datagrams_per_resolver=300.0,
)


class ServerExtrasMissing(Exception):
    """The packages that only a server needs are not installed; the message says how to."""

    def __init__(self) -> None:
        super().__init__(f"a control server needs more packages: {install()}")


async def serve(
    listen: str,
    *,
    tls_cert: str | None = None,
    tls_key: str | None = None,
    limits: Limits | None = None,
    tools: Tools | None = None,
    errands: Iterable[Errand] = (),
    contact: str = "",
    stop: trio.Event | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve at *listen* (``"ADDRESS:PORT"``) until *stop* is set.

    Without *stop*, until SIGTERM or SIGINT. Tells *task_status* the URL when it listens.
    Without *tools* it measures with public resolvers only, over the families that it has.
    *contact* is shown to people (`probe.control.callers`). Raises `ServerExtrasMissing`,
    `BadContact`, or `probe.serving.listen.ListenError` where it cannot listen.
    """
    limits = limits or Limits()
    try:
        from probe.serving.listen import Listener
    except ModuleNotFoundError as exc:
        raise ServerExtrasMissing from exc
    clients = Clients(window=limits.window)
    listener = Listener(listen, limits=limits, clients=clients, tls_cert=tls_cert, tls_key=tls_key)
    app = make_app(
        tools or await default_tools(), limits=limits, clients=clients, errands=errands,
        contact=contact,
    )  # fmt: skip
    async with trio.open_nursery() as nursery:
        if stop is None:
            stop = trio.Event()
            await nursery.start(_stop_at_signal, stop)
        await nursery.start(partial(listener.serve, cast("ASGIFramework", app), stop=stop))
        task_status.started(listener.url)
        await stop.wait()


def make_app(
    tools: Tools,
    *,
    limits: Limits | None = None,
    clients: Clients | None = None,
    allow: Callable[[str], bool] = is_public,
    own_addresses: Sequence[str] = (),
    visit: Visit = real_visit,
    asn: Callable[[str], int] | None = None,
    errands: Iterable[Errand] = (),
    contact: str = "",
) -> Starlette:
    """The ASGI application. It runs under trio only.

    *allow* says which addresses may be connected to, *own_addresses* which of those not
    (this server's), *asn* whose an address is (the carried table's word by default),
    *errands* what is run here for probes that is no visit, *contact* whom people may ask.
    Raises `BadContact`, and `ServerExtrasMissing` where what it needs is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.middleware import Middleware
        from starlette.middleware.gzip import GZipMiddleware
        from starlette.requests import ClientDisconnect
        from starlette.responses import Response
        from starlette.routing import Route

        from probe.serving.listen import client_address
    except ModuleNotFoundError as exc:
        raise ServerExtrasMissing from exc
    limits = limits or Limits()
    clients = clients or Clients(window=limits.window)
    guard = Guard(allow=allow, own=frozenset(own_addresses))
    room = Room(limits.in_flight, waiting=limits.waiting, patience=limits.waiting_seconds)
    speed = Speed(tools, limits=limits, guard=guard, clients=clients, room=room)
    service = Service(
        tools,
        visit,
        limits=limits,
        guard=guard,
        clients=clients,
        room=room,
        asn=asn or _asn(),
        errands=errands,
    )
    shown = page(contact)

    def refuse(refused: Refused) -> Response:
        headers = {}
        if refused.retry_after is not None:
            headers["retry-after"] = str(max(1, round(refused.retry_after)))
        body = encode({"error": refused.reason})
        return Response(body, refused.status, headers, media_type=JSON)

    def peer(request: Request) -> str:
        return client_address(request.client.host) if request.client else ""

    async def greet(request: Request) -> Response:
        if wants_page(request.headers.get("accept", "")):
            policy = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
            return Response(shown, headers=policy, media_type="text/html")
        return Response(service.greet(peer(request)), media_type=JSON)

    async def answered(
        request: Request, answer: Callable[[bytes, str], Awaitable[bytes]]
    ) -> Response:
        client = peer(request)
        try:
            with clients.holding("question", client, limits.in_flight_per_client):
                body = await _read(request, limits)
                return Response(await answer(body, client), media_type=JSON)
        except Refused as refused:
            if refused.status == 429:  # who asks on all the same does so as often as this ends
                await trio.sleep(limits.refusal_seconds)
            return refuse(refused)
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody

    async def answer(request: Request) -> Response:
        return await answered(request, service.answer)

    async def run_nettest(request: Request) -> Response:
        return await answered(request, service.answer_nettest)

    async def transfers(request: Request) -> Response:
        return await answered(request, speed.transfers)

    async def some_bytes(request: Request) -> Response:
        try:
            data = speed.filling(request.query_params.get("n", ""), peer(request))
        except Refused as refused:
            if refused.status == 429:
                await trio.sleep(limits.refusal_seconds)
            return refuse(refused)
        headers = {"cache-control": "no-store"}
        return Response(data, headers=headers, media_type="application/octet-stream")

    async def http_error(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)
        return refuse(Refused(exc.status_code, exc.detail))

    return Starlette(
        routes=[
            Route("/", greet, methods=["GET"]),
            Route("/", answer, methods=["POST"]),
            Route("/nettests", run_nettest, methods=["POST"]),
            Route("/bytes", some_bytes, methods=["GET"]),
            Route("/transfers", transfers, methods=["POST"]),
        ],
        exception_handlers={HTTPException: http_error},
        middleware=[Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)],
    )


async def default_tools() -> Tools:
    """What a control measures with: public resolvers, and its manners towards the sites."""
    net = TrioNetwork()
    # A control's own resolver is none of its evidence, and may lead into its own network.
    resolvers = Resolvers(own=(), system=False)
    encrypted = {ip for _, ip in (*resolvers.dot, *resolvers.doh)}
    return Tools(
        net=PacedNetwork(net, RATES, resolvers=encrypted),
        resolvers=resolvers,
        verifier=Verifier(),
        ipv4=await _has_route(net, "8.8.8.8"),
        ipv6=await _has_route(net, "2001:4860:4860::8888"),
    )


async def _has_route(net: Network, ip: str) -> bool:
    """Opening a UDP socket sends nothing and fails where there is no way to *ip*."""
    try:
        (await net.open_udp(ip, 53)).close()
    except OSError:
        return False
    return True


def _asn() -> Callable[[str], int]:
    book = AddressBook()
    return lambda ip: book.lookup(ip).asn


async def _read(request: Request, limits: Limits) -> bytes:
    """The body of *request*. Raises `Refused` if it is too long or too slow."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(400, "an encoded body")
    body = bytearray()
    with trio.move_on_after(limits.body_seconds) as time_limit:
        async with aclosing(request.stream()) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > limits.question_bytes:
                    raise Refused(413, f"longer than {limits.question_bytes} bytes")
    if time_limit.cancelled_caught:
        raise Refused(408, "the request took too long to arrive")
    return bytes(body)


async def _stop_at_signal(
    stop: trio.Event, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            stop.set()
            return
