"""The media service's port as one ASGI application: audit, faults, API, delivery, status page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from uscdr.sandbox.audit import AuditLog, AuditMiddleware
from uscdr.sandbox.control_paths import PREFIX
from uscdr.sandbox.faults.middleware import FaultMiddleware
from uscdr.sandbox.faults.rules import CLOUDINARY
from uscdr.sandbox.media import admin, changes, delivery, edits, fields, search, uploads
from uscdr.sandbox.media.errors import MediaError
from uscdr.sandbox.media.service import MediaService, service_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from uscdr.sandbox.media.status_page import StatusPage


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, MediaError):
        raise error
    # A header is latin-1 and one line; the message may hold any public id.
    told = error.message.encode("ascii", "backslashreplace").decode().replace("\n", " ")
    return JSONResponse(error.body, status_code=error.status, headers={"X-Cld-Error": told})


async def _unknown(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return await _refused(request, MediaError(status, f"Unknown address {request.url.path}"))


def _page(path: str, shown: Callable[[StatusPage], dict[str, Any]]) -> Route:
    async def endpoint(request: Request) -> Response:
        return JSONResponse(shown(service_of(request).status))

    return Route(f"/api/v2/{path}.json", endpoint, methods=["GET"])


async def _maintenances(request: Request) -> Response:
    document = service_of(request).status.status()
    return JSONResponse({"page": document["page"], "scheduled_maintenances": []})


def _status_routes() -> list[Route]:
    return [
        _page("status", lambda page: page.status()),
        _page("summary", lambda page: page.summary()),
        _page("components", lambda page: page.components()),
        _page("incidents/unresolved", lambda page: page.incidents()),
        Route("/api/v2/scheduled-maintenances/active.json", _maintenances, methods=["GET"]),
    ]


def build(service: MediaService, log: AuditLog) -> Starlette:
    """Everything behind the port. Fixed paths come before those that take any name."""
    routes = [
        *_status_routes(),
        *search.ROUTES,
        *delivery.API_ROUTES,
        *changes.ROUTES,
        *admin.ROUTES,
        *fields.ROUTES,
        *uploads.ROUTES,
        *edits.ROUTES,
        *delivery.ROUTES,
    ]
    application = Starlette(
        routes=routes,
        middleware=[
            Middleware(AuditMiddleware, log=log, control_prefix=PREFIX, provider=CLOUDINARY),
            Middleware(FaultMiddleware, rules=service.faults, control_prefix=PREFIX, provider=CLOUDINARY),
        ],
        exception_handlers={MediaError: _refused, HTTPException: _unknown},
    )
    application.state.service = service
    return application
