"""Authentication and the shape of answers, the same for every Admin and Upload API handler."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from uscdr.sandbox.media.accounts import Account
from uscdr.sandbox.media.errors import MediaError, bad, unauthorized
from uscdr.sandbox.media.multipart import Form, read_form
from uscdr.sandbox.media.service import MediaService, service_of
from uscdr.sandbox.media.signatures import check

if TYPE_CHECKING:
    from uscdr.sandbox.media.library import Library

Document = dict[str, Any]
Endpoint = Callable[[Request], Awaitable[Response]]
API = "/v1_1/{cloud}"


@dataclass(frozen=True)
class AdminCall:
    """An accepted Admin API call; `body` is its JSON, empty for a GET."""

    request: Request
    service: MediaService
    account: Account
    body: Document

    @property
    def library(self) -> Library:
        """Books and files."""
        return self.service.library

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params.get(name, ""))

    def query(self, name: str) -> str:
        """A parameter of the query, empty when it is not there."""
        return self.request.query_params.get(name, "")

    def list(self, name: str) -> list[str]:
        """A list from the body, or from the query as `name[]`."""
        value = self.body.get(name)
        if isinstance(value, str):
            return [value]
        return [str(one) for one in value] if value else self.request.query_params.getlist(f"{name}[]")


@dataclass(frozen=True)
class UploadCall:
    """An accepted Upload API call."""

    request: Request
    service: MediaService
    account: Account
    form: Form

    @property
    def library(self) -> Library:
        """Books and files."""
        return self.service.library

    def field(self, name: str, default: str = "") -> str:
        """One parameter."""
        return self.form.text(name) or default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """One switch: `1`, `true`, `0`, `false`."""
        text = self.form.text(name)
        return text in ("1", "true") if text else default


def _credentials(request: Request) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise unauthorized("Must supply api_key")
    try:
        key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise unauthorized("Invalid credentials") from None
    return key, secret


async def _body(request: Request) -> Document:
    raw = await request.body()
    if not raw:
        return {}
    try:
        document = json.loads(raw)
    except ValueError:
        raise bad("Invalid JSON in the request body") from None
    if not isinstance(document, dict):
        raise bad("The request body must be a JSON object")
    return document


def admin(handler: Callable[[AdminCall], Document]) -> Endpoint:
    """Ask for the cloud's key and secret, draw on its allowance, and tell what is left of that."""

    async def endpoint(request: Request) -> Response:
        service = service_of(request)
        account = service.library.accounts.get(request.path_params["cloud"])
        account.check_secret(*_credentials(request))
        body = await _body(request)
        allowance = service.library.accounts.draw(account)
        try:
            allowance.check()
            document = handler(AdminCall(request, service, account, body))
        except MediaError as error:
            return JSONResponse(error.body, status_code=error.status, headers=allowance.headers())
        return JSONResponse(document, headers=allowance.headers())

    return endpoint


def signed(handler: Callable[[UploadCall], Awaitable[Document]], *, unsigned: frozenset[str] = frozenset()) -> Endpoint:
    """Read the form and check its signature; `unsigned` names parameters that the signature leaves out."""

    async def endpoint(request: Request) -> Response:
        service = service_of(request)
        account = service.library.accounts.get(request.path_params["cloud"])
        async with read_form(request, service.library.root) as form:
            check(account, form.parameters, unsigned=unsigned)
            return JSONResponse(await handler(UploadCall(request, service, account, form)))

    return endpoint


def route(method: str, path: str, endpoint: Endpoint) -> Route:
    """A route below the API's prefix, for exactly one method."""
    return Route(API + path, endpoint, methods=[method])
