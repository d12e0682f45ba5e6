"""Account, authorizations, domains and certificates, service status."""

from __future__ import annotations

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from uscdr.sandbox.core import core_of
from uscdr.sandbox.platform import present
from uscdr.sandbox.platform.apps import app_of
from uscdr.sandbox.web.errors import invalid, not_found
from uscdr.sandbox.web.requests import answer, body_of, page, route
from uscdr.sandbox.world.apps import App
from uscdr.sandbox.world.entities import Domain, new_id, now, stamp

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


async def domains(request: Request) -> Response:
    """GET /apps/{app}/domains."""
    app = app_of(request)
    return page(request, [present.domain(app, one) for one in app.domains])


def _domain(app: App, key: str) -> Domain:
    for one in app.domains:
        if key in (one.id, one.hostname):
            return one
    raise not_found("domain")


async def show_domain(request: Request) -> Response:
    """GET /apps/{app}/domains/{domain}."""
    app = app_of(request)
    return answer(present.domain(app, _domain(app, request.path_params["domain"])))


async def add_domain(request: Request) -> Response:
    """POST /apps/{app}/domains; a hostname belongs to one app at a time."""
    core, app, body = core_of(request), app_of(request), await body_of(request)
    hostname = str(body.get("hostname") or "").lower()
    if "." not in hostname:
        raise invalid("Hostname is invalid.")
    if any(one.hostname == hostname for other in core.world.apps for one in other.domains):
        raise invalid(f"{hostname} is currently in use by another app.")
    cname = f"{secrets.token_hex(10)}.herokudns.example"
    acm = "pending" if app.acm else None
    app.domains.append(Domain(hostname, "custom", cname, acm_status=acm, sni_endpoint=body.get("sni_endpoint")))
    return answer(present.domain(app, app.domains[-1]), 201)


async def remove_domain(request: Request) -> Response:
    """DELETE /apps/{app}/domains/{domain}."""
    app = app_of(request)
    one = _domain(app, request.path_params["domain"])
    if one.kind == "heroku":
        raise invalid("The app's own hostname cannot be removed.")
    app.domains.remove(one)
    return answer(present.domain(app, one))


async def sni_endpoints(request: Request) -> Response:
    """GET /apps/{app}/sni-endpoints: none."""
    app_of(request)
    return page(request, [])


async def enable_acm(request: Request) -> Response:
    """POST /apps/{app}/acm: certificates are issued at once here."""
    core, app = core_of(request), app_of(request)
    app.acm = True
    for one in app.domains:
        if one.kind == "custom":
            one.acm_status = "cert issued"
    return answer(present.app(core, app), 201)


async def disable_acm(request: Request) -> Response:
    """DELETE /apps/{app}/acm."""
    core, app = core_of(request), app_of(request)
    app.acm = False
    for one in app.domains:
        one.acm_status = None
    return answer(present.app(core, app))


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
    route("GET", "/apps/{app}/domains", domains),
    route("POST", "/apps/{app}/domains", add_domain),
    route("GET", "/apps/{app}/domains/{domain}", show_domain),
    route("DELETE", "/apps/{app}/domains/{domain}", remove_domain),
    route("GET", "/apps/{app}/sni-endpoints", sni_endpoints),
    route("POST", "/apps/{app}/acm", enable_acm),
    route("DELETE", "/apps/{app}/acm", disable_acm),
    route("GET", "/teams", teams),
    route("GET", "/teams/{team}", team),
    route("GET", "/api/v4/current-status", current_status),
]
