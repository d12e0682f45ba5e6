"""Releases, slugs, builds, source uploads and output streams."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from uscdr.sandbox.builds.builds import SOURCE_PATH
from uscdr.sandbox.builds.stream import OutputStream
from uscdr.sandbox.core import Core, core_of
from uscdr.sandbox.platform import present
from uscdr.sandbox.platform.apps import app_of
from uscdr.sandbox.web.errors import invalid, not_found
from uscdr.sandbox.web.requests import answer, body_of, fault_of, page, route
from uscdr.sandbox.world.apps import App
from uscdr.sandbox.world.entities import Release, Slug, new_id


async def listing(request: Request) -> Response:
    """GET /apps/{app}/releases."""
    core, app = core_of(request), app_of(request)
    return page(request, [present.release(core, app, one) for one in app.releases])


async def show(request: Request) -> Response:
    """GET /apps/{app}/releases/{release}."""
    app = app_of(request)
    return answer(present.release(core_of(request), app, app.release(request.path_params["release"])))


async def config_vars(request: Request) -> Response:
    """GET /apps/{app}/releases/{release}/config-vars: what that release ran under."""
    return answer(app_of(request).release(request.path_params["release"]).config)


async def create(request: Request) -> Response:
    """POST /apps/{app}/releases: a rollback (`release`) or a known slug (`slug`)."""
    core, app, body = core_of(request), app_of(request), await body_of(request)
    if "release" in body:
        made = _roll_back(core, app, str(body["release"]), fault=fault_of(request))
    elif "slug" in body:
        slug = find_slug(core, str(body["slug"]))
        description = str(body.get("description") or f"Deploy {slug.commit[:8]}")
        made = core.releases.create(app, description, slug=slug, fault=fault_of(request))
    else:
        raise invalid("Either release or slug is required.")
    return answer(present.release(core, app, made), 201)


def _roll_back(core: Core, app: App, key: str, *, fault: str) -> Release:
    target = app.release(key)
    if target.slug is None or target.status != "succeeded":
        raise invalid(f"Cannot roll back to v{target.version}.")
    attached = {f"{one.name}_URL" for one in core.world.attachments_of(app)}
    kept = {key: value for key, value in app.config.items() if key in attached}
    app.config = {key: value for key, value in target.config.items() if key not in attached} | kept
    return core.releases.create(app, f"Rollback to v{target.version}", slug=target.slug, fault=fault)


def find_slug(core: Core, key: str) -> Slug:
    """A slug of any app of the caller by uuid. Raises 404."""
    for app in core.world.seen():
        for release in app.releases:
            if release.slug and release.slug.id == key:
                return release.slug
    raise not_found("slug")


async def show_slug(request: Request) -> Response:
    """GET /apps/{app}/slugs/{slug}."""
    app_of(request)
    return answer(present.slug(find_slug(core_of(request), request.path_params["slug"])))


async def create_source(request: Request) -> Response:
    """POST /sources: where to put an archive and where to get it."""
    core, identity = core_of(request), new_id()
    link = core.signer.sign(f"{SOURCE_PATH}{identity}").url
    return answer({"source_blob": {"get_url": link, "put_url": link}}, 201)


async def builds(request: Request) -> Response:
    """GET /apps/{app}/builds."""
    core, app = core_of(request), app_of(request)
    return page(request, [present.build(core, app, one) for one in app.builds])


async def create_build(request: Request) -> Response:
    """POST /apps/{app}/builds."""
    core, app, body = core_of(request), app_of(request), await body_of(request)
    blob = body.get("source_blob")
    if not isinstance(blob, dict) or not str(blob.get("url", "")).startswith(("http://", "https://")):
        raise invalid("source_blob.url is required.")
    made = core.builds.start(
        app,
        str(blob["url"]),
        version=blob.get("version"),
        checksum=blob.get("checksum"),
        buildpacks=body.get("buildpacks"),
        fault=fault_of(request),
    )
    return answer(present.build(core, app, made), 201)


async def show_build(request: Request) -> Response:
    """GET /apps/{app}/builds/{build}."""
    core, app = core_of(request), app_of(request)
    return answer(present.build(core, app, app.build(request.path_params["build"])))


async def clear_cache(request: Request) -> Response:
    """DELETE /apps/{app}/build-cache: there is none."""
    app_of(request)
    return Response(status_code=204)


def _stream(core: Core, identity: str) -> OutputStream:
    for app in core.world.apps:
        known = [build.output for build in app.builds]
        known += [release.output for release in app.releases if release.output]
        for stream in known:
            if stream.id == identity:
                return stream
    raise not_found("stream")


async def follow(request: Request) -> Response:
    """GET /streams/{id}: text that grows until the work is over; `Range: bytes=N-` resumes."""
    stream = _stream(core_of(request), request.path_params["stream"])
    resumed = re.match(r"^bytes=(\d+)-$", request.headers.get("range", ""))
    start = int(resumed.group(1)) if resumed else 0
    return StreamingResponse(stream.follow(start), 206 if start else 200, media_type="text/plain")


ROUTES = [
    route("GET", "/apps/{app}/releases", listing),
    route("POST", "/apps/{app}/releases", create),
    route("GET", "/apps/{app}/releases/{release}", show),
    route("GET", "/apps/{app}/releases/{release}/config-vars", config_vars),
    route("GET", "/apps/{app}/slugs/{slug}", show_slug),
    route("POST", "/sources", create_source),
    route("POST", "/apps/{app}/sources", create_source),
    route("GET", "/apps/{app}/builds", builds),
    route("POST", "/apps/{app}/builds", create_build),
    route("GET", "/apps/{app}/builds/{build}", show_build),
    route("DELETE", "/apps/{app}/build-cache", clear_cache),
    route("GET", "/streams/{stream}", follow),
]
