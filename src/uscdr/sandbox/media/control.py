"""Control calls for the media service. Not part of the provider, and not audited."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from uscdr.sandbox.control_paths import PREFIX
from uscdr.sandbox.core import core_of
from uscdr.sandbox.media import damage
from uscdr.sandbox.media.accounts import CLOUDS, Account
from uscdr.sandbox.media.errors import MediaError
from uscdr.sandbox.media.status_page import INDICATORS
from uscdr.sandbox.web.errors import ApiError, invalid
from uscdr.sandbox.web.requests import answer, body_of, route

if TYPE_CHECKING:
    from uscdr.sandbox.media.service import MediaService


def _service(request: Request) -> MediaService:
    return core_of(request).media


def _account(service: MediaService, cloud: str) -> Account:
    try:
        return service.library.accounts.get(cloud)
    except MediaError as error:
        raise ApiError(404, "not_found", error.message) from None


async def overview(request: Request) -> Response:
    """GET media: the clouds, how much each holds, and what the status page says."""
    service = _service(request)
    clouds = []
    for one in service.library.accounts.all():
        assets, size = service.library.assets.totals(one.cloud)
        switches = {"enabled": one.enabled, "backup": one.backup, "folder_mode": one.folder_mode}
        clouds.append({**one.document(), **switches, "assets": assets, "bytes": size})
    return answer({"clouds": clouds, "indicator": service.status.indicator})


async def truth(request: Request) -> Response:
    """GET media/truth[?cloud=]: every asset as it was at the beginning, with size and MD5."""
    service = _service(request)
    account = _account(service, request.query_params.get("cloud", CLOUDS[0]))
    return answer(await asyncio.to_thread(service.library.truth, account.cloud))


async def effects(request: Request) -> Response:
    """GET media/effects: every write that took effect, in order."""
    return answer(_service(request).library.effects())


async def create(request: Request) -> Response:
    """POST media/accounts `{cloud}`: another cloud, empty, with its credentials."""
    service, body = _service(request), await body_of(request)
    cloud = str(body.get("cloud") or "")
    if not cloud.replace("-", "").replace("_", "").isalnum():
        raise invalid("cloud must be a name.")
    try:
        return answer(service.library.accounts.create(cloud).document(), 201)
    except MediaError as error:
        raise invalid(error.message) from None


async def change(request: Request) -> Response:
    """POST media/accounts/{cloud} `{enabled, backup, folder_mode, quota: {limit, window}}`: what is named."""
    service, body = _service(request), await body_of(request)
    account = _account(service, request.path_params["cloud"])
    try:
        _switch(service, account.cloud, body)
    except MediaError as error:
        raise invalid(error.message) from None
    return answer(service.library.accounts.get(account.cloud).document())


def _switch(service: MediaService, cloud: str, body: dict[str, Any]) -> None:
    accounts = service.library.accounts
    if "enabled" in body:
        accounts.enable(cloud, enabled=body["enabled"] is True)
    if "backup" in body:
        accounts.set_backup(cloud, str(body["backup"]))
    if "folder_mode" in body:
        accounts.set_folder_mode(cloud, str(body["folder_mode"]))
    if quota := body.get("quota"):
        accounts.set_quota(cloud, limit=int(quota["limit"]), window=int(quota.get("window", 3600)))


async def renew(request: Request) -> Response:
    """POST media/accounts/{cloud}/key: new credentials, as the service's console issues them."""
    service = _service(request)
    account = _account(service, request.path_params["cloud"])
    return answer(service.library.accounts.renew(account.cloud).document(), 201)


async def set_status(request: Request) -> Response:
    """POST media/status `{indicator}`: what the status page says."""
    service, body = _service(request), await body_of(request)
    indicator = str(body.get("indicator"))
    if indicator not in INDICATORS:
        raise invalid(f"indicator must be one of {', '.join(INDICATORS)}.")
    service.status.indicator = indicator
    return answer(service.status.status())


async def break_media(request: Request) -> Response:
    """POST break/media `{how, cloud, undo}`: real damage to the assets, the service or its credentials."""
    service, body = _service(request), await body_of(request)
    how, undo = str(body.get("how")), body.get("undo") is True
    account = _account(service, str(body.get("cloud") or CLOUDS[0]))
    if how not in damage.KINDS:
        raise invalid(f"how must be one of {', '.join(damage.KINDS)}.")
    if how in damage.SERVICE_KINDS:
        return answer(damage.to_service(service, account.cloud, how, undo=undo).document())
    if undo:
        raise invalid(f"{how} cannot be undone: that is what a recovery is for.")
    try:
        done = await asyncio.to_thread(damage.to_assets, service.library.root, account.cloud, how)
    except ValueError as error:
        raise invalid(str(error)) from error
    return answer(done.document())


ROUTES = [
    route("GET", PREFIX + "media", overview),
    route("GET", PREFIX + "media/truth", truth),
    route("GET", PREFIX + "media/effects", effects),
    route("POST", PREFIX + "media/accounts", create),
    route("POST", PREFIX + "media/accounts/{cloud}", change),
    route("POST", PREFIX + "media/accounts/{cloud}/key", renew),
    route("POST", PREFIX + "media/status", set_status),
    route("POST", PREFIX + "break/media", break_media),
]
