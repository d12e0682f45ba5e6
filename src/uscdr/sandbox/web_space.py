"""A public web space on loopback, which an operator has apart from the platform: it serves files of a directory."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from uscdr.sandbox.web.server import HttpServer

if TYPE_CHECKING:
    from contextlib import AsyncExitStack
    from pathlib import Path

PAGE = "maintenance.html"
_EMPTY = (
    '<!DOCTYPE html><html><head><meta charset="utf-8"><title>Maintenance</title></head>'
    "<body><h1>Maintenance</h1><p>The clinic is under maintenance.</p></body></html>\n"
)
"""What the operator put there once, before any notice."""


@dataclass(frozen=True)
class WebSpace:
    """`url` has no trailing slash; whoever may write in `directory` changes what is served."""

    url: str
    directory: Path

    @property
    def page_url(self) -> str:
        """The address of the maintenance page."""
        return f"{self.url}/{PAGE}"

    def contract(self) -> dict[str, str]:
        """What clients are told: where the page is seen, and where it is written."""
        return {"page_url": self.page_url, "directory": os.fspath(self.directory)}


async def open_space(directory: Path, stack: AsyncExitStack) -> WebSpace:
    """Create the directory with its page, and serve it."""
    await asyncio.to_thread(_lay_out, directory)
    server = HttpServer()
    await server.start(Starlette(routes=[Mount("/", StaticFiles(directory=directory))]))
    stack.push_async_callback(server.stop)
    return WebSpace(f"http://127.0.0.1:{server.port}", directory)


def _lay_out(directory: Path) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / PAGE).write_text(_EMPTY, encoding="utf-8")
