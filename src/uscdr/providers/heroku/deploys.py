"""The `Deploys` port on Heroku's Platform API (v3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from uscdr.models.heroku import Release
from uscdr.models.provision import Build, SourceArchive
from uscdr.providers.heroku import builds, decode, streams
from uscdr.providers.heroku.client import Ask, HerokuClient
from uscdr.providers.http import segment
from uscdr.providers.json_fields import about

NEWEST = "started_at ..; max=100, order=desc"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class HerokuDeploys:
    """Builds and releases on Heroku; every method as `ports.Deploys` has it.

    `idle` is how many seconds of silence `follow` bears.
    """

    def __init__(self, client: HerokuClient, *, idle: float = streams.IDLE_SECONDS) -> None:
        self._client = client
        self._idle = idle

    def release(self, app: str, ref: str) -> Release:
        """`GET /apps/{app}/releases/{ref}`; `ref` is an id, `12` or `v12`."""
        return self._client.ask(_describe_release(app, ref), about(ref.removeprefix("v"), decode.release, _names))

    def rollback(self, app: str, release_id: str) -> Release:
        """`POST /apps/{app}/releases` with `release` (write, findable)."""
        path, body = f"/apps/{segment(app)}/releases", {"release": release_id}
        ask = Ask("roll back", "POST", path, writes=True, body=body, sdk=True)
        return self._client.ask(ask, decode.release)

    def builds(self, app: str) -> tuple[Build, ...]:
        """`GET /apps/{app}/builds`: the newest hundred, newest first."""
        ask = Ask("list the builds", "GET", f"/apps/{segment(app)}/builds", range_=NEWEST)
        found = self._client.page(ask, decode.build)
        return tuple(sorted(found, key=lambda build: build.created_at or _LONG_AGO, reverse=True))

    def build(self, app: str, build_id: str) -> Build:
        """`GET /apps/{app}/builds/{build_id}`."""
        path = f"/apps/{segment(app)}/builds/{segment(build_id)}"
        return self._client.ask(
            Ask("describe the build", "GET", path), about(build_id, decode.build, lambda one: (one.id,))
        )

    def start_build(self, app: str, archive: SourceArchive) -> Build:
        """`POST /sources`, `PUT` of the archive, `POST /apps/{app}/builds` (write, findable)."""
        return builds.start(self._client, app, archive)

    def follow(self, url: str, on_line: Callable[[str], None]) -> None:
        """`GET` of an `output_stream_url` to its end, resumed where it is cut."""
        streams.follow(self._client, url, on_line, idle=self._idle)

    def release_output(self, app: str, ref: str) -> str | None:
        """`output_stream_url` of `GET /apps/{app}/releases/{ref}`."""
        return self._client.ask(_describe_release(app, ref), decode.output_stream)


def _names(found: Release) -> tuple[object, ...]:
    return found.id, found.version


def _describe_release(app: str, ref: str) -> Ask:
    number = re.fullmatch(r"v(\d+)", ref)
    path = f"/apps/{segment(app)}/releases/{segment(number[1] if number else ref)}"
    return Ask(f"describe release {ref}", "GET", path, sdk=True)
