"""One router port for each app, opened with the app and closed with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from uscdr.sandbox.control_paths import PREFIX
from uscdr.sandbox.faults.middleware import FaultMiddleware
from uscdr.sandbox.faults.rules import APPLICATION, FaultRules
from uscdr.sandbox.router import Router
from uscdr.sandbox.web.server import HttpServer

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from uscdr.sandbox.world.apps import App


class Fronts:
    """The routers in service."""

    def __init__(self, faults: FaultRules) -> None:
        self._faults = faults
        self._open: dict[str, tuple[Router, ASGIApp, HttpServer]] = {}

    async def open(self, app: App) -> None:
        """Begin routing; sets the app's port."""
        router = Router(app)
        front = FaultMiddleware(router, rules=self._faults, control_prefix=PREFIX, provider=APPLICATION)
        server = HttpServer()
        await server.start(front)
        app.port = server.port
        self._open[app.id] = (router, front, server)

    def router(self, app: App) -> ASGIApp | None:
        """What answers for an app that is in service."""
        return self._open[app.id][1] if app.id in self._open else None

    async def close(self, app: App) -> None:
        """Stop routing for an app."""
        router, _, server = self._open.pop(app.id)
        await server.stop()
        await router.close()

    async def close_all(self) -> None:
        """Stop routing altogether."""
        closing = list(self._open.values())
        self._open.clear()
        await asyncio.gather(*(server.stop() for _, _, server in closing))
        await asyncio.gather(*(router.close() for router, _, _ in closing))
