"""The port of the mail provider's token endpoint."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from uscdr.sandbox.audit import AuditLog, AuditMiddleware
from uscdr.sandbox.control_paths import PREFIX
from uscdr.sandbox.faults.middleware import FaultMiddleware
from uscdr.sandbox.faults.rules import MAIL
from uscdr.sandbox.mail.account import MailAccount
from uscdr.sandbox.web.requests import route
from uscdr.sandbox.web.server import HttpServer

if TYPE_CHECKING:
    from uscdr.sandbox.faults.rules import FaultRules

TOKEN = "/token"  # noqa: S105 - a path


async def token(request: Request) -> Response:
    """POST /token: a form with `grant_type=refresh_token`; never to be cached."""
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    account: MailAccount = request.app.state.account
    status, document = account.exchange(form)
    return JSONResponse(document, status_code=status, headers={"Cache-Control": "no-store"})


def build(account: MailAccount, faults: FaultRules, audit: AuditLog) -> Starlette:
    """Everything behind the port."""
    application = Starlette(
        routes=[route("POST", TOKEN, token)],
        middleware=[
            Middleware(AuditMiddleware, log=audit, control_prefix=PREFIX, provider=MAIL),
            Middleware(FaultMiddleware, rules=faults, control_prefix=PREFIX, provider=MAIL),
        ],
    )
    application.state.account = account
    return application


async def open_port(faults: FaultRules, audit: AuditLog, stack: AsyncExitStack) -> MailAccount:
    """An account whose tokens can be asked for; the stack given closes the port."""
    server = HttpServer()
    account = MailAccount(f"http://127.0.0.1:{server.port}{TOKEN}")
    await server.start(build(account, faults, audit))
    stack.push_async_callback(server.stop)
    return account
