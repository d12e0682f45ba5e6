"""The platform's front door for hostnames: whichever app has the hostname in `Host` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from uscdr.sandbox.fronts import Fronts
    from uscdr.sandbox.world.apps import App, World
    from uscdr.sandbox.world.entities import Domain

_NO_APP = (
    "<!DOCTYPE html><html><head><title>No such app</title></head>"
    "<body><h1>No such app</h1><p>There's nothing here, yet.</p></body></html>"
)


class Edge:
    """An ASGI application in front of the apps' routers."""

    def __init__(self, world: World, fronts: Fronts) -> None:
        self._world = world
        self._fronts = fronts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        app = self.serving(Request(scope).headers.get("host", ""))
        router = self._fronts.router(app) if app else None
        await (router or HTMLResponse(_NO_APP, 404))(scope, receive, send)

    def serving(self, host: str) -> App | None:
        """The app that a Host header reaches."""
        found = holder(self._world, host.rpartition(":")[0] if ":" in host else host)
        return found[0] if found else None


def holder(world: World, hostname: str) -> tuple[App, Domain] | None:
    """Who has a hostname; a wildcard stands for one more label or several."""
    bound = {one.hostname: (app, one) for app in world.apps for one in app.domains}
    wanted = hostname.lower().rstrip(".")
    while wanted not in bound and "." in wanted.removeprefix("*."):
        wanted = f"*.{wanted.removeprefix('*.').partition('.')[2]}"
    return bound.get(wanted)
