"""Delivery of originals: public addresses, signed downloads, and versions in the backup."""

from __future__ import annotations

import posixpath
import re
import time

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from uscdr.sandbox.media.assets import RESOURCE_TYPES, Asset, Name
from uscdr.sandbox.media.calls import API
from uscdr.sandbox.media.errors import MediaError, missing, unauthorized
from uscdr.sandbox.media.service import MediaService, service_of
from uscdr.sandbox.media.signatures import check, delivery_signature
from uscdr.words import whole

_SIGNED = re.compile(r"s--([A-Za-z0-9_-]{8})--/(.*)", re.DOTALL)
_VERSION = re.compile(r"v\d+/(.+)", re.DOTALL)
_SAME = {"jpeg": "jpg"}
_TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "mp4": "video/mp4",
    "webm": "video/webm",
}


async def delivered(request: Request) -> Response:
    """GET or HEAD {cloud}/{resource_type}/{type}/[s--SIGNATURE--/][v123/]{public_id}[.extension]."""
    service, place = service_of(request), request.path_params
    if place["resource_type"] not in RESOURCE_TYPES:
        raise MediaError(400, f"Invalid resource type {place['resource_type']}")
    rest = str(place["rest"])
    signature, rest = found.groups() if (found := _SIGNED.fullmatch(rest)) else ("", rest)
    wanted = found[1] if (found := _VERSION.fullmatch(rest)) else rest
    signed = signature != "" and signature == _signature(service, place["cloud"], wanted)
    if place["type"] != "upload" and not signed:
        raise unauthorized("The resource requires a signed URL")
    asset = _find(service, Name(place["cloud"], place["resource_type"], place["type"], wanted))
    if not asset.open and not signed:
        raise unauthorized("The resource requires a token")
    return _file(service, asset)


def _find(service: MediaService, name: Name) -> Asset:
    """The asset behind an address. The extension of an image or a video is a format, not a part of the id."""
    stem, extension = posixpath.splitext(name.public_id)
    suffix = extension.removeprefix(".").lower()
    names = [name.public_id] if name.resource_type == "raw" or not suffix else [stem, name.public_id]
    for one in names:
        asset = service.library.assets.find(Name(name.cloud, name.resource_type, name.type, one))
        if asset is None or asset.placeholder:
            continue
        if one == stem and suffix and name.resource_type != "raw" and _SAME.get(suffix, suffix) != asset.format:
            raise MediaError(400, f"Conversion from {asset.format} to {suffix} is not emulated")
        return asset
    raise missing(names[0])


def _signature(service: MediaService, cloud: str, path: str) -> str:
    return delivery_signature(path, service.library.accounts.get(cloud).api_secret)


def _file(service: MediaService, asset: Asset) -> Response:
    return _answer(service, asset.etag, asset.format)


def _answer(service: MediaService, etag: str, suffix: str) -> Response:
    kind = _TYPES.get(suffix, "application/octet-stream")
    headers = {"ETag": f'"{etag}"', "Cache-Control": "public, no-transform, max-age=2592000", "Server": "Cloudinary"}
    return FileResponse(service.library.blobs.path(etag), media_type=kind, headers=headers)


def _checked(request: Request) -> MediaService:
    service = service_of(request)
    account = service.library.accounts.get(request.path_params["cloud"])
    parameters: dict[str, str | list[str]] = dict(request.query_params)
    check(account, parameters)
    expires = request.query_params.get("expires_at", "")
    until = whole(expires)
    if until is not None and until < time.time():
        raise unauthorized("The URL has expired")
    return service


async def download(request: Request) -> Response:
    """GET {resource_type}/download: an original of any delivery type, by a signed address."""
    service, query = _checked(request), request.query_params
    place = request.path_params
    name = Name(place["cloud"], place["resource_type"], query.get("type", "upload"), query.get("public_id", ""))
    asset = service.library.assets.find(name)
    if asset is None or asset.placeholder:
        raise missing(name.public_id)
    return _file(service, asset)


async def download_backup(request: Request) -> Response:
    """GET download_backup: one version in the backup, by a signed address."""
    service, query = _checked(request), request.query_params
    asset = service.library.assets.find_id(request.path_params["cloud"], query.get("asset_id", ""))
    versions = service.library.assets.versions(asset) if asset else []
    found = [one for one in versions if one.version_id == query.get("version_id")]
    if not found:
        raise missing(query.get("asset_id", ""))
    return _answer(service, found[0].etag, found[0].format)


API_ROUTES = [
    Route(API + "/download_backup", download_backup, methods=["GET"]),
    Route(API + "/{resource_type}/download", download, methods=["GET"]),
]
ROUTES = [Route("/{cloud}/{resource_type}/{type}/{rest:path}", delivered, methods=["GET", "HEAD"])]
