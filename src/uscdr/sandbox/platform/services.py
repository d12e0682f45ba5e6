"""The catalogue of add-on services and their plans."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from starlette.requests import Request
from starlette.responses import Response

from uscdr.sandbox.platform.plans import POSTGRES, REDIS, Plan, is_default, listed
from uscdr.sandbox.web.errors import ApiError, not_found
from uscdr.sandbox.web.requests import answer, page, route

_NAMES = {POSTGRES: "Heroku Postgres", REDIS: "Heroku Key-Value Store"}
_SINCE = "2023-05-01T00:00:00Z"


def _identity(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


def _service(name: str) -> dict[str, Any]:
    if name not in _NAMES:
        raise not_found("add_on service")
    return {
        "id": _identity(name),
        "name": name,
        "human_name": _NAMES[name],
        "state": "ga",
        "cli_plugin_name": None,
        "supports_multiple_installations": True,
        "supports_sharing": True,
        "created_at": _SINCE,
        "updated_at": _SINCE,
    }


def _plan(one: Plan) -> dict[str, Any]:
    level = one.name.partition(":")[2].replace("-", " ").title()
    return {
        "id": _identity(one.name),
        "name": one.name,
        "human_name": level,
        "description": f"{_NAMES[one.service]} {level}",
        "addon_service": {"id": _identity(one.service), "name": one.service},
        "price": {"cents": one.cents, "unit": "month", "contract": False, "metered": False, "hourly": None},
        "default": is_default(one),
        "space_default": False,
        "state": one.state,
        "visible": one.state == "public",
        "compliance": [],
        "installable_inside_private_network": False,
        "installable_outside_private_network": True,
        "created_at": _SINCE,
        "updated_at": _SINCE,
    }


async def services(request: Request) -> Response:
    """GET /addon-services."""
    return page(request, [_service(name) for name in _NAMES])


async def show_service(request: Request) -> Response:
    """GET /addon-services/{service}."""
    return answer(_service(request.path_params["service"]))


async def plans(request: Request) -> Response:
    """GET /addon-services/{service}/plans, those past their end too."""
    service = _service(request.path_params["service"])["name"]
    return page(request, [_plan(one) for one in listed(service)])


async def show_plan(request: Request) -> Response:
    """GET /plans/{plan} and /addon-services/{service}/plans/{plan}."""
    wanted = request.path_params["plan"]
    for one in (*listed(POSTGRES), *listed(REDIS)):
        if wanted in (one.name, _identity(one.name)):
            return answer(_plan(one))
    raise ApiError(404, "not_found", "Couldn't find that plan.", resource="plan")


ROUTES = [
    route("GET", "/addon-services", services),
    route("GET", "/addon-services/{service}", show_service),
    route("GET", "/addon-services/{service}/plans", plans),
    route("GET", "/addon-services/{service}/plans/{plan}", show_plan),
    route("GET", "/plans/{plan}", show_plan),
]
