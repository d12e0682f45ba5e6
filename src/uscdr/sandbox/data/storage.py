"""The object store behind signed links: stored dumps to be read, source archives to be put and read."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from uscdr.sandbox.builds.builds import SOURCE_PATH
from uscdr.sandbox.core import core_of
from uscdr.sandbox.data.api import ARCHIVE_PATH
from uscdr.sandbox.data.archive import refusal_document

_XML = "application/xml"


def _refusal(request: Request) -> Response | None:
    query = request.query_params
    code = core_of(request).signer.refusal(request.url.path, query.get("X-Expires", "0"), query.get("X-Signature", ""))
    return Response(refusal_document(code), 403, media_type=_XML) if code else None


def _missing() -> Response:
    return Response(refusal_document("NoSuchKey"), 404, media_type=_XML)


def _file(path: Path) -> Response:
    return FileResponse(path, media_type="application/octet-stream") if path.exists() else _missing()


async def read_archive(request: Request) -> Response:
    """GET of a backup's public URL; streams from disk, `Range` is honoured."""
    refused = _refusal(request)
    if refused:
        return refused
    wanted = request.path_params["name"].removesuffix(".dump")
    for app in core_of(request).world.apps:
        for transfer in app.transfers:
            if transfer.uuid == wanted and transfer.file:
                return _file(transfer.file)
    return _missing()


async def read_source(request: Request) -> Response:
    """GET of an uploaded archive."""
    return _refusal(request) or _file(core_of(request).builds.source_file(request.path_params["name"]))


def _unsigned_header(request: Request) -> tuple[int, str] | None:
    if "authorization" in request.headers:
        return 400, "InvalidArgument"
    if "content-type" in request.headers:
        return 403, "SignatureDoesNotMatch"
    return None if "content-length" in request.headers else (411, "MissingContentLength")


async def put_source(request: Request) -> Response:
    """PUT of an archive: exact length, no content type, no authorization, as pre-signed URLs demand."""
    refused = _refusal(request)
    if refused:
        return refused
    if wrong := _unsigned_header(request):
        return Response(refusal_document(wrong[1]), wrong[0], media_type=_XML)
    target = core_of(request).builds.source_file(request.path_params["name"])
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        async for chunk in request.stream():
            await asyncio.to_thread(file.write, chunk)
    return Response(status_code=200)


ROUTES = [
    Route(ARCHIVE_PATH + "{name}", read_archive, methods=["GET"]),
    Route(SOURCE_PATH + "{name}", read_source, methods=["GET"]),
    Route(SOURCE_PATH + "{name}", put_source, methods=["PUT"]),
]
