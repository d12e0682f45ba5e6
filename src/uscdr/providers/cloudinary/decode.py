"""Decodes Cloudinary's JSON into our models.

A missing field or wrong type raises `ShapeError`, which names only fields.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from uscdr.errors import Conflict, CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.models.media import (
    DELIVERIES,
    RESOURCE_TYPES,
    Access,
    AccessRule,
    Asset,
    AssetDetails,
    AssetKey,
    AssetVersion,
    MediaUsage,
    RestoredAsset,
)
from uscdr.providers.http.json import JsonObject, ShapeError, items
from uscdr.providers.http.refusal import AnswerReading, Provider, Refusal
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from uscdr.providers.http.exchange import HttpCall, Reply
    from uscdr.write_guard import WriteGuard


def asset(body: object, *, secure: bool = True) -> Asset:
    """One row of a listing, the answer to an upload, or the head of the details. `secure` chooses the address."""
    source = JsonObject.of(body)
    custom = source.nested("context").nested("custom") if "context" in source else {}
    return Asset(
        key=_key(source),
        asset_id=source.optional_text("asset_id"),
        format=source.optional_text("format"),
        version=source.optional_number("version") or 0,
        bytes=source.optional_number("bytes") or 0,
        etag=source.optional_text("etag").lower(),
        placeholder=source.get("placeholder") is True,
        created_at=source.optional_moment("created_at"),
        url=source.optional_text("secure_url" if secure else "url"),
        tags=tuple(str(tag) for tag in _list(source, "tags")),
        context={name: str(value) for name, value in custom.items()},
        asset_folder=_optional(source, "asset_folder"),
        display_name=_optional(source, "display_name"),
        metadata={name: _plain(value) for name, value in source.nested("metadata").items()}
        if "metadata" in source
        else {},
        access=_access(source),
    )


def _access(source: JsonObject) -> Access | None:
    """None when the row lacks one of them: a listing has only the mode."""
    if "access_control" not in source:
        return None
    rules = items(_list(source, "access_control"), _rule)
    # Rules take precedence over the older mode.
    return Access(rules=rules) if rules else _by_mode(source.optional_text("access_mode") or "public")


@lru_cache(maxsize=16)
def _by_mode(mode: str) -> Access:
    """One for all files that have it."""
    return Access(mode=mode)


def _rule(body: object) -> AccessRule:
    source = JsonObject.of(body)
    return AccessRule(
        access_type=source.text("access_type"), start=source.optional_text("start"), end=source.optional_text("end")
    )


def _plain(value: object) -> str:
    """A metadata value in the upload's format: a set as external ids with commas and brackets."""
    return json.dumps(value) if isinstance(value, list) else str(value)


def access(body: object) -> tuple[dict[AssetKey, Access], str]:
    """One page of a search: each file's access, and the cursor of the next page; other file types are skipped."""
    source = JsonObject.of(body)
    rows = [JsonObject.of(row) for row in _list(source, "resources")]
    ours = [row for row in rows if row.get("type") in DELIVERIES and row.get("resource_type") in RESOURCE_TYPES]
    told = {
        _key(row): found for row in ours if (found := _access(JsonObject({"access_control": None, **row}))) is not None
    }
    return told, source.optional_text("next_cursor")


def _key(source: JsonObject) -> AssetKey:
    """The asset's key."""
    kind, delivery = source.text("resource_type"), source.optional_text("type") or "upload"
    if kind not in RESOURCE_TYPES or delivery not in DELIVERIES:
        raise ShapeError("`resource_type` or `type` is unknown")
    return AssetKey.model_validate({"resource_type": kind, "public_id": source.text("public_id"), "delivery": delivery})


def page(body: object, *, secure: bool = True) -> tuple[tuple[Asset, ...], str]:
    """One page of a listing, and the cursor of the next; empty on the last."""
    source = JsonObject.of(body)
    rows = items(source.get("resources"), lambda row: asset(row, secure=secure))
    return rows, source.optional_text("next_cursor")


def details(body: object, *, secure: bool = True) -> AssetDetails:
    """One asset and the versions in its backup, newest last."""
    source = JsonObject.of(body)
    versions = items(_list(source, "versions"), _version)
    return AssetDetails(
        # Without rules the details omit the field.
        asset=asset({"access_control": None, **source}, secure=secure),
        versions=tuple(sorted(versions, key=lambda version: (version.version, version.version_id))),
    )


def _version(body: object) -> AssetVersion:
    source = JsonObject.of(body)
    return AssetVersion(
        version_id=source.text("version_id"),
        version=source.optional_number("version") or 0,
        bytes=source.optional_number("size") or source.optional_number("bytes") or 0,
        created_at=source.optional_moment("time") or source.optional_moment("created_at"),
        restorable=source.get("restorable") is not False,
    )


def restored(body: object, keys: Sequence[AssetKey], *, secure: bool = True) -> tuple[RestoredAsset, ...]:
    """The answer to a batch: a map by public id, each with the asset or its own error."""
    source = JsonObject.of(body)
    return tuple(_restored(wanted, source.get(wanted.public_id), secure=secure) for wanted in keys)


def _restored(wanted: AssetKey, body: object, *, secure: bool) -> RestoredAsset:
    if body is None:
        return RestoredAsset(key=wanted, error="Cloudinary sent no answer for it")
    source = JsonObject.of(body)
    if "error" in source:
        return RestoredAsset(key=wanted, error=_reason(source["error"]))
    whole = {"public_id": wanted.public_id, "resource_type": wanted.resource_type, "type": wanted.delivery, **source}
    return RestoredAsset(key=wanted, asset=asset(whole, secure=secure))


def _reason(error: object) -> str:
    """Cloudinary's text may contain the file's name; ours does not."""
    words = str(error.get("message", "") if isinstance(error, dict) else error).lower()
    if "no_backup" in words or "backup" in words:
        return "Cloudinary has no backup of it"
    return "Cloudinary did not find it" if "not" in words and "found" in words else "Cloudinary refused it"


def usage(body: object) -> MediaUsage:
    """The account's plan and what it holds."""
    source = JsonObject.of(body)
    return MediaUsage(plan=source.optional_text("plan"), objects=_used(source, "objects"),
                      storage_bytes=_used(source, "storage"))  # fmt: skip


def _used(source: JsonObject, name: str) -> int:
    value = source.get(name)
    return JsonObject.of(value).optional_number("usage") or 0 if isinstance(value, dict) else 0


def _list(source: JsonObject, name: str) -> list[object]:
    value = source.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ShapeError(f"`{name}` is not a list")
    return value


def _optional(source: JsonObject, name: str) -> str | None:
    value = source.get(name)
    return value if isinstance(value, str) else None


# Maps Cloudinary's errors to ours, by the status.


PROVIDER = "Cloudinary"
RATE_LIMITED = (420, 429)
CREDENTIALS = (
    "Look up the key and secret of this cloud in the console (Settings, API Keys) and set CLOUDINARY_CLOUD_NAME, "
    "CLOUDINARY_API_KEY and CLOUDINARY_API_SECRET."
)
CLOUDINARY = Provider(
    PROVIDER,
    "Check status.cloudinary.com, then run the command again when Cloudinary has recovered.",
    frozenset(RATE_LIMITED),
)

_RATE = Refusal(
    RateLimited,
    "the hourly allowance of Admin API calls is used up",
    "Wait for the next hour, then: uscdr runs resume (it does not repeat completed work).",
)
_BY_STATUS: Mapping[int, Refusal] = {
    400: Refusal(ProviderError, "it does not accept what was sent", "Report this with the request id."),
    401: Refusal(CredentialsRefused, "the key or secret is not valid for this cloud", CREDENTIALS),
    403: Refusal(CredentialsRefused, "these credentials lack the permission", CREDENTIALS),
    404: Refusal(NotFound, "it has no such asset", "Check the cloud name, and look for the asset in the console."),
    409: Refusal(
        Conflict, "its current state does not allow that", "Check the asset in the console, then run the command again."
    ),
    413: Refusal(
        ProviderError, "the file is larger than the plan allows", "See the plan's limits: uscdr recover media"
    ),
    **dict.fromkeys(RATE_LIMITED, _RATE),
}

_KNOWN_SENTENCES: tuple[tuple[str, str], ...] = (
    ("file size too large", "the file is larger than the plan allows"),
    ("invalid image file", "it cannot read the file as an image"),
    ("unsupported", "it does not accept this kind of file"),
    ("disabled", "the account or the key is disabled"),
    ("stale request", "this machine's clock is off by more than an hour"),
    ("signature", "the secret does not belong to this key"),
    ("api_secret mismatch", "the secret does not belong to this key"),
    ("unknown api_key", "it does not know the key"),
    ("cloud_name mismatch", "the key belongs to another cloud"),
)
"""The meaning of Cloudinary's messages, in words that contain no file name."""


def refusal(reply: Reply, call: HttpCall, leave: WriteGuard, *, wait: float | None) -> ProviderError:
    """The error for any answer other than a usable 2xx. `wait` is in seconds, to the end of the hourly allowance."""
    sentence = _sentence(reply)
    row = _BY_STATUS.get(reply.status, _BY_STATUS[400])
    if row is _RATE:
        renewed = "." if wait is None else f". It is renewed in {duration(wait)}."
        return CLOUDINARY.refused(reply, call, AnswerReading(row, own=True, quote=renewed, wait=wait), leave)
    says = next((ours for theirs, ours in _KNOWN_SENTENCES if theirs in (sentence or "").lower()), "")
    return CLOUDINARY.refused(reply, call, AnswerReading(row, own=sentence is not None, says=says), leave)


def _sentence(reply: Reply) -> str | None:
    """Cloudinary's own message, only to recognise it; None when the body is not its error JSON."""
    error = reply.fields().get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else None
