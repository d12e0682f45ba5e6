"""Assets as the service shows them."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from uscdr.sandbox.media.signatures import delivery_signature, signature

if TYPE_CHECKING:
    from uscdr.sandbox.media.accounts import Account
    from uscdr.sandbox.media.assets import Asset, Version

Document = dict[str, Any]


def delivery_url(base: str, asset: Asset, secret: str) -> str:
    """Where the original is delivered, signed where only that opens it.

    Plain HTTP: clients trust no private authority here.
    """
    name = asset.name
    extension = f".{asset.format}" if asset.format and name.resource_type != "raw" else ""
    signed = "" if name.type == "upload" else f"s--{delivery_signature(name.public_id + extension, secret)}--/"
    path = f"{name.resource_type}/{name.type}/{signed}v{asset.version}/{quote(name.public_id)}{extension}"
    return f"{base}/{name.cloud}/{path}"


def row(base: str, account: Account, asset: Asset) -> Document:
    """One row of a list."""
    url = delivery_url(base, asset, account.api_secret)
    document: Document = {
        "asset_id": asset.asset_id,
        "public_id": asset.public_id,
        "version": asset.version,
        "resource_type": asset.resource_type,
        "type": asset.name.type,
        "created_at": asset.created_at,
        "bytes": asset.bytes,
        **_folder(account, asset),
        "access_mode": asset.access_mode,
        "url": url,
        "secure_url": url,
    }
    if asset.resource_type != "raw":
        document |= {"format": asset.format, "width": asset.width, "height": asset.height}
    return {**document, "placeholder": True} if asset.placeholder else document


def _folder(account: Account, asset: Asset) -> Document:
    if account.folder_mode == "fixed":
        return {"folder": posixpath.dirname(asset.public_id)}
    return {"asset_folder": asset.asset_folder, "display_name": asset.display_name}


def flagged(document: Document, asset: Asset, flags: set[str]) -> Document:
    """A row with what was asked for besides."""
    if "tags" in flags:
        document["tags"] = list(asset.tags)
    if "context" in flags and asset.context:
        document["context"] = {"custom": asset.context}
    if "metadata" in flags and asset.metadata:
        document["metadata"] = asset.metadata
    return document


def details(base: str, account: Account, asset: Asset, versions: list[Version] | None = None) -> Document:
    """One asset with everything known of it."""
    document = flagged(row(base, account, asset), asset, {"tags", "context", "metadata"})
    document |= {"etag": asset.etag, "derived": []}
    if asset.access_control:
        document["access_control"] = list(asset.access_control)
    if asset.original_filename:
        document["original_filename"] = asset.original_filename
    if versions is not None:
        document["versions"] = [version(one) for one in versions]
    return document


def version(one: Version) -> Document:
    """One version in the backup."""
    return {
        "version_id": one.version_id,
        "version": str(one.version),
        "format": one.format,
        "size": one.bytes,
        "time": one.time,
        "restorable": True,
    }


def uploaded(base: str, account: Account, asset: Asset) -> Document:
    """The answer to an upload, signed."""
    text = f"public_id={asset.public_id}&version={asset.version}"
    return {
        **details(base, account, asset),
        "tags": list(asset.tags),
        "placeholder": False,
        "signature": signature(text, account.api_secret, account.algorithm),
        "api_key": account.api_key,
    }


def found(base: str, account: Account, asset: Asset) -> Document:
    """One row of a search; the format is always there."""
    return {
        **row(base, account, asset),
        "folder": asset.asset_folder if account.folder_mode == "dynamic" else posixpath.dirname(asset.public_id),
        "filename": posixpath.basename(asset.public_id),
        "format": asset.format,
        "etag": asset.etag,
        "uploaded_at": asset.created_at,
        "status": "deleted" if asset.placeholder else "active",
        "access_control": list(asset.access_control) or None,
    }
