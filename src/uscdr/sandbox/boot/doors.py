"""The ports beside the platform's API: the front door for hostnames, and the DNS provider's records API."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from starlette.middleware import Middleware

from uscdr.sandbox.audit import AuditLog, AuditMiddleware
from uscdr.sandbox.control_paths import PREFIX
from uscdr.sandbox.dns import cloudflare
from uscdr.sandbox.edge import Edge
from uscdr.sandbox.faults.middleware import FaultMiddleware
from uscdr.sandbox.faults.rules import DNS
from uscdr.sandbox.web.server import HttpServer, TlsPair

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from uscdr.sandbox.core import Core


async def open_doors(core: Core, audit: AuditLog, tls: TlsPair, stack: AsyncExitStack) -> tuple[str, str, str]:
    """Start them; the URLs of the front door and of the records API, plain and over TLS."""
    front, plain, secure = HttpServer(), HttpServer(), HttpServer(tls=tls)
    records = cloudflare.build(
        core.hosting,
        [
            Middleware(AuditMiddleware, log=audit, control_prefix=PREFIX, provider=DNS),
            Middleware(FaultMiddleware, rules=core.faults, control_prefix=PREFIX, provider=DNS),
        ],
    )
    served: list[tuple[HttpServer, ASGIApp]] = [
        (front, Edge(core.world, core.fronts)),
        (plain, records),
        (secure, records),
    ]
    for server, application in served:
        await server.start(application)
        stack.push_async_callback(server.stop)
    return (
        f"http://127.0.0.1:{front.port}",
        f"http://127.0.0.1:{plain.port}",
        f"https://localhost:{secure.port}",
    )
