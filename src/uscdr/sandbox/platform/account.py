"""Account, authorizations, teams, service status."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from uscdr.sandbox.core import core_of
from uscdr.sandbox.platform import present
from uscdr.sandbox.web.errors import not_found
from uscdr.sandbox.web.requests import answer, body_of, page, route
from uscdr.sandbox.world.entities import new_id, now, stamp

RATE_POOL = 4500


async def account(request: Request) -> Response:
    """GET /account."""
    return answer(present.account(core_of(request).world.account))


async def rate_limits(_request: Request) -> Response:
    """GET /account/rate-limits: the pool is never used up here; faults do that."""
    return answer({"remaining": RATE_POOL})


async def authorizations(request: Request) -> Response:
    """GET /oauth/authorizations."""
    return page(request, core_of(request).world.authorizations)


async def authorize(request: Request) -> Response:
    """POST /oauth/authorizations: a token that is good until it is revoked."""
    core, body = core_of(request), await body_of(request)
    made: dict[str, Any] = {
        "id": new_id(),
        "description": body.get("description"),
        "scope": body.get("scope") or ["global"],
        "access_token": {"id": new_id(), "token": f"HRKU-{secrets.token_urlsafe(32)}", "expires_in": None},
        "client": None,
        "grant": None,
        "refresh_token": None,
        "session": None,
        "user": present.user_ref(core.world.account),
        "created_at": stamp(now()),
        "updated_at": stamp(now()),
    }
    core.world.authorizations.append(made)
    return answer(made, 201)


async def revoke(request: Request) -> Response:
    """DELETE /oauth/authorizations/{id}."""
    known = core_of(request).world.authorizations
    for one in known:
        if one["id"] == request.path_params["authorization"]:
            known.remove(one)
            return answer(one)
    raise not_found("authorization")


async def current_status(_request: Request) -> Response:
    """GET /api/v4/current-status of the status site."""
    systems = [{"system": name, "status": "green"} for name in ("Apps", "Data", "Tools")]
    return answer({"status": systems, "incidents": [], "scheduled": []})


async def team(_request: Request) -> Response:
    """Teams: none exist."""
    raise not_found("team")


async def teams(request: Request) -> Response:
    """GET /teams."""
    return page(request, [])


ROUTES = [
    route("GET", "/account", account),
    route("GET", "/account/rate-limits", rate_limits),
    route("GET", "/oauth/authorizations", authorizations),
    route("POST", "/oauth/authorizations", authorize),
    route("DELETE", "/oauth/authorizations/{authorization}", revoke),
    route("GET", "/teams", teams),
    route("GET", "/teams/{team}", team),
    route("GET", "/api/v4/current-status", current_status),
]
