"""Dynos, formation and log sessions."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from uscdr.sandbox.core import Core, core_of
from uscdr.sandbox.dynos.oneoff import OneOffRequest
from uscdr.sandbox.dynos.supervisor import ONE_OFF
from uscdr.sandbox.logplex import LogSession, events
from uscdr.sandbox.platform import present
from uscdr.sandbox.platform.apps import app_of
from uscdr.sandbox.web.errors import invalid, not_found
from uscdr.sandbox.web.requests import answer, body_of, page, route
from uscdr.sandbox.world.apps import App
from uscdr.sandbox.world.entities import FormationEntry, new_id, now, stamp

_SIZES = ("eco", "basic", "standard-1x", "standard-2x", "performance-m", "performance-l")
_MOST, _LONGEST = 100, 86400


async def listing(request: Request) -> Response:
    """GET /apps/{app}/dynos."""
    return page(request, [present.dyno(one) for one in app_of(request).dynos])


async def show(request: Request) -> Response:
    """GET /apps/{app}/dynos/{dyno}."""
    return answer(present.dyno(app_of(request).dyno(request.path_params["dyno"])))


async def create(request: Request) -> Response:
    """POST /apps/{app}/dynos: a one-off."""
    app, body = app_of(request), await body_of(request)
    command = body.get("command")
    if not isinstance(command, str) or not command:
        raise invalid("Command is required.")
    lifetime = body.get("time_to_live") or _LONGEST
    if not isinstance(lifetime, int) or not 0 < lifetime <= _LONGEST:
        raise invalid(f"time_to_live must be between 1 and {_LONGEST}.")
    wanted = OneOffRequest(
        command=command,
        attach=bool(body.get("attach")),
        env={str(key): str(value) for key, value in (body.get("env") or {}).items()},
        size=str(body.get("size") or "Basic"),
        tty=not body.get("force_no_tty"),
        time_to_live=float(lifetime),
        fault=str(request.scope["state"].get("fault", "")),
    )
    return answer(present.dyno(await core_of(request).oneoffs.start(app, wanted)), 201)


async def restart_all(request: Request) -> Response:
    """DELETE /apps/{app}/dynos: restart the formation; one-offs go on."""
    core, app = core_of(request), app_of(request)
    core.supervisor.soon(app, restart=tuple(dyno for dyno in app.dynos if dyno.type != ONE_OFF))
    return answer({}, 202)


async def restart_one(request: Request) -> Response:
    """DELETE /apps/{app}/dynos/{dyno}: restart it, or end it if it is a one-off."""
    core, app = core_of(request), app_of(request)
    dyno = app.dyno(request.path_params["dyno"])
    if dyno.type == ONE_OFF:
        await core.oneoffs.stop(dyno)
    else:
        core.supervisor.soon(app, restart=(dyno,))
    return answer({}, 202)


async def stop_one(request: Request) -> Response:
    """POST /apps/{app}/dynos/{dyno}/actions/stop."""
    return await restart_one(request)


async def restart_type(request: Request) -> Response:
    """DELETE /apps/{app}/formations/{type}: restart one process type."""
    core, app = core_of(request), app_of(request)
    named = request.path_params["type"]
    if named not in app.formation:
        raise not_found("formation")
    core.supervisor.soon(app, restart=tuple(dyno for dyno in app.dynos if dyno.type == named))
    return answer({}, 202)


async def formation(request: Request) -> Response:
    """GET /apps/{app}/formation."""
    app = app_of(request)
    return page(request, [present.formation(app, one) for one in app.formation.values()])


async def show_formation(request: Request) -> Response:
    """GET /apps/{app}/formation/{type}."""
    app = app_of(request)
    return answer(present.formation(app, _entry(app, request.path_params["type"])))


def _entry(app: App, named: str) -> FormationEntry:
    for entry in app.formation.values():
        if named in (entry.type, entry.id):
            return entry
    raise not_found("formation")


def _quantity(value: Any, present_value: int) -> int:  # noqa: ANN401 - any JSON value
    text = str(value)
    if not re.match(r"^[+-]?\d+$", text) or isinstance(value, bool):
        raise invalid("Quantity must be a number.")
    number = present_value + int(text) if text[0] in "+-" else int(text)
    if not 0 <= number <= _MOST:
        raise invalid(f"Cannot scale to {number} dynos.")
    return number


def scale(core: Core, app: App, updates: list[dict[str, Any]]) -> list[FormationEntry]:
    """Change quantities and sizes, all or nothing; dynos follow in the background."""
    planned = []
    for update in updates:
        entry = _entry(app, str(update.get("type")))
        quantity = _quantity(update.get("quantity", entry.quantity), entry.quantity)
        size = str(update.get("size") or entry.size)
        if size.lower() not in _SIZES:
            raise invalid(f"{size} is no dyno size.")
        planned.append((entry, quantity, entry.size if size.lower() == entry.size.lower() else size))
    for entry, quantity, size in planned:
        entry.quantity, entry.size, entry.updated_at = quantity, size, now()
        app.logs.append("app", "api", f"Scaled to {entry.type}@{quantity}:{size}")
    core.supervisor.soon(app)
    return [entry for entry, _, _ in planned]


async def update_formation(request: Request) -> Response:
    """PATCH /apps/{app}/formation."""
    core, app, body = core_of(request), app_of(request), await body_of(request)
    updates = body.get("updates")
    if not isinstance(updates, list) or not all(isinstance(one, dict) for one in updates):
        raise invalid("updates must be a list.")
    return answer([present.formation(app, one) for one in scale(core, app, updates)])


async def update_one(request: Request) -> Response:
    """PATCH /apps/{app}/formation/{type}."""
    core, app, body = core_of(request), app_of(request), await body_of(request)
    entries = scale(core, app, [{**body, "type": request.path_params["type"]}])
    return answer(present.formation(app, entries[0]))


async def create_session(request: Request) -> Response:
    """POST /apps/{app}/log-sessions; both spellings of the filters are understood."""
    core, app, body = core_of(request), app_of(request), await body_of(request)
    session = LogSession(
        app.logs,
        lines=int(body.get("lines") or 100),
        tail=bool(body.get("tail")),
        dyno=body.get("dyno") or body.get("dyno_name") or body.get("type"),
        source=body.get("source"),
    )
    made = stamp(now())
    url = f"{core.api_url}/log-streams/{core.sessions.create(session)}"
    return answer({"id": new_id(), "logplex_url": url, "created_at": made, "updated_at": made}, 201)


async def stream(request: Request) -> Response:
    """GET of a logplex URL: server-sent events; 404 for an unknown or expired session."""
    session = core_of(request).sessions.find(request.path_params["session"])
    if session is None:
        return PlainTextResponse("Session not found or expired.", status_code=404)
    return StreamingResponse(events(session), media_type="text/event-stream")


ROUTES = [
    route("GET", "/apps/{app}/dynos", listing),
    route("POST", "/apps/{app}/dynos", create),
    route("DELETE", "/apps/{app}/dynos", restart_all),
    route("GET", "/apps/{app}/dynos/{dyno}", show),
    route("DELETE", "/apps/{app}/dynos/{dyno}", restart_one),
    route("POST", "/apps/{app}/dynos/{dyno}/actions/stop", stop_one),
    route("DELETE", "/apps/{app}/formations/{type}", restart_type),
    route("GET", "/apps/{app}/formation", formation),
    route("PATCH", "/apps/{app}/formation", update_formation),
    route("GET", "/apps/{app}/formation/{type}", show_formation),
    route("PATCH", "/apps/{app}/formation/{type}", update_one),
    route("POST", "/apps/{app}/log-sessions", create_session),
    route("GET", "/log-streams/{session}", stream),
]
