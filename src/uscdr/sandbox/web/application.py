"""The API port as one ASGI application: audit, faults, authentication, routes."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from uscdr.sandbox import control
from uscdr.sandbox.audit import AuditLog, AuditMiddleware
from uscdr.sandbox.control_paths import PREFIX
from uscdr.sandbox.core import Core
from uscdr.sandbox.damage import routes as damage_routes
from uscdr.sandbox.data import api, storage
from uscdr.sandbox.dns import control as dns_control
from uscdr.sandbox.faults.middleware import FaultMiddleware
from uscdr.sandbox.media import control as media_control
from uscdr.sandbox.platform import account as accounts
from uscdr.sandbox.platform import addons, apps, certificates, domains, dynos, releases, services, sharing
from uscdr.sandbox.web.errors import ApiError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OPEN = ("/api/v4/", "/log-streams/", "/streams/", "/archives/", "/source-blobs/", "/buildpacks/")
_SUSPENDED = "There is an issue with your account. Please contact support at https://help.heroku.com."
_JSON_TYPE = "application/vnd.heroku+json"


class GateMiddleware:
    """Asks for the token and the API version, and adds what every API answer carries."""

    def __init__(self, application: ASGIApp, *, core: Core) -> None:
        self._application = application
        self._core = core

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through or answer 401 or 406."""
        request = Request(scope)
        refused = self._refusal(request)
        if refused:
            await _error(refused)(scope, receive, send)
            return
        caller = self._core.world.bearer(_bearer(request))

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                remaining = str(accounts.RATE_POOL).encode()
                message["headers"] = [*message["headers"], (b"ratelimit-remaining", remaining)]
            await send(message)

        # Open addresses and the control endpoint have no caller: they act for the sandbox itself.
        with self._core.world.acting(caller) if caller else contextlib.nullcontext():
            await self._application(scope, receive, answer)

    def _refusal(self, request: Request) -> ApiError | None:
        path = request.url.path
        if path.startswith(_OPEN):
            return None
        token = _bearer(request)
        if path.startswith(PREFIX):
            known = secrets.compare_digest(token.encode(), self._core.secret.encode())
            return None if known else ApiError(401, "unauthorized", "Invalid credentials provided.")
        account = self._core.world.bearer(token)
        if account is None:
            return ApiError(401, "unauthorized", "Invalid credentials provided.")
        if account.suspended_at:
            return ApiError(403, "suspended", _SUSPENDED)
        if not _speaks_version(request.headers.get("accept", "")):
            return ApiError(406, "not_acceptable", "Unsupported API version; ask for version=3.")
        return None


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _speaks_version(accept: str) -> bool:
    return any(
        _JSON_TYPE in kind and "version=3" in kind.replace(" ", "").split(";", 1)[-1] for kind in accept.split(",")
    )


def _error(error: ApiError) -> JSONResponse:
    return JSONResponse(error.body, status_code=error.status)


async def _api_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return _error(error)


async def _unknown(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = {404: "The requested API endpoint was not found.", 405: "Method not allowed."}
    body = {"id": "not_found", "message": words.get(status, "Internal server error.")}
    return JSONResponse(body, status_code=404 if status == 405 else status)  # noqa: PLR2004 - HTTP


def build(core: Core, log: AuditLog) -> Starlette:
    """The whole API."""
    routes = [
        *control.ROUTES,
        *damage_routes.ROUTES,
        *apps.ROUTES,
        *addons.ROUTES,
        *services.ROUTES,
        *releases.ROUTES,
        *dynos.ROUTES,
        *accounts.ROUTES,
        *domains.ROUTES,
        *certificates.ROUTES,
        *sharing.ROUTES,
        *dns_control.ROUTES,
        *media_control.ROUTES,
        *api.ROUTES,
        *storage.ROUTES,
    ]
    application = Starlette(
        routes=routes,
        middleware=[
            Middleware(AuditMiddleware, log=log, control_prefix=PREFIX),
            Middleware(FaultMiddleware, rules=core.faults, control_prefix=PREFIX),
            Middleware(GateMiddleware, core=core),
        ],
        exception_handlers={ApiError: _api_error, HTTPException: _unknown},
    )
    application.state.core = core
    return application
