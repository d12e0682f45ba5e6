"""Add-ons and attachments."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from uscdr.sandbox.core import Core, core_of
from uscdr.sandbox.platform import present
from uscdr.sandbox.platform.plans import PLANS, REDIS, Plan, choose
from uscdr.sandbox.web.errors import ApiError, invalid, not_found
from uscdr.sandbox.web.requests import answer, body_of, fault_of, page, route
from uscdr.sandbox.world.entities import Addon, Attachment, Database, stamp

if TYPE_CHECKING:
    from uscdr.sandbox.world.apps import App

_COLOURS = ("AMBER", "BLUE", "COBALT", "GREEN", "IVORY", "JADE", "MAROON", "NAVY", "OLIVE", "PINK", "ROSE", "TEAL")
_SHAPES = ("cubed", "shallow", "tapered", "animated", "curly", "flat", "rigid", "sinuous")
_PROVISIONING, _SLOWLY = 0.5, 3.0  # seconds until an ordered add-on can be used


def document(core: Core, one: Addon) -> dict[str, Any]:
    """An add-on, with plan and service inflated."""
    plan = PLANS[one.plan]
    price = {"cents": plan.cents, "unit": "month", "contract": False, "metered": False, "hourly": None}
    attached = [a.name for a in core.world.attachments if a.addon_id == one.id and a.app_id == one.app_id]
    return {
        "id": one.id,
        "name": one.name,
        "state": one.state,
        "actions": [],
        "addon_service": {"id": one.service, "name": one.service},
        "plan": {"id": one.plan, "name": one.plan, "price": price},
        "billed_price": price,
        "billing_entity": present.app_ref(core.world.app(one.app_id)) | {"type": "app"},
        "app": present.app_ref(core.world.app(one.app_id)),
        "config_vars": [f"{name}_URL" for name in attached],
        "provider_id": one.id,
        "provision_message": "",
        "web_url": f"https://addons-sso.example/{one.id}",
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
    }


async def provision(core: Core, app: App, plan: Plan) -> Addon:
    """Create an add-on that can be used at once, attach it and release its config var."""
    addon = await order(core, app, plan)
    deliver(core, addon)
    return addon


def deliver(core: Core, addon: Addon) -> None:
    """End the wait for an ordered add-on: now its config vars are there, and released."""
    if addon not in core.world.addons:
        return
    addon.state = "provisioned"
    for one in [a for a in core.world.attachments if a.addon_id == addon.id]:
        _publish(core, one, addon)


def withhold(core: Core, addon: Addon) -> None:
    """The provider gives up: the add-on never comes."""
    addon.state = "deprovisioned"
    core.world.attachments[:] = [one for one in core.world.attachments if one.addon_id != addon.id]


async def order(core: Core, app: App, plan: Plan, *, name: str = "", alias: str = "") -> Addon:
    """Create an add-on in state `provisioning`, attached, but without a value for its config var."""
    label = (
        name or f"{plan.service.removeprefix('heroku-')}-{secrets.choice(_SHAPES)}-{secrets.randbelow(90000) + 10000}"
    )
    if any(one.name == label for one in core.world.addons):
        raise invalid(f"Name {label} is already taken")
    addon = Addon(label, plan.service, plan.name, app.id, state="provisioning")
    if plan.connections:
        token = secrets.token_hex(6)
        addon.database = Database(f"d{token}", f"u{token}", limit=plan.connections)
        await core.cluster.create(addon.database)
    if plan.service == REDIS:
        addon.broker = await core.brokers.open()
    core.world.addons.append(addon)
    _bind(core, app, addon, alias=alias or _free_alias(core, app, addon))
    return addon


def _free_alias(core: Core, app: App, addon: Addon) -> str:
    taken = {one.name for one in core.world.attachments_of(app)}
    if addon.service == REDIS:
        return "REDIS"
    colours = [f"HEROKU_POSTGRESQL_{colour}" for colour in _COLOURS]
    return next(name for name in ("DATABASE", *colours) if name not in taken)


def _value(core: Core, addon: Addon) -> str:
    if addon.broker:
        return addon.broker.url
    return core.cluster.url(addon.database) if addon.database else ""


def attach(core: Core, app: App, addon: Addon, *, alias: str) -> Attachment:
    """Attach under a name, replacing what had it, and release."""
    attachment = _bind(core, app, addon, alias=alias)
    _publish(core, attachment, addon)
    return attachment


def _bind(core: Core, app: App, addon: Addon, *, alias: str) -> Attachment:
    for old in [one for one in core.world.attachments_of(app) if one.name == alias]:
        core.world.attachments.remove(old)
    attachment = Attachment(alias, app.id, addon.id)
    core.world.attachments.append(attachment)
    return attachment


def _publish(core: Core, attachment: Attachment, addon: Addon) -> None:
    app = core.world.app(attachment.app_id)
    app.config[f"{attachment.name}_URL"] = _value(core, addon)
    core.releases.create(app, f"Attach {attachment.name} ({addon.name})")


def detach(core: Core, attachment: Attachment) -> None:
    """Take an attachment and its config var away, and release."""
    app = core.world.app(attachment.app_id)
    core.world.attachments.remove(attachment)
    if app.gone:
        return
    app.config.pop(f"{attachment.name}_URL", None)
    core.releases.create(app, f"Detach {attachment.name}")


async def destroy(core: Core, addon: Addon) -> None:
    """Remove an add-on with its attachments and data."""
    for one in [a for a in core.world.attachments if a.addon_id == addon.id]:
        detach(core, one)
    core.world.addons.remove(addon)
    if addon.broker:
        core.brokers.remove(addon.broker)
    if addon.database:
        await core.cluster.remove(addon.database)


async def list_of_app(request: Request) -> Response:
    """GET /apps/{app}/addons."""
    core = core_of(request)
    app = core.world.app(request.path_params["app"])
    return page(request, [document(core, one) for one in core.world.addons_of(app)])


async def list_all(request: Request) -> Response:
    """GET /addons."""
    core = core_of(request)
    return page(request, [document(core, one) for one in core.world.addons_seen()])


async def create(request: Request) -> Response:
    """POST /apps/{app}/addons."""
    core, body = core_of(request), await body_of(request)
    app = core.world.app(request.path_params["app"])
    wanted = body.get("plan")
    name = wanted.get("name") if isinstance(wanted, dict) else wanted
    if not isinstance(name, str):
        raise invalid("Plan is required.")
    alias = str((body.get("attachment") or {}).get("name") or "")
    addon = await order(core, app, choose(name), name=str(body.get("name") or ""), alias=alias)
    wait = _SLOWLY if fault_of(request) == "slow-provisioning" else _PROVISIONING
    end = withhold if fault_of(request) == "addon-fails" else deliver
    asyncio.get_running_loop().call_later(wait, end, core, addon)
    return answer(document(core, addon), 201)


def _find(request: Request) -> Addon:
    core = core_of(request)
    addon = core.world.addon(request.path_params["addon"])
    if "app" in request.path_params and addon not in core.world.addons_of(core.world.app(request.path_params["app"])):
        raise not_found("add_on")
    return addon


async def show(request: Request) -> Response:
    """GET /addons/{addon} and /apps/{app}/addons/{addon}."""
    return answer(document(core_of(request), _find(request)))


async def remove(request: Request) -> Response:
    """DELETE /apps/{app}/addons/{addon}."""
    core, addon = core_of(request), _find(request)
    gone = document(core, addon) | {"state": "deprovisioned"}
    await destroy(core, addon)
    return answer(gone)


async def attachments(request: Request) -> Response:
    """GET /apps/{app}/addon-attachments."""
    core = core_of(request)
    app = core.world.app(request.path_params["app"])
    inclusion = request.headers.get("accept-inclusion", "")
    found = core.world.attachments_of(app)
    return page(request, [present.attachment(core, one, inclusion=inclusion) for one in found])


async def all_attachments(request: Request) -> Response:
    """GET /addon-attachments."""
    core = core_of(request)
    inclusion = request.headers.get("accept-inclusion", "")
    return page(request, [present.attachment(core, one, inclusion=inclusion) for one in core.world.attachments_seen()])


async def attachments_of_addon(request: Request) -> Response:
    """GET /addons/{addon}/addon-attachments."""
    core, addon = core_of(request), _find(request)
    found = [one for one in core.world.attachments if one.addon_id == addon.id]
    inclusion = request.headers.get("accept-inclusion", "")
    return page(request, [present.attachment(core, one, inclusion=inclusion) for one in found])


async def create_attachment(request: Request) -> Response:
    """POST /addon-attachments; taking a name that is in use needs `confirm`."""
    core, body = core_of(request), await body_of(request)
    app, addon = core.world.app(_name(body.get("app"))), core.world.addon(_name(body.get("addon")))
    alias = str(body.get("name") or _free_alias(core, app, addon))
    used = [one for one in core.world.attachments_of(app) if one.name == alias]
    if used and body.get("confirm") != app.name:
        raise ApiError(423, "confirmation_required", f"{alias} is in use; confirm with the app's name.")
    return answer(present.attachment(core, attach(core, app, addon, alias=alias)), 201)


def _name(value: object) -> str:
    named = value.get("name") or value.get("id") if isinstance(value, dict) else value
    return str(named)


async def remove_attachment(request: Request) -> Response:
    """DELETE /addon-attachments/{id}."""
    core = core_of(request)
    for one in core.world.attachments_seen():
        if one.id == request.path_params["attachment"]:
            shown = present.attachment(core, one)
            detach(core, one)
            return answer(shown)
    raise not_found("add_on attachment")


async def resolve(request: Request) -> Response:
    """POST /actions/addon-attachments/resolve: by attachment name, its config var, or add-on name or id."""
    core, body = core_of(request), await body_of(request)
    wanted, owner = str(body.get("addon_attachment", "")), body.get("app")
    app = core.world.app(_name(owner)) if owner else None
    if "::" in wanted:
        other, _, wanted = wanted.partition("::")
        app = core.world.app(other)
    pool = core.world.attachments_of(app) if app else core.world.attachments_seen()
    names = {wanted.upper(), wanted.upper().removesuffix("_URL")}
    found = [one for one in pool if one.name in names or one.id == wanted]
    if not found:
        known = {one.id for one in core.world.addons_seen() if wanted in (one.name, one.id)}
        found = [one for one in pool if one.addon_id in known]
    if not found:
        raise not_found("add_on attachment")
    inclusion = request.headers.get("accept-inclusion", "")
    return answer([present.attachment(core, one, inclusion=inclusion) for one in found])


async def resolve_addon(request: Request) -> Response:
    """POST /actions/addons/resolve: by add-on name or id, or within an app by attachment or service."""
    core, body = core_of(request), await body_of(request)
    wanted, owner = str(body.get("addon", "")), body.get("app")
    found = [one for one in core.world.addons_seen() if wanted in (one.name, one.id)]
    if not found and owner:
        app = core.world.app(_name(owner))
        attached = {one.addon_id for one in core.world.attachments_of(app) if one.name == wanted}
        found = [one for one in core.world.addons if one.id in attached]
        found = found or [one for one in core.world.addons_of(app) if one.service == wanted]
    if not found:
        raise not_found("add_on")
    return answer([document(core, one) for one in found])


ROUTES = [
    route("GET", "/addons", list_all),
    route("GET", "/addons/{addon}", show),
    route("GET", "/addons/{addon}/addon-attachments", attachments_of_addon),
    route("GET", "/apps/{app}/addons", list_of_app),
    route("POST", "/apps/{app}/addons", create),
    route("GET", "/apps/{app}/addons/{addon}", show),
    route("DELETE", "/apps/{app}/addons/{addon}", remove),
    route("GET", "/apps/{app}/addon-attachments", attachments),
    route("GET", "/addon-attachments", all_attachments),
    route("POST", "/addon-attachments", create_attachment),
    route("DELETE", "/addon-attachments/{attachment}", remove_attachment),
    route("POST", "/actions/addon-attachments/resolve", resolve),
    route("POST", "/actions/addons/resolve", resolve_addon),
]
