"""Opens the media service's port."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.sandbox.media.application import build
from uscdr.sandbox.media.service import MediaService, open_service
from uscdr.sandbox.web.server import HttpServer

if TYPE_CHECKING:
    from uscdr.sandbox.audit import AuditLog
    from uscdr.sandbox.faults.rules import FaultRules


async def open_port(root: Path, faults: FaultRules, audit: AuditLog, stack: AsyncExitStack) -> MediaService:
    """A service that answers, with its files below `root`; the stack given closes it."""
    server = HttpServer()
    service = open_service(root, faults, f"http://127.0.0.1:{server.port}")
    stack.callback(service.library.close)
    await server.start(build(service, audit))
    stack.push_async_callback(server.stop)
    return service
