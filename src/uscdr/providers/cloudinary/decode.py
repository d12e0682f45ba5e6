"""Cloudinary's JSON as our models. What is missing or of another type raises `ShapeError`, naming fields only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

from uscdr.errors import Conflict, CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.models.media import (
    DELIVERIES,
    Access,
    AccessRule,
    Asset,
    AssetDetails,
    AssetKey,
    AssetVersion,
    MediaUsage,
    ResourceType,
    RestoredAsset,
)
from uscdr.providers.http.json import (
    ShapeError,
    items,
    nested,
    optional_moment,
    optional_number,
    optional_text,
    record,
    text,
)
from uscdr.providers.http.refusal import AnswerReading, Provider, Refusal, refused
from uscdr.words import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from uscdr.providers.http.exchange import HttpCall, Reply


def asset(body: object, *, secure: bool = True) -> Asset:
    """One row of a listing, the answer to an upload, or the head of the details. `secure` chooses the address."""
    source = record(body)
    custom = nested(nested(source, "context"), "custom")
    return Asset(
        key=_key(source),
        asset_id=optional_text(source, "asset_id"),
        format=optional_text(source, "format"),
        version=optional_number(source, "version") or 0,
        bytes=optional_number(source, "bytes") or 0,
        etag=optional_text(source, "etag").lower(),
        placeholder=source.get("placeholder") is True,
        created_at=optional_moment(source, "created_at"),
        url=optional_text(source, "secure_url" if secure else "url"),
        tags=tuple(str(tag) for tag in _list(source, "tags")),
        context={name: str(value) for name, value in custom.items()},
        asset_folder=_optional(source, "asset_folder"),
        display_name=_optional(source, "display_name"),
        metadata={name: _plain(value) for name, value in nested(source, "metadata").items()},
        access=_access(source),
    )


def _access(source: Mapping[str, object]) -> Access | None:
    """None when the row does not tell both: a listing names the mode alone."""
    if "access_control" not in source:
        return None
    rules = items(_list(source, "access_control"), _rule)
    # Rules outrank the older mode.
    return Access(rules=rules) if rules else Access(mode=optional_text(source, "access_mode") or "public")


def _rule(body: object) -> AccessRule:
    source = record(body)
    return AccessRule(
        access_type=text(source, "access_type"),
        start=optional_text(source, "start"),
        end=optional_text(source, "end"),
    )


def _plain(value: object) -> str:
    """A metadata value as the upload takes it: of a set, the external ids with commas and brackets."""
    return json.dumps(value) if isinstance(value, list) else str(value)


def access(body: object) -> tuple[dict[AssetKey, Access], str]:
    """One page of a search: who may have what, and the cursor of the next; files of other types are passed over."""
    source = record(body)
    rows = [record(row) for row in _list(source, "resources")]
    ours = [row for row in rows if row.get("type") in DELIVERIES and row.get("resource_type") in get_args(ResourceType)]
    told = {_key(row): found for row in ours if (found := _access({"access_control": None, **row})) is not None}
    return told, optional_text(source, "next_cursor")


def _key(source: Mapping[str, object]) -> AssetKey:
    """What names the asset."""
    kind, delivery = text(source, "resource_type"), optional_text(source, "type") or "upload"
    if kind not in get_args(ResourceType) or delivery not in DELIVERIES:
        raise ShapeError("`resource_type` or `type` is none that is known")
    return AssetKey.model_validate(
        {"resource_type": kind, "public_id": text(source, "public_id"), "delivery": delivery}
    )


def page(body: object, *, secure: bool = True) -> tuple[tuple[Asset, ...], str]:
    """One page of a listing, and the cursor of the next; empty on the last."""
    source = record(body)
    rows = items(source.get("resources"), lambda row: asset(row, secure=secure))
    return rows, optional_text(source, "next_cursor")


def details(body: object, *, secure: bool = True) -> AssetDetails:
    """One asset and the versions in its backup, newest last."""
    source = record(body)
    versions = items(_list(source, "versions"), _version)
    return AssetDetails(
        # Without rules the details leave the field out.
        asset=asset({"access_control": None, **source}, secure=secure),
        versions=tuple(sorted(versions, key=lambda version: (version.version, version.version_id))),
    )


def _version(body: object) -> AssetVersion:
    source = record(body)
    return AssetVersion(
        version_id=text(source, "version_id"),
        version=optional_number(source, "version") or 0,
        bytes=optional_number(source, "size") or optional_number(source, "bytes") or 0,
        created_at=optional_moment(source, "time") or optional_moment(source, "created_at"),
        restorable=source.get("restorable") is not False,
    )


def restored(body: object, keys: Sequence[AssetKey], *, secure: bool = True) -> tuple[RestoredAsset, ...]:
    """The answer to a batch: a map by public id, each holding the asset or an error of its own."""
    source = record(body)
    return tuple(_restored(wanted, source.get(wanted.public_id), secure=secure) for wanted in keys)


def _restored(wanted: AssetKey, body: object, *, secure: bool) -> RestoredAsset:
    if body is None:
        return RestoredAsset(key=wanted, error="no answer for this one")
    source = record(body)
    if "error" in source:
        return RestoredAsset(key=wanted, error=_reason(source["error"]))
    whole = {"public_id": wanted.public_id, "resource_type": wanted.resource_type, "type": wanted.delivery, **source}
    return RestoredAsset(key=wanted, asset=asset(whole, secure=secure))


def _reason(error: object) -> str:
    """Their sentence may name the file; ours does not."""
    words = str(error.get("message", "") if isinstance(error, dict) else error).lower()
    if "no_backup" in words or "backup" in words:
        return "there is no backup of it"
    return "it was not found" if "not" in words and "found" in words else "the service refused it"


def usage(body: object) -> MediaUsage:
    """The account's plan and what it holds."""
    source = record(body)
    return MediaUsage(plan=optional_text(source, "plan"), objects=_used(source, "objects"),
                      storage_bytes=_used(source, "storage"))  # fmt: skip


def _used(source: Mapping[str, object], name: str) -> int:
    value = source.get(name)
    return optional_number(record(value), "usage") or 0 if isinstance(value, dict) else 0


def _list(source: Mapping[str, object], name: str) -> list[object]:
    value = source.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ShapeError(f"`{name}` is no list")
    return value


def _optional(source: Mapping[str, object], name: str) -> str | None:
    value = source.get(name)
    return value if isinstance(value, str) else None


# Cloudinary's refusals as our errors: the table, keyed on the status.


PROVIDER = "Cloudinary"
RATE_LIMITED = (420, 429)
CREDENTIALS = (
    "Look up the key and secret of this cloud in the console (Settings, API Keys) and set CLOUDINARY_CLOUD_NAME, "
    "CLOUDINARY_API_KEY and CLOUDINARY_API_SECRET."
)
CLOUDINARY = Provider(
    PROVIDER, "See status.cloudinary.com; run the command again when it is well.", frozenset(RATE_LIMITED)
)

_RATE = Refusal(
    RateLimited,
    "the hourly allowance of Admin API calls is used up",
    "Wait for the next hour, then: uscdr runs resume (what is done is not done again).",
)
_BY_STATUS: Mapping[int, Refusal] = {
    400: Refusal(ProviderError, "it does not accept what was sent", "Report this with the request id."),
    401: Refusal(CredentialsRefused, "key or secret are not valid for this cloud", CREDENTIALS),
    403: Refusal(CredentialsRefused, "these credentials have no right to do that", CREDENTIALS),
    404: Refusal(NotFound, "it knows no such asset", "Check the cloud's name, and look at the console."),
    409: Refusal(Conflict, "its present state forbids that", "Look at the asset in the console, and try again."),
    413: Refusal(
        ProviderError, "the file is larger than the plan allows", "See the plan's limits: uscdr recover media"
    ),
    **dict.fromkeys(RATE_LIMITED, _RATE),
}

_KNOWN_SENTENCES: tuple[tuple[str, str], ...] = (
    ("file size too large", "the file is larger than the plan allows"),
    ("invalid image file", "the file is no image that it can read"),
    ("unsupported", "it does not take a file of this kind"),
    ("disabled", "the account or the key is disabled"),
    ("stale request", "this machine's clock is wrong by more than an hour"),
    ("signature", "the secret is not the one of this key"),
    ("api_secret mismatch", "the secret is not the one of this key"),
    ("unknown api_key", "it does not know the key"),
    ("cloud_name mismatch", "the key belongs to another cloud"),
)
"""What a sentence of theirs means, in words that cannot hold a name."""


def refusal(reply: Reply, call: HttpCall, *, wait: float | None) -> ProviderError:
    """The error for any answer that is not a usable 2xx. `wait` is in seconds, to the end of the hourly allowance."""
    sentence = _sentence(reply)
    row = _BY_STATUS.get(reply.status, _BY_STATUS[400])
    if row is _RATE:
        renewed = "." if wait is None else f". It is renewed in {duration(wait)}."
        return refused(CLOUDINARY, reply, call, AnswerReading(row, own=True, quote=renewed, wait=wait))
    says = next((ours for theirs, ours in _KNOWN_SENTENCES if theirs in (sentence or "").lower()), "")
    return refused(CLOUDINARY, reply, call, AnswerReading(row, own=sentence is not None, says=says))


def _sentence(reply: Reply) -> str | None:
    """The provider's own sentence, only to recognise it; None when the body is not its error JSON."""
    error = reply.fields().get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else None
