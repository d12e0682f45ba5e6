"""Hostnames: one app's at a time, each with a DNS target that is new whenever it is added."""

from __future__ import annotations

import re
import secrets
import time

from starlette.requests import Request
from starlette.responses import Response

from uscdr.sandbox.core import Core, core_of
from uscdr.sandbox.dns.server import PLATFORM_ZONE
from uscdr.sandbox.platform import present
from uscdr.sandbox.platform.apps import app_of
from uscdr.sandbox.web.errors import ApiError, invalid, not_found
from uscdr.sandbox.web.requests import answer, body_of, page, route
from uscdr.sandbox.world.apps import App
from uscdr.sandbox.world.entities import Domain, now

TARGET_DELAY = 0.4
"""Seconds until a new hostname has its DNS target."""
_HOSTNAME = re.compile(r"^(\*\.)?([a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")
_WORDS = ("convex", "floating", "hidden", "infinite", "limitless", "mathematical", "parallel", "symmetrical")
_THINGS = ("aardwolf", "caverns", "moon", "python", "ravine", "sierra", "tundra", "yucca")


def new_target() -> str:
    """A DNS target nobody has had yet."""
    return f"{secrets.choice(_WORDS)}-{secrets.choice(_THINGS)}-{secrets.token_hex(10)}.{PLATFORM_ZONE}"


def own(core: Core, app: App, hostname: str) -> Domain:
    """Give an app a hostname that the zone points to it from the beginning, with a certificate."""
    made = Domain(hostname, "custom", new_target())
    app.domains.append(made)
    app.acm = True
    core.hosting.point(hostname, str(made.cname))
    core.certificates.issue(app, made)
    return made


def advance(core: Core, app: App) -> None:
    """Bring hostnames and their certificates to what they are by now."""
    clock = time.monotonic()
    for one in app.domains:
        if one.status == "pending" and clock >= one.ready_at:
            one.cname, one.status, one.updated_at = new_target(), "succeeded", now()
    core.certificates.advance(app, core.hosting.zones(), clock)


async def listing(request: Request) -> Response:
    """GET /apps/{app}/domains."""
    core, app = core_of(request), app_of(request)
    advance(core, app)
    return page(request, [present.domain(app, one) for one in app.domains])


def domain_of(request: Request) -> tuple[App, Domain]:
    """The app and the domain named in the path. Raises 404."""
    app, key = app_of(request), request.path_params["domain"]
    advance(core_of(request), app)
    for one in app.domains:
        if key in (one.id, one.hostname):
            return app, one
    raise not_found("domain")


async def show(request: Request) -> Response:
    """GET /apps/{app}/domains/{domain}."""
    return answer(present.domain(*domain_of(request)))


async def add(request: Request) -> Response:
    """POST /apps/{app}/domains; both `hostname` and `sni_endpoint` (or null) must be given."""
    core, app, body = core_of(request), app_of(request), await body_of(request)
    hostname = str(body.get("hostname") or "").lower()
    if not _HOSTNAME.match(hostname):
        raise invalid(f"{hostname or 'Hostname'} is not a valid hostname.")
    if "sni_endpoint" not in body:
        raise invalid("Missing required field: sni_endpoint")
    if any(one.hostname == hostname for one in app.domains):
        raise invalid("Domain already added to this app.")
    if any(one.hostname == hostname for other in core.world.apps for one in other.domains):
        raise invalid(f"{hostname} is currently in use by another app.")
    made = Domain(hostname, "custom", None, "pending", ready_at=time.monotonic() + TARGET_DELAY)
    made.sni_endpoint = _endpoint(app, body["sni_endpoint"])
    made.acm_status, made.acm_since = ("pending" if app.acm else None), time.monotonic()
    app.domains.append(made)
    return answer(present.domain(app, made), 201)


def _endpoint(app: App, key: object) -> str | None:
    if key is None:
        return None
    for one in app.certificates:
        if key in (one.id, one.name):
            return one.id
    raise ApiError(404, "not_found", "Couldn't find that sni endpoint.", resource="sni_endpoint")


async def assign(request: Request) -> Response:
    """PATCH /apps/{app}/domains/{domain}: which certificate it is served with."""
    app, one = domain_of(request)
    one.sni_endpoint = _endpoint(app, (await body_of(request)).get("sni_endpoint"))
    one.updated_at = now()
    return answer(present.domain(app, one))


async def remove(request: Request) -> Response:
    """DELETE /apps/{app}/domains/{domain}."""
    app, one = domain_of(request)
    if one.kind == "heroku":
        raise invalid("The app's own hostname cannot be removed.")
    app.domains.remove(one)
    return answer(present.domain(app, one))


ROUTES = [
    route("GET", "/apps/{app}/domains", listing),
    route("POST", "/apps/{app}/domains", add),
    route("GET", "/apps/{app}/domains/{domain}", show),
    route("PATCH", "/apps/{app}/domains/{domain}", assign),
    route("DELETE", "/apps/{app}/domains/{domain}", remove),
]
