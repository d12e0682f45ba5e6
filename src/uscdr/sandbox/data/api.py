"""The data API: databases, transfers, schedules."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from uscdr.sandbox.core import core_of
from uscdr.sandbox.data.cluster import Facts
from uscdr.sandbox.data.schedules import daily
from uscdr.sandbox.platform.apps import app_of
from uscdr.sandbox.web.errors import ApiError, invalid, not_found
from uscdr.sandbox.web.requests import answer, body_of, route
from uscdr.sandbox.world.entities import Addon
from uscdr.sandbox.world.transfer import data_stamp

ARCHIVE_PATH = "/archives/"
_LAST_HOUR = 23
_V11 = "/client/v11"


def _database(request: Request) -> Addon:
    return core_of(request).world.database(request.path_params["database"])


def _fault(request: Request) -> str:
    return str(request.scope["state"].get("fault", ""))


def _size(size: int) -> str:
    return f"{size / 1024**2:.1f} MB" if size < 1024**3 else f"{size / 1024**3:.2f} GB"


def _info(addon: Addon, facts: Facts) -> list[dict[str, Any]]:
    limit = addon.database.limit if addon.database else 0
    essential = ":essential" in addon.plan
    status = "Available" if facts.reachable else "Unavailable"
    rows = {
        "Plan": addon.plan.partition(":")[2].replace("-", " ").title(),
        "Status": "Preparing" if addon.state == "provisioning" else status,
        "Connections": f"{facts.connections}/{limit}",
        "PG Version": facts.version,
        "Created": data_stamp(addon.created_at),
        "Data Size": _size(facts.size),
        "Tables": str(facts.tables),
        "Fork/Follow": "Unsupported" if essential else "Available",
        "Rollback": "Unsupported" if essential else "earliest from 4 days ago",
        "Continuous Protection": "Off" if essential else "On",
    }
    return [{"name": key, "values": [value]} for key, value in rows.items()]


async def database(request: Request) -> Response:
    """GET /client/v11/databases/{database}."""
    core, addon = core_of(request), _database(request)
    if addon.database is None:
        raise not_found("database")
    facts = await core.cluster.facts(addon.database)
    document = {
        "addon_id": addon.id,
        "name": addon.name,
        "plan": addon.plan.partition(":")[2],
        "database_name": addon.database.name,
        "num_bytes": facts.size,
        "num_connections": facts.connections,
        "num_tables": facts.tables,
        "postgres_version": facts.version,
        "resource_url": core.cluster.url(addon.database),
        "waiting?": addon.state == "provisioning",
        "created_at": data_stamp(addon.created_at),
        "info": _info(addon, facts),
    }
    return answer(document)


async def wait_status(request: Request) -> Response:
    """GET /client/v11/databases/{database}/wait_status."""
    waiting = _database(request).state == "provisioning"
    return answer({"waiting?": waiting, "message": "preparing" if waiting else "available"})


async def reset(request: Request) -> Response:
    """PUT /client/v11/databases/{database}/reset: all data goes."""
    core, addon = core_of(request), _database(request)
    if addon.database is None:
        raise not_found("database")
    async with addon.lock:
        await core.cluster.wipe(addon.database)
    return answer({"message": "Database reset successfully."})


async def capture(request: Request) -> Response:
    """POST /client/v11/databases/{database}/backups."""
    transfer = core_of(request).transfers.capture(_database(request), fault=_fault(request))
    return answer(transfer.document(), 201)


async def restore(request: Request) -> Response:
    """POST /client/v11/databases/{database}/restores."""
    addon, body = _database(request), await body_of(request)
    source = body.get("backup_url")
    if not isinstance(source, str) or not source.startswith(("http://", "https://")):
        raise invalid("backup_url is required.")
    extensions = body.get("extensions") or []
    if not isinstance(extensions, list) or not all(isinstance(one, str) for one in extensions):
        raise invalid("extensions must be a list of names.")
    made = core_of(request).transfers.restore(addon, source, extensions=extensions, fault=_fault(request))
    return answer(made.document(), 201)


async def transfers(request: Request) -> Response:
    """GET /client/v11/apps/{app}/transfers: all of them, unpaged."""
    return answer([one.document() for one in app_of(request).transfers])


async def transfer(request: Request) -> Response:
    """GET /client/v11/apps/{app}/transfers/{transfer}."""
    found = app_of(request).transfer(request.path_params["transfer"])
    return answer(found.document(verbose=request.query_params.get("verbose") == "true"))


async def delete(request: Request) -> Response:
    """DELETE /client/v11/apps/{app}/transfers/{transfer}."""
    app = app_of(request)
    found = app.transfer(request.path_params["transfer"])
    if found.finished_at is None:
        raise ApiError(409, "conflict", "The transfer is still running; cancel it first.")
    core_of(request).transfers.delete(app, found)
    return answer(found.document())


async def cancel(request: Request) -> Response:
    """POST /client/v11/apps/{app}/transfers/{transfer}/actions/cancel."""
    found = app_of(request).transfer(request.path_params["transfer"])
    core_of(request).transfers.cancel(found)
    return answer({"canceled_at": data_stamp(found.canceled_at), "message": "canceled"})


async def public_url(request: Request) -> Response:
    """POST /client/v11/apps/{app}/transfers/{transfer}/actions/public-url."""
    found = app_of(request).transfer(request.path_params["transfer"])
    if not found.is_backup or not found.succeeded:
        raise invalid("Only a finished backup has a URL.")
    link = core_of(request).signer.sign(f"{ARCHIVE_PATH}{found.uuid}.dump")
    return answer({"url": link.url, "expires_at": data_stamp(link.expires_at)})


async def schedules(request: Request) -> Response:
    """GET /client/v11/databases/{database}/transfer-schedules."""
    return answer(_database(request).schedules)


async def create_schedule(request: Request) -> Response:
    """POST /client/v11/databases/{database}/transfer-schedules; one schedule a name."""
    addon, body = _database(request), await body_of(request)
    hour, name = str(body.get("hour", "")), str(body.get("schedule_name") or "DATABASE_URL")
    if not re.fullmatch(r"\d{1,2}", hour) or int(hour) > _LAST_HOUR:
        raise invalid("hour must be between 0 and 23.")
    made = daily(name, hour=int(hour), timezone=str(body.get("timezone") or "UTC"))
    addon.schedules[:] = [one for one in addon.schedules if one["name"] != name]
    addon.schedules.append(made)
    return answer(made, 201)


async def delete_schedule(request: Request) -> Response:
    """DELETE /client/v11/databases/{database}/transfer-schedules/{schedule}."""
    known = _database(request).schedules
    for one in known:
        if one["uuid"] == request.path_params["schedule"]:
            known.remove(one)
            return answer(one)
    raise not_found("schedule")


ROUTES = [
    route("GET", _V11 + "/databases/{database}", database),
    route("GET", _V11 + "/databases/{database}/wait_status", wait_status),
    route("PUT", _V11 + "/databases/{database}/reset", reset),
    route("POST", _V11 + "/databases/{database}/backups", capture),
    route("POST", _V11 + "/databases/{database}/restores", restore),
    route("GET", _V11 + "/databases/{database}/transfer-schedules", schedules),
    route("POST", _V11 + "/databases/{database}/transfer-schedules", create_schedule),
    route("DELETE", _V11 + "/databases/{database}/transfer-schedules/{schedule}", delete_schedule),
    route("GET", _V11 + "/apps/{app}/transfers", transfers),
    route("GET", _V11 + "/apps/{app}/transfers/{transfer}", transfer),
    route("DELETE", _V11 + "/apps/{app}/transfers/{transfer}", delete),
    route("POST", _V11 + "/apps/{app}/transfers/{transfer}/actions/cancel", cancel),
    route("POST", _V11 + "/apps/{app}/transfers/{transfer}/actions/public-url", public_url),
]
