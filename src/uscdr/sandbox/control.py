"""The sandbox's own endpoint: status, faults and damage. Not part of the provider, and not audited."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from uscdr.sandbox.control_paths import PREFIX
from uscdr.sandbox.core import Core, core_of
from uscdr.sandbox.damage.kinds import KINDS, damage
from uscdr.sandbox.faults.rules import HEROKU, PROVIDERS, Rule, valid_kind
from uscdr.sandbox.web.errors import ApiError, invalid, not_found
from uscdr.sandbox.web.requests import answer, body_of, route
from uscdr.sandbox.world.apps import App
from uscdr.sandbox.world.entities import Addon, stamp


def _app_status(core: Core, app: App) -> dict[str, Any]:
    return {
        "name": app.name,
        "web_url": app.web_url,
        "owner": app.owner.email,
        "mails": core.mail.counts[app.name],
        "maintenance": app.maintenance,
        "release": app.current.version if app.current else None,
        "dynos": [{"name": one.name, "state": one.state} for one in app.dynos],
        "addons": [{"name": one.name, "plan": one.plan, "state": one.state} for one in core.world.addons_of(app)],
        "transfers": [
            {
                "name": one.name,
                "succeeded": one.succeeded,
                "bytes": one.processed_bytes,
                "started_at": one.started_at.isoformat(timespec="milliseconds") if one.started_at else None,
                "finished_at": stamp(one.finished_at),
                "seconds": one.seconds,
            }
            for one in app.transfers
        ],
    }


async def status(request: Request) -> Response:
    """GET status: every app with its dynos, add-ons and transfers."""
    core = core_of(request)
    return answer({"apps": [_app_status(core, app) for app in core.world.apps]})


async def mail(request: Request) -> Response:
    """GET mail: how many messages each app handed to the relay."""
    return answer({"relay": core_of(request).mail.address, "sent": dict(core_of(request).mail.counts)})


async def faults(request: Request) -> Response:
    """GET faults: the rules in force."""
    return answer([rule.document() for rule in core_of(request).faults.rules])


async def add_fault(request: Request) -> Response:
    """POST faults: add a rule."""
    body = await body_of(request)
    if not valid_kind(str(body.get("kind"))):
        raise invalid(f"There is no fault kind {body.get('kind')}.")
    provider = str(body.get("provider") or HEROKU)
    if provider not in PROVIDERS:
        raise invalid(f"provider must be one of {', '.join(PROVIDERS)}.")
    rule = Rule(
        kind=str(body["kind"]),
        provider=provider,
        method=str(body.get("method") or "*").upper(),
        path=str(body.get("path") or "*"),
        call=int(body.get("call") or 1),
        count=int(body.get("count", 1)),
    )
    core_of(request).faults.rules.append(rule)
    return answer(rule.document(), 201)


async def clear_faults(request: Request) -> Response:
    """DELETE faults: remove all rules."""
    return answer({"removed": core_of(request).faults.clear()})


def _database_addon(core: Core, app: App) -> Addon:
    for one in core.world.attachments_of(app):
        if one.name == "DATABASE":
            return core.world.database(one.addon_id)
    raise not_found("database")


async def break_database(request: Request) -> Response:
    """POST break: damage the app's database for real."""
    core, body = core_of(request), await body_of(request)
    how, app = str(body.get("how")), core.world.app(str(body.get("app")))
    if how not in KINDS:
        raise invalid(f"how must be one of {', '.join(KINDS)}.")
    database = _database_addon(core, app).database
    if database is None:
        raise not_found("database")
    dsn, server = await core.cluster.breaking_dsn(database), core.cluster.admin_dsn()
    try:
        done = await asyncio.to_thread(damage, how, dsn=dsn, server_dsn=server, database=database.name)
    except ValueError as error:
        raise ApiError(422, "invalid_params", str(error)) from error
    return answer({"how": how, "app": app.name, "damage": [one.document() for one in done]})


ROUTES = [
    route("GET", PREFIX + "status", status),
    route("GET", PREFIX + "mail", mail),
    route("GET", PREFIX + "faults", faults),
    route("POST", PREFIX + "faults", add_fault),
    route("DELETE", PREFIX + "faults", clear_faults),
    route("POST", PREFIX + "break", break_database),
]
