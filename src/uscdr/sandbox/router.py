"""The front door of an app: maintenance page, error pages, else a reverse proxy to a web dyno."""

from __future__ import annotations

import html
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from uscdr.sandbox.dynos.dyno import Dyno
    from uscdr.sandbox.world.apps import App

_TIMEOUT = 30.0
_HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers",
    "transfer-encoding", "upgrade", "content-length",
}  # fmt: skip


@dataclass(frozen=True)
class _Failure:
    code: str
    description: str
    heading: str


MAINTENANCE_PAGE, ERROR_PAGE = "MAINTENANCE_PAGE_URL", "ERROR_PAGE_URL"
"""Config variables of an app: pages of its operator that are shown, in a frame, in place of the platform's own."""
_MAINTENANCE = _Failure("H80", "Maintenance mode", "Offline for Maintenance")
_NO_WEB = _Failure("H14", "No web processes running", "Application error")
_CRASHED = _Failure("H10", "App crashed", "Application error")
_STARTING = _Failure("H20", "App boot timeout", "Application error")
_TIMED_OUT = _Failure("H12", "Request timeout", "Application error")
_LEVELS = {_MAINTENANCE.code: "info"}
_CLOSED = _Failure("H13", "Connection closed without response", "Application error")


class Router:
    """An ASGI application for one app."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._turn = itertools.count()
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False, follow_redirects=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        began = time.monotonic()
        dyno = self._choose()
        answer = dyno if isinstance(dyno, _Failure) else await self._forward(request, dyno)
        response = self._page(answer) if isinstance(answer, _Failure) else answer
        name = "" if isinstance(dyno, _Failure) else dyno.name
        self._log(request, name, answer, (time.monotonic() - began) * 1000)
        await response(scope, receive, send)

    def _choose(self) -> Dyno | _Failure:
        if self._app.maintenance:
            return _MAINTENANCE
        web = [dyno for dyno in self._app.dynos if dyno.type == "web" and dyno.state != "down"]
        ready = [dyno for dyno in web if dyno.state == "up"]
        if ready:
            return ready[next(self._turn) % len(ready)]
        if not web:
            return _NO_WEB
        return _CRASHED if all(dyno.state == "crashed" for dyno in web) else _STARTING

    async def _forward(self, request: Request, dyno: Dyno) -> Response | _Failure:
        url = httpx.URL(f"http://127.0.0.1:{dyno.port}", raw_path=_raw_path(request))
        upstream = self._client.build_request(
            request.method, url, headers=_forwarded(request), content=await request.body()
        )
        try:
            answer = await self._client.send(upstream, stream=True)
        except httpx.TimeoutException:
            return _TIMED_OUT
        except httpx.HTTPError:
            return _CLOSED
        response = StreamingResponse(
            answer.aiter_raw(), status_code=answer.status_code, background=BackgroundTask(answer.aclose)
        )
        kept = [(key, value) for key, value in answer.headers.raw if _end_to_end(key)]
        if length := answer.headers.get("content-length"):
            kept.append((b"content-length", length.encode()))
        response.raw_headers = [*kept, (b"via", b"1.1 heroku-router")]
        return response

    def _log(self, request: Request, dyno: str, answer: Response | _Failure, milliseconds: float) -> None:
        status = 503 if isinstance(answer, _Failure) else answer.status_code
        level = "at=info"
        if isinstance(answer, _Failure):
            level = f'at={_LEVELS.get(answer.code, "error")} code={answer.code} desc="{answer.description}"'
        client = request.client.host if request.client else "127.0.0.1"
        where = f'method={request.method} path="{request.url.path}" host={request.url.netloc}'
        whence = f'request_id={uuid4()} fwd="{client}" dyno={dyno}'
        took = f"connect=0ms service={milliseconds:.0f}ms" if dyno else "connect= service="
        size = "" if isinstance(answer, _Failure) else answer.headers.get("content-length", "")
        text = f"{level} {where} {whence} {took} status={status} bytes={size} protocol=https"
        self._app.logs.append("heroku", "router", text)

    def _page(self, failure: _Failure) -> HTMLResponse:
        """The operator's page in a frame, which browsers load themselves; without one the platform's own page."""
        own = self._app.config.get(MAINTENANCE_PAGE if failure is _MAINTENANCE else ERROR_PAGE, "").strip()
        shown = _FRAME.format(html.escape(own)) if own else f"<h1>{failure.heading}</h1>"
        body = f"<!DOCTYPE html><html><head><title>{failure.heading}</title></head><body>{shown}</body></html>"
        headers = {"Server": "Heroku", "Cache-Control": "no-cache, no-store"}
        return HTMLResponse(body, status_code=503, headers=headers)

    async def close(self) -> None:
        """Close connections to dynos."""
        await self._client.aclose()


_FRAME = '<iframe src="{}" style="border:0;width:100%;height:100vh"></iframe>'


def _end_to_end(key: bytes) -> bool:
    return key.decode("latin-1").lower() not in _HOP_BY_HOP


def _raw_path(request: Request) -> bytes:
    path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope["query_string"]
    return path.partition(b"?")[0] + (b"?" + query if query else b"")


def _forwarded(request: Request) -> list[tuple[bytes, bytes]]:
    kept = [
        (key, value)
        for key, value in request.headers.raw
        if _end_to_end(key) and not key.lower().startswith(b"x-forwarded-") and key.lower() != b"x-request-id"
    ]
    client = request.client.host if request.client else "127.0.0.1"
    added = {
        "x-forwarded-proto": "https",
        "x-forwarded-port": "443",
        "x-forwarded-for": client,
        "x-request-id": str(uuid4()),
        "x-request-start": str(int(time.time() * 1000)),
    }
    return [*kept, *((key.encode(), value.encode()) for key, value in added.items())]
