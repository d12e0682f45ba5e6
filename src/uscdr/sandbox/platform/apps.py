"""Apps, their config vars and the small lists that hang off them."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from uscdr.sandbox.core import Core, core_of
from uscdr.sandbox.logplex import LogBuffer
from uscdr.sandbox.platform import addons, present
from uscdr.sandbox.web.errors import invalid, not_found
from uscdr.sandbox.web.requests import answer, body_of, fault_of, page, route
from uscdr.sandbox.world.apps import App
from uscdr.sandbox.world.entities import REGION, REGIONS, STACK, STACKS, Domain, now

_NAME = re.compile(r"^[a-z][a-z0-9-]{1,28}[a-z0-9]$")
_BUILDPACKS = frozenset({"heroku/nodejs", "heroku/python"})
HEROKU_HOSTS = "herokuapp.example"
_WORDS = ("quiet", "shrouded", "mighty", "young", "lit", "frozen", "stark", "serene")


def app_of(request: Request) -> App:
    """The app named in the path. Raises 404."""
    return core_of(request).world.app(request.path_params["app"])


async def open_app(core: Core, name: str, *, region: str = "us", stack: str = STACK["name"]) -> App:
    """Create an app of the caller with its router and its first two releases. Raises 422 for a bad or taken name."""
    if not _NAME.match(name):
        raise invalid("Name must start with a letter, end with a letter or digit and contain only a-z, 0-9, -.")
    core.world.name_free(name)
    app = App(name, LogBuffer(), core.world.account, region, stack)
    await core.fronts.open(app)
    app.domains.append(Domain(f"{name}-{secrets.token_hex(6)}.{HEROKU_HOSTS}", "heroku", None, "none"))
    core.world.apps.append(app)
    core.releases.create(app, "Initial release")
    core.releases.create(app, "Enable Logplex")
    return app


async def create(request: Request) -> Response:
    """POST /apps."""
    core, body = core_of(request), await body_of(request)
    name = body.get("name") or f"{secrets.choice(_WORDS)}-river-{secrets.randbelow(90000) + 10000}"
    region = _known(body.get("region"), REGIONS, REGION["name"], "region")
    stack = _known(body.get("stack"), STACKS, STACK["name"], "stack")
    app = await open_app(core, str(name), region=region, stack=stack)
    return answer(present.app(core, app), 201)


def _known(value: object, known: Mapping[str, object], default: str, what: str) -> str:
    named = value.get("name") or value.get("id") if isinstance(value, dict) else value
    if named is None:
        return default
    if named not in known:
        raise invalid(f"That {what} is not available.")
    return str(named)


async def listing(request: Request) -> Response:
    """GET /apps and /users/~/apps: the caller's."""
    core = core_of(request)
    return page(request, [present.app(core, one) for one in core.world.seen()])


async def show(request: Request) -> Response:
    """GET /apps/{app}."""
    return answer(present.app(core_of(request), app_of(request)))


async def update(request: Request) -> Response:
    """PATCH /apps/{app}: maintenance and name."""
    core, app, body = core_of(request), app_of(request), await body_of(request)
    if "maintenance" in body:
        if not isinstance(body["maintenance"], bool):
            raise invalid("Maintenance must be true or false.")
        app.maintenance = body["maintenance"]
        state = "on" if app.maintenance else "off"
        app.logs.append("app", "api", f"Maintenance mode {state} by user {core.world.account.email}")
    if "name" in body and body["name"] != app.name:
        core.world.name_free(str(body["name"]))
        app.name = str(body["name"])
    app.updated_at = now()
    return answer(present.app(core, app))


async def destroy(request: Request) -> Response:
    """DELETE /apps/{app}: dynos, add-ons, data and backups go with it."""
    core, app = core_of(request), app_of(request)
    shown = present.app(core, app)
    await remove_app(core, app)
    return answer(shown)


async def remove_app(core: Core, app: App) -> None:
    """Take an app away with all that is its own; its domains are free afterwards."""
    app.gone = True
    await asyncio.gather(*(core.oneoffs.stop(dyno) for dyno in app.dynos))
    await core.supervisor.reconcile(app)
    for addon in [one for one in core.world.addons if one.app_id == app.id]:
        await addons.destroy(core, addon)
    await core.transfers.delete_all(app, app.transfers)
    await core.fronts.close(app)
    core.world.attachments[:] = [one for one in core.world.attachments if one.app_id != app.id]
    core.world.apps.remove(app)


async def config_vars(request: Request) -> Response:
    """GET /apps/{app}/config-vars."""
    return answer(app_of(request).config)


def set_config(core: Core, app: App, changes: dict[str, Any], *, fault: str = "") -> None:
    """Set (text) or unset (null) config vars in one release; no release if nothing changes."""
    changed = {key: value for key, value in changes.items() if app.config.get(key) != value}
    for key, value in changed.items():
        if value is None:
            app.config.pop(key, None)
        else:
            app.config[key] = str(value)
    kept = sorted(key for key, value in changed.items() if value is not None)
    removed = sorted(key for key, value in changed.items() if value is None)
    if kept:
        core.releases.create(app, f"Set {', '.join(kept)} config vars", fault=fault)
    elif removed:
        core.releases.create(app, f"Remove {', '.join(removed)} config vars", fault=fault)


async def patch_config(request: Request) -> Response:
    """PATCH /apps/{app}/config-vars; config vars of attachments cannot be changed here."""
    core, app, body = core_of(request), app_of(request), await body_of(request)
    if not all(value is None or isinstance(value, str | int | float | bool) for value in body.values()):
        raise invalid("Config vars must be strings.")
    owned = {f"{one.name}_URL" for one in core.world.attachments_of(app)} & body.keys()
    if owned:
        raise invalid(f"Cannot overwrite attachment values {', '.join(sorted(owned))}.")
    set_config(core, app, body, fault=fault_of(request))
    return answer(app.config)


async def nothing(request: Request) -> Response:
    """Lists that are always empty here."""
    app_of(request)
    return page(request, [])


async def pipeline(request: Request) -> Response:
    """GET /apps/{app}/pipeline-couplings: the app is in no pipeline."""
    app_of(request)
    return answer({"id": "not_found", "message": "Couldn't find that pipeline coupling."}, 404)


async def buildpacks(request: Request) -> Response:
    """GET and PUT /apps/{app}/buildpack-installations."""
    app = app_of(request)
    if request.method == "PUT":
        updates = (await body_of(request)).get("updates", [])
        app.buildpacks = [str(one.get("buildpack")) for one in updates if isinstance(one, dict)]
    return answer([{"ordinal": n, "buildpack": {"name": one, "url": one}} for n, one in enumerate(app.buildpacks)])


async def registered_buildpack(request: Request) -> Response:
    """GET /buildpacks/{owner}/{name} of the buildpack registry, as much of it as setting one takes."""
    name = f"{request.path_params['owner']}/{request.path_params['name']}"
    if name not in _BUILDPACKS:
        raise not_found("buildpack")
    return answer({"name": name, "blob_url": f"https://buildpack-registry.s3.amazonaws.com/buildpacks/{name}.tgz"})


ROUTES = [
    route("POST", "/apps", create),
    route("GET", "/apps", listing),
    route("GET", "/users/{user}/apps", listing),
    route("GET", "/apps/{app}", show),
    route("PATCH", "/apps/{app}", update),
    route("DELETE", "/apps/{app}", destroy),
    route("GET", "/apps/{app}/config-vars", config_vars),
    route("PATCH", "/apps/{app}/config-vars", patch_config),
    route("GET", "/apps/{app}/features", nothing),
    route("GET", "/apps/{app}/webhooks", nothing),
    route("GET", "/apps/{app}/pipeline-couplings", pipeline),
    route("GET", "/apps/{app}/buildpack-installations", buildpacks),
    route("PUT", "/apps/{app}/buildpack-installations", buildpacks),
    route("GET", "/buildpacks/{owner}/{name}", registered_buildpack),
]
