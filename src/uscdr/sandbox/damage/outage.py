"""Looking at a broken app as its users do, until the damage can be seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from uscdr.sandbox.web.errors import ApiError
from uscdr.sandbox.world.apps import App
from uscdr.sandbox.world.entities import Release

_LIMIT, _POLL = 60.0, 0.05  # seconds
_FAILING = 500


@dataclass(frozen=True)
class Page:
    """A request a user makes."""

    path: str = "/"
    body: dict[str, str] | None = None

    @property
    def method(self) -> str:
        """As HTTP names it."""
        return "GET" if self.body is None else "POST"


HOME = Page()
LOGIN = Page("/api/auth/login/", {"email": "nobody@usc-pis.example", "password": "wrong"})


async def status(app: App, page: Page) -> int:
    """What the router answers."""
    async with httpx.AsyncClient(trust_env=False, timeout=_LIMIT) as client:
        url = app.web_url.rstrip("/") + page.path
        return (await client.request(page.method, url, json=page.body)).status_code


async def until(look: Callable[[], bool], what: str) -> None:
    """Wait for something in this process. Raises 503 when it does not come within a minute."""
    end = asyncio.get_running_loop().time() + _LIMIT
    while not look():
        if asyncio.get_running_loop().time() > end:
            raise ApiError(503, "damage_not_seen", f"{what} was not seen within {_LIMIT:.0f} s.")
        await asyncio.sleep(_POLL)


async def until_failing(app: App, page: Page) -> int:
    """Wait until a page answers 5xx; returns the status. Raises 503 when it goes on working."""
    end = asyncio.get_running_loop().time() + _LIMIT
    while (code := await status(app, page)) < _FAILING:
        if asyncio.get_running_loop().time() > end:
            raise ApiError(503, "damage_not_seen", f"{page.path} still answers {code} after {_LIMIT:.0f} s.")
        await asyncio.sleep(_POLL)
    return code


async def until_crashed(app: App) -> int:
    """Wait until the web dynos are known as crashed; returns what the router answers then."""
    await until(lambda: _web(app) == {"crashed"}, "The crash of the web dynos")
    return await status(app, HOME)


async def until_running(app: App, release: Release) -> None:
    """Wait until every dyno of the formation runs this release, or has crashed with it."""

    def settled() -> bool:
        dynos = [one for one in app.dynos if one.release is release and one.state in ("up", "crashed")]
        return len(dynos) >= sum(entry.quantity for entry in app.formation.values())

    await until(settled, f"Release v{release.version} in its dynos")


def _web(app: App) -> set[str]:
    return {one.state for one in app.dynos if one.type == "web"}
