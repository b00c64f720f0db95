"""What the collector answers to, told once: routes and the OpenAPI document are made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from probe.serving.clients import Refused

JSON = "application/json"
BINARY = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"

Peer = Callable[[Request], str]  # the client's address, for what is fair and for nothing else
Handler = Callable[[Request], Awaitable[Any]]

# Which statuses a refusal may have, and when.
REFUSALS = {
    400: "It is not what is asked for; the reason says why.",
    404: "There is nothing there.",
    405: "Not with this method.",
    408: "It came too slowly.",
    413: "It is too large.",
    415: "Its encoding is not known here.",
    422: "It is whole, and cannot be read or dated; the reason says why.",
    429: "Too much from there; Retry-After says when to come again.",
    503: "No room now; Retry-After says when to come again. Nothing was stored.",
}
_READ = (400, 404, 405, 429)
_WRITE = tuple(REFUSALS)


class Reason(msgspec.Struct):
    """The body of every refusal."""

    reason: str


@dataclass(frozen=True)
class Parameter:
    name: str
    where: Literal["path", "query"]
    about: str
    pattern: str = ""


@dataclass(frozen=True)
class Endpoint:
    """*body* is the struct that is sent, `bytes` for a batch, None for nothing; *answer* the one
    that is given, `bytes` with its *media* type for what is no JSON."""

    method: str
    path: str
    handle: Handler
    about: str
    body: Any
    answer: Any
    media: str = JSON
    parameters: Sequence[Parameter] = ()


def routes(endpoints: Sequence[Endpoint], refused: Callable[[int], None]) -> list[Route]:
    """Starlette's routes; *refused* counts."""
    return [Route(e.path, _answering(e, refused), methods=[e.method]) for e in endpoints]


def refuse(refused: Refused) -> Response:
    """The answer that says why not, and when to come again."""
    headers = {}
    if refused.retry_after is not None:
        headers["retry-after"] = str(max(1, round(refused.retry_after)))
    body = msgspec.json.encode(Reason(refused.reason))
    return Response(body, refused.status, headers, media_type=JSON)


def openapi(endpoints: Sequence[Endpoint], version: str) -> bytes:
    """The OpenAPI 3.1 document of *endpoints*, JSON."""
    types = [t for e in endpoints for t in (e.body, e.answer) if t not in (None, bytes)]
    shown, components = msgspec.json.schema_components(
        [*types, Reason], ref_template="#/components/schemas/{name}"
    )
    schemas = iter(shown)
    paths: dict[str, dict[str, Any]] = {}
    for e in endpoints:
        operation: dict[str, Any] = {
            "operationId": _operation_id(e),
            "summary": e.about,
            "parameters": [_parameter(p) for p in e.parameters],
        }
        if e.body is bytes:
            operation["requestBody"] = {"required": True, "content": {BINARY: {}}}
        elif e.body is not None:
            content = {JSON: {"schema": next(schemas)}}
            operation["requestBody"] = {"required": True, "content": content}
        answer = {} if e.answer is bytes else {"schema": next(schemas)}
        reason = {JSON: {"schema": {"$ref": "#/components/schemas/Reason"}}}
        operation["responses"] = {
            "200": {"description": "Done.", "content": {e.media: answer}},
            **{
                str(status): {"description": REFUSALS[status], "content": reason}
                for status in (_READ if e.method == "GET" else _WRITE)
            },
        }
        paths.setdefault(e.path, {})[e.method.lower()] = operation
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "zond collector",
                "version": version,
                "description": "Takes measurements, and answers when they are on its disk.",
            },
            "paths": paths,
            "components": {"schemas": components},
        }
    )


def _answering(endpoint: Endpoint, refused: Callable[[int], None]) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            found = await endpoint.handle(request)
        except Refused as exc:
            refused(exc.status)
            return refuse(exc)
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody
        body = found if isinstance(found, bytes) else msgspec.json.encode(found)
        return Response(body, media_type=endpoint.media)

    return answer


def _parameter(p: Parameter) -> dict[str, Any]:
    schema = {"type": "string"} | ({"pattern": f"^{p.pattern}$"} if p.pattern else {})
    return {
        "name": p.name, "in": p.where, "required": p.where == "path", "description": p.about,
        "schema": schema,
    }  # fmt: skip


def _operation_id(e: Endpoint) -> str:
    words = [w.strip("{}") for w in e.path.replace(".", "/").replace("-", "_").split("/") if w]
    return "_".join([e.method.lower(), *words])
