"""Admin API: definitions of structured metadata fields."""

from __future__ import annotations

import json
import secrets

from uscdr.sandbox.media.calls import AdminCall, Document, admin, route
from uscdr.sandbox.media.errors import MediaError, bad

_EXISTS = 409


def _all(call: AdminCall) -> dict[str, Document]:
    query = "SELECT external_id, document FROM metadata_fields WHERE cloud = ? ORDER BY rowid"
    rows = call.library.connection.execute(query, [call.account.cloud]).fetchall()
    return {row["external_id"]: json.loads(row["document"]) for row in rows}


def _found(call: AdminCall) -> Document:
    document = _all(call).get(call.path("external_id"))
    if document is None:
        raise MediaError(404, f"External ID {call.path('external_id')} doesn't exist")
    return document


def fields(call: AdminCall) -> Document:
    """GET metadata_fields."""
    return {"metadata_fields": list(_all(call).values())}


def field(call: AdminCall) -> Document:
    """GET metadata_fields/{external_id}."""
    return _found(call)


def create(call: AdminCall) -> Document:
    """POST metadata_fields."""
    if not call.body.get("label") or not call.body.get("type"):
        raise bad("label and type are required")
    external_id = str(call.body.get("external_id") or secrets.token_hex(10))
    if external_id in _all(call):
        raise MediaError(_EXISTS, f"external id {external_id} already exists")
    document = {"mandatory": False, "default_value": None, "validation": None, **call.body, "external_id": external_id}
    statement = "INSERT INTO metadata_fields (cloud, external_id, document) VALUES (?, ?, ?)"
    call.library.connection.execute(statement, [call.account.cloud, external_id, json.dumps(document)])
    return document


def delete(call: AdminCall) -> Document:
    """DELETE metadata_fields/{external_id}."""
    _found(call)
    statement = "DELETE FROM metadata_fields WHERE cloud = ? AND external_id = ?"
    call.library.connection.execute(statement, [call.account.cloud, call.path("external_id")])
    return {"message": "ok"}


ROUTES = [
    route("GET", "/metadata_fields", admin(fields)),
    route("POST", "/metadata_fields", admin(create)),
    route("GET", "/metadata_fields/{external_id}", admin(field)),
    route("DELETE", "/metadata_fields/{external_id}", admin(delete)),
]
