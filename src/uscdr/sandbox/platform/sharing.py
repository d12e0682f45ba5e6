"""Who else may work on an app, and where its log goes."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from uscdr.sandbox.platform import present
from uscdr.sandbox.platform.apps import app_of
from uscdr.sandbox.web.errors import invalid, not_found
from uscdr.sandbox.web.requests import answer, body_of, page, route
from uscdr.sandbox.world.apps import App
from uscdr.sandbox.world.entities import Collaborator, LogDrain, stamp

_DRAIN_SCHEMES = ("http", "https", "syslog", "syslog+tls")


def _person(app: App, one: Collaborator, role: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "app": present.app_ref(app),
        "user": {"id": one.user_id, "email": one.email, "federated": False},
        "role": role,
        "permissions": [],
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
    }


async def collaborators(request: Request) -> Response:
    """GET /apps/{app}/collaborators: the owner first."""
    app = app_of(request)
    owner = Collaborator(app.owner.email, app.id, app.owner.id, app.created_at)
    others = [_person(app, one, "collaborator") for one in app.collaborators]
    return page(request, [_person(app, owner, "owner"), *others])


async def add_collaborator(request: Request) -> Response:
    """POST /apps/{app}/collaborators `{user, silent}`; no mail is sent either way."""
    app, body = app_of(request), await body_of(request)
    email = str(body.get("user") or "").lower()
    if "@" not in email:
        raise invalid("User must be the e-mail address of an account.")
    if email == app.owner.email or any(one.email == email for one in app.collaborators):
        raise invalid("User is already a collaborator on app.")
    made = Collaborator(email)
    app.collaborators.append(made)
    return answer(_person(app, made, "collaborator"), 201)


async def remove_collaborator(request: Request) -> Response:
    """DELETE /apps/{app}/collaborators/{collaborator}, by e-mail address or id."""
    app, key = app_of(request), request.path_params["collaborator"]
    for one in app.collaborators:
        if key in (one.email, one.id):
            app.collaborators.remove(one)
            return answer(_person(app, one, "collaborator"))
    raise not_found("collaborator")


def _drain(app: App, one: LogDrain) -> dict[str, Any]:
    return {
        "id": one.id,
        "app": present.app_ref(app),
        "addon": None,
        "token": one.token,
        "url": one.url,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
    }


async def drains(request: Request) -> Response:
    """GET /apps/{app}/log-drains."""
    app = app_of(request)
    return page(request, [_drain(app, one) for one in app.drains])


async def add_drain(request: Request) -> Response:
    """POST /apps/{app}/log-drains `{url}`; nothing is sent there."""
    app, body = app_of(request), await body_of(request)
    url = str(body.get("url") or "")
    if urlsplit(url).scheme not in _DRAIN_SCHEMES or not urlsplit(url).hostname:
        raise invalid("Url is invalid.")
    if any(one.url == url for one in app.drains):
        raise invalid("Url has already been taken.")
    made = LogDrain(url)
    app.drains.append(made)
    return answer(_drain(app, made), 201)


async def remove_drain(request: Request) -> Response:
    """DELETE /apps/{app}/log-drains/{drain}, by id, token or URL."""
    app, key = app_of(request), request.path_params["drain"]
    for one in app.drains:
        if key in (one.id, one.token, one.url):
            app.drains.remove(one)
            return answer(_drain(app, one))
    raise not_found("log_drain")


ROUTES = [
    route("GET", "/apps/{app}/collaborators", collaborators),
    route("POST", "/apps/{app}/collaborators", add_collaborator),
    route("DELETE", "/apps/{app}/collaborators/{collaborator}", remove_collaborator),
    route("GET", "/apps/{app}/log-drains", drains),
    route("POST", "/apps/{app}/log-drains", add_drain),
    route("DELETE", "/apps/{app}/log-drains/{drain:path}", remove_drain),
]
