"""Reading requests and writing answers as the provider does."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from uscdr.sandbox.web.errors import ApiError
from uscdr.sandbox.web.ranges import paginate

Handler = Callable[[Request], Awaitable[Response]]


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object of a request; an empty body is an empty object. Raises 400."""
    raw = await request.body()
    if not raw:
        return {}
    try:
        document = json.loads(raw)
    except ValueError:
        raise ApiError(400, "bad_request", "Unable to parse the JSON request body.") from None
    if not isinstance(document, dict):
        raise ApiError(400, "bad_request", "The request body must be a JSON object.")
    return document


def fault_of(request: Request) -> str:
    """The fault with an effect of its own that is due for this call; empty for none."""
    return str(request.scope["state"].get("fault", ""))


def answer(document: Any, status: int = 200) -> JSONResponse:  # noqa: ANN401 - any JSON document
    """A JSON answer."""
    return JSONResponse(document, status_code=status)


def page(request: Request, items: Sequence[dict[str, Any]]) -> JSONResponse:
    """A list, cut to the range asked for."""
    cut = paginate(items, request.headers.get("range"))
    return JSONResponse(cut.items, status_code=cut.status, headers=cut.headers)


def route(method: str, path: str, handler: Handler) -> Route:
    """A route for exactly one method."""
    return Route(path, handler, methods=[method])
