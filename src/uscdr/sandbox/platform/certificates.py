"""Certificates of an app: automated management on and off, and those that are uploaded."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from uscdr.sandbox.core import core_of
from uscdr.sandbox.platform import present
from uscdr.sandbox.platform.apps import app_of
from uscdr.sandbox.platform.domains import advance
from uscdr.sandbox.web.errors import ApiError, invalid
from uscdr.sandbox.web.requests import answer, body_of, page, route
from uscdr.sandbox.world.apps import App
from uscdr.sandbox.world.entities import SniEndpoint, stamp

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


async def enable(request: Request) -> Response:
    """POST /apps/{app}/acm."""
    core, app = core_of(request), app_of(request)
    if not app.acm:
        app.acm = True
        _begin(app, again=("",))
    advance(core, app)
    return answer(present.app(core, app), 201)


async def refresh(request: Request) -> Response:
    """PATCH /apps/{app}/acm: try again what failed."""
    core, app = core_of(request), app_of(request)
    if not app.acm:
        raise invalid("Automated certificate management is not enabled for this app.")
    _begin(app, again=("failing", "failed"))
    advance(core, app)
    return answer(present.app(core, app))


def _begin(app: App, *, again: tuple[str, ...]) -> None:
    for one in app.domains:
        if one.kind == "custom" and (one.acm_status or "") in again:
            one.acm_status, one.acm_reason, one.verified_at = "pending", None, None
            one.acm_since = time.monotonic()


async def disable(request: Request) -> Response:
    """DELETE /apps/{app}/acm: its certificates go with it."""
    core, app = core_of(request), app_of(request)
    app.acm = False
    gone = {one.id for one in app.certificates if one.automated}
    app.certificates[:] = [one for one in app.certificates if not one.automated]
    for one in app.domains:
        one.acm_status = one.acm_reason = None
        one.sni_endpoint = None if one.sni_endpoint in gone else one.sni_endpoint
    return answer(present.app(core, app))


async def listing(request: Request) -> Response:
    """GET /apps/{app}/sni-endpoints."""
    app = app_of(request)
    advance(core_of(request), app)
    return page(request, [_document(app, one) for one in app.certificates])


def _document(app: App, one: SniEndpoint) -> dict[str, Any]:
    leaf = _parsed(one.chain)
    same = leaf.issuer == leaf.subject
    return {
        "id": one.id,
        "name": one.name,
        "display_name": None,
        "app": present.app_ref(app),
        "certificate_chain": one.chain,
        "domains": [domain.id for domain in app.domains if domain.sni_endpoint == one.id],
        "ssl_cert": {
            "id": one.certificate_id,
            "acm": one.automated,
            "ca_signed?": not same,
            "self_signed?": same,
            "cert_domains": _names(leaf),
            "issuer": leaf.issuer.rfc4514_string(),
            "subject": leaf.subject.rfc4514_string(),
            "starts_at": stamp(leaf.not_valid_before_utc),
            "expires_at": stamp(leaf.not_valid_after_utc),
        },
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
    }


def _parsed(chain: str) -> Certificate:
    from cryptography import x509

    return x509.load_pem_x509_certificates(chain.encode())[0]


def _names(leaf: Certificate) -> list[str]:
    from cryptography import x509

    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.DNSName)


async def upload(request: Request) -> Response:
    """POST /apps/{app}/sni-endpoints: a certificate chain and the key that belongs to it, PEM."""
    app, body = app_of(request), await body_of(request)
    chain, key = str(body.get("certificate_chain") or ""), str(body.get("private_key") or "")
    if not _belong_together(chain, key):
        raise invalid("Key doesn't match the PEM certificate.")
    made = SniEndpoint(f"stegosaurus-{secrets.randbelow(90000) + 10000}", chain, key)
    app.certificates.append(made)
    return answer(_document(app, made), 201)


def _belong_together(chain: str, key: str) -> bool:
    """Raises 422 for what is no PEM."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        certified = _parsed(chain).public_key()
        own = load_pem_private_key(key.encode(), password=None).public_key()
    except (ValueError, TypeError):
        raise invalid("Unable to parse the certificate or its key; both must be PEM.") from None
    return certified == own


async def remove(request: Request) -> Response:
    """DELETE /apps/{app}/sni-endpoints/{endpoint}."""
    app, key = app_of(request), request.path_params["endpoint"]
    for one in app.certificates:
        if key in (one.id, one.name):
            shown = _document(app, one)
            app.certificates.remove(one)
            return answer(shown)
    raise ApiError(404, "not_found", "Couldn't find that sni endpoint.", resource="sni_endpoint")


ROUTES = [
    route("POST", "/apps/{app}/acm", enable),
    route("PATCH", "/apps/{app}/acm", refresh),
    route("DELETE", "/apps/{app}/acm", disable),
    route("GET", "/apps/{app}/sni-endpoints", listing),
    route("POST", "/apps/{app}/sni-endpoints", upload),
    route("DELETE", "/apps/{app}/sni-endpoints/{endpoint}", remove),
]
