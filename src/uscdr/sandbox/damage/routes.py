"""Control calls that damage apps, infrastructure and services. Not part of the provider, and not audited."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from uscdr.sandbox.control_paths import PREFIX
from uscdr.sandbox.core import core_of
from uscdr.sandbox.damage import application, infrastructure, services
from uscdr.sandbox.platform.issuer import CERTIFICATES
from uscdr.sandbox.web.errors import invalid
from uscdr.sandbox.web.requests import answer, body_of, route


def _how(body: dict[str, Any], known: Collection[str]) -> str:
    how = str(body.get("how"))
    if how not in known:
        raise invalid(f"how must be one of {', '.join(known)}.")
    return how


async def break_app(request: Request) -> Response:
    """POST break/app `{how, app, variable}`: a bad day of the app's developers."""
    core, body = core_of(request), await body_of(request)
    how, app = _how(body, application.KINDS), core.world.app(str(body.get("app")))
    variable = str(body.get("variable") or application.DEFAULT_VARIABLE)
    done = await application.damage(core, app, how, variable=variable)
    return answer(done.document())


async def break_infra(request: Request) -> Response:
    """POST break/infra `{how, app, domain_held, undo}`: loss at the provider."""
    core, body = core_of(request), await body_of(request)
    how, app = _how(body, infrastructure.KINDS), core.world.app(str(body.get("app")))
    held, undo = body.get("domain_held") is True, body.get("undo") is True
    done = await infrastructure.damage(core, app, how, domain_held=held, undo=undo)
    return answer(done.document())


async def break_service(request: Request) -> Response:
    """POST break/service `{how, app, undo}`: something that the app relies on, or its background dynos."""
    core, body = core_of(request), await body_of(request)
    how, app = _how(body, services.KINDS), core.world.app(str(body.get("app")))
    done = await services.damage(core, app, how, undo=body.get("undo") is True)
    return answer(done.document())


async def serve(request: Request) -> Response:
    """POST tls `{app, hostname, certificate}`: what a hostname is served with: good, expired, wrong-name, untrusted."""
    core, body = core_of(request), await body_of(request)
    app, hostname, certificate = (str(body.get(key)) for key in ("app", "hostname", "certificate"))
    if certificate not in CERTIFICATES:
        raise invalid(f"certificate must be one of {', '.join(CERTIFICATES)}.")
    services.serve(core, core.world.app(app), hostname, certificate)
    return answer({"app": app, "hostname": hostname, "certificate": certificate})


ROUTES = [
    route("POST", PREFIX + "break/app", break_app),
    route("POST", PREFIX + "break/infra", break_infra),
    route("POST", PREFIX + "break/service", break_service),
    route("POST", PREFIX + "tls", serve),
]
