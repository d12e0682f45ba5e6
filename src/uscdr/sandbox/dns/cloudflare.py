"""The records API of a DNS provider, shaped as Cloudflare's v4 API, on the zones the name servers serve.

Paths: https://developers.cloudflare.com/api (zones, DNS records). TTLs below the real minimum of 60 s are taken.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from uscdr.sandbox.dns.cloudflare_records import CloudflareError, Edit, Entry, document, entries
from uscdr.sandbox.dns.server import Hosting
from uscdr.sandbox.dns.zone import Zone
from uscdr.sandbox.web.errors import ApiError
from uscdr.sandbox.web.requests import body_of, route

PREFIX = "/client/v4/"
_DEFAULT_PAGE, _LARGEST_PAGE = 100, 5000
_RECORDS = PREFIX + "zones/{zone}/dns_records"
_EDIT, _READ = ["#dns_records:edit", "#dns_records:read", "#zone:read"], ["#zone:read"]


def hosting_of(request: Request) -> Hosting:
    """The zones that this request is about."""
    hosting: Hosting = request.app.state.hosting
    return hosting


def _authorised(request: Request) -> None:
    header = request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if not header:
        raise CloudflareError(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
    if scheme.lower() != "bearer" or not token:
        raise CloudflareError(400, 6003, "Invalid request headers")
    if not secrets.compare_digest(token.encode(), hosting_of(request).token.encode()):
        raise CloudflareError(403, 9109, "Invalid access token")


def _zone_of(request: Request) -> Zone:
    """The zone in the path, if its records may be seen. Raises 403 and 404."""
    _authorised(request)
    hosting, wanted = hosting_of(request), request.path_params["zone"]
    if wanted == hosting.foreign.id:
        raise CloudflareError(403, 10000, "Authentication error")
    if wanted != hosting.zone.id:
        raise CloudflareError(
            404, 7003, f"Could not route to /client/v4/zones/{wanted}, perhaps your object identifier is invalid?"
        )
    return hosting.zone


def _done(result: Any, status: int = 200, info: dict[str, int] | None = None) -> JSONResponse:  # noqa: ANN401 - JSON
    body = {"result": result, "success": True, "errors": [], "messages": []}
    return JSONResponse(body | ({"result_info": info} if info else {}), status_code=status)


def _page(request: Request, items: list[dict[str, Any]]) -> JSONResponse:
    try:
        number = int(request.query_params.get("page", "1"))
        size = int(request.query_params.get("per_page", str(_DEFAULT_PAGE)))
    except ValueError:
        raise CloudflareError(400, 9003, "Invalid page or per_page") from None
    if number < 1 or not 1 <= size <= _LARGEST_PAGE:
        raise CloudflareError(400, 9003, "Invalid page or per_page")
    cut = items[(number - 1) * size : number * size]
    pages = -(-len(items) // size)
    info = {"page": number, "per_page": size, "count": len(cut), "total_count": len(items), "total_pages": pages}
    return _done(cut, info=info)


async def zones(request: Request) -> Response:
    """GET /zones: every zone the token may see, not only those whose records it may edit."""
    _authorised(request)
    hosting = hosting_of(request)
    name = request.query_params.get("name")
    servers = ["ns1.usc-pis.example", "ns2.usc-pis.example"]
    shown = [
        {
            "id": zone.id,
            "name": zone.name,
            "status": "active",
            "paused": False,
            "type": "full",
            "name_servers": servers,
            "permissions": _EDIT if zone is hosting.zone else _READ,
        }
        for zone in (hosting.zone, hosting.foreign)
        if name in (None, zone.name)
    ]
    return _page(request, shown)


async def listing(request: Request) -> Response:
    """GET /zones/{zone}/dns_records, filtered by `name` and `type`."""
    zone = _zone_of(request)
    filters = {key: request.query_params.get(key) for key in ("name", "type", "content")}
    shown = [document(zone, one) for one in entries(zone)]
    kept = [
        one
        for one in shown
        if all(value is None or str(one[key]).lower() == value.lower().rstrip(".") for key, value in filters.items())
    ]
    return _page(request, kept)


def _found(zone: Zone, wanted: str) -> Entry:
    for one in entries(zone):
        if zone.mark(one.name, one.data).id == wanted:
            return one
    raise CloudflareError(404, 81044, "Record does not exist.")


async def show(request: Request) -> Response:
    """GET /zones/{zone}/dns_records/{record}."""
    zone = _zone_of(request)
    return _done(document(zone, _found(zone, request.path_params["record"])))


async def create(request: Request) -> Response:
    """POST /zones/{zone}/dns_records."""
    zone, body = _zone_of(request), await body_of(request)
    edit = Edit(zone)
    made = edit.add(body)
    edit.commit()
    return _done(document(zone, made))


async def change(request: Request) -> Response:
    """PATCH (some fields) and PUT (the whole record) of /zones/{zone}/dns_records/{record}."""
    zone, body = _zone_of(request), await body_of(request)
    edit = Edit(zone)
    made = edit.change(_found(zone, request.path_params["record"]), body, whole=request.method == "PUT")
    edit.commit()
    return _done(document(zone, made))


async def delete(request: Request) -> Response:
    """DELETE /zones/{zone}/dns_records/{record}."""
    zone, wanted = _zone_of(request), request.path_params["record"]
    edit = Edit(zone)
    edit.remove(_found(zone, wanted))
    edit.commit()
    return _done({"id": wanted})


async def batch(request: Request) -> Response:
    """POST /zones/{zone}/dns_records/batch: deletes, patches, puts and posts, in this order, all or none."""
    zone, body = _zone_of(request), await body_of(request)
    edit = Edit(zone)
    doomed = [(one["id"], _found(zone, str(one["id"]))) for one in _list(body, "deletes")]
    gone = [document(zone, one) for _, one in doomed]
    for _, one in doomed:
        edit.remove(one)
    changed = {
        name: [edit.change(_found(zone, str(one["id"])), one, whole=whole) for one in _list(body, name)]
        for name, whole in (("patches", False), ("puts", True))
    }
    posts = [edit.add(one) for one in _list(body, "posts")]
    edit.commit()
    shown = {name: [document(zone, one) for one in made] for name, made in {**changed, "posts": posts}.items()}
    return _done({"deletes": gone, **shown})


def _list(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    items = body.get(name) or []
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise CloudflareError(400, 9207, f"{name} must be a list of records.")
    if name != "posts" and not all("id" in one for one in items):
        raise CloudflareError(400, 9207, f"{name} need ids.")
    return items


ROUTES = [
    route("GET", PREFIX + "zones", zones),
    route("POST", _RECORDS + "/batch", batch),
    route("GET", _RECORDS, listing),
    route("POST", _RECORDS, create),
    route("GET", _RECORDS + "/{record}", show),
    route("PUT", _RECORDS + "/{record}", change),
    route("PATCH", _RECORDS + "/{record}", change),
    route("DELETE", _RECORDS + "/{record}", delete),
]


async def _refused(_request: Request, error: Exception) -> Response:
    if isinstance(error, CloudflareError):
        return JSONResponse(error.body, status_code=error.status)
    if isinstance(error, ApiError):
        return JSONResponse(CloudflareError(error.status, 9207, str(error)).body, status_code=error.status)
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse(CloudflareError(status, 7000, "No route for that URI").body, status_code=status)


def build(hosting: Hosting, middleware: Sequence[Middleware] = ()) -> Starlette:
    """The API as an application."""
    handlers = {ApiError: _refused, HTTPException: _refused}
    application = Starlette(routes=ROUTES, middleware=list(middleware), exception_handlers=handlers)
    application.state.hosting = hosting
    return application
