"""The ports beside the platform's API: the front doors for hostnames, and the DNS provider's records API."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from starlette.middleware import Middleware

from uscdr.sandbox.audit import AuditLog, AuditMiddleware
from uscdr.sandbox.control_paths import PREFIX
from uscdr.sandbox.dns import cloudflare
from uscdr.sandbox.edge import Edge, holder
from uscdr.sandbox.faults.middleware import FaultMiddleware
from uscdr.sandbox.faults.rules import DNS
from uscdr.sandbox.handshake import Handshakes
from uscdr.sandbox.platform.apps import HEROKU_HOSTS
from uscdr.sandbox.platform.domains import advance
from uscdr.sandbox.web.server import HttpServer, TlsPair
from uscdr.sandbox.world.entities import SniEndpoint

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from uscdr.sandbox.core import Core
    from uscdr.sandbox.pki import Pki


@dataclass(frozen=True)
class Doors:
    """URLs of the front door and of the records API, without a trailing slash; the port of the front door's TLS."""

    edge_url: str
    tls_port: int
    records_url: str
    secure_records_url: str


async def open_doors(core: Core, audit: AuditLog, files: Pki, stack: AsyncExitStack) -> Doors:
    """Start them."""
    own = core.certificates.platform(f"*.{HEROKU_HOSTS}")
    handshakes = Handshakes(own, partial(served, core), files.ca_file.parent)
    front, twin = HttpServer(), HttpServer(tls=handshakes.context)
    plain, secure = HttpServer(), HttpServer(tls=TlsPair(files.certificate, files.key))
    records = cloudflare.build(
        core.hosting,
        [
            Middleware(AuditMiddleware, log=audit, control_prefix=PREFIX, provider=DNS),
            Middleware(FaultMiddleware, rules=core.faults, control_prefix=PREFIX, provider=DNS),
        ],
    )
    edge = Edge(core.world, core.fronts)
    opened: list[tuple[HttpServer, ASGIApp]] = [(front, edge), (twin, edge), (plain, records), (secure, records)]
    for server, application in opened:
        await server.start(application)
        stack.push_async_callback(server.stop)
    return Doors(
        f"http://127.0.0.1:{front.port}",
        twin.port,
        f"http://127.0.0.1:{plain.port}",
        f"https://localhost:{secure.port}",
    )


def served(core: Core, hostname: str) -> SniEndpoint | None:
    """What a hostname is served with: the certificate that the app which has it chose, or was issued by now."""
    found = holder(core.world, hostname)
    if found is None:
        return None
    app, domain = found
    advance(core, app)
    return next((one for one in app.certificates if one.id == domain.sni_endpoint), None)
