"""Admin API: the account, lists of assets, and one asset."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from uscdr.sandbox.media import present
from uscdr.sandbox.media.assets import RESOURCE_TYPES, Asset, Name, now
from uscdr.sandbox.media.calls import AdminCall, Document, admin, route
from uscdr.sandbox.media.context import words
from uscdr.sandbox.media.errors import bad, missing
from uscdr.words import whole

DEFAULT_PAGE, LARGEST_PAGE, MOST_IDS = 10, 500, 100
_FLAGS = ("tags", "context", "metadata")


def ping(_call: AdminCall) -> Document:
    """GET ping."""
    return {"status": "ok"}


def usage(call: AdminCall) -> Document:
    """GET usage: what the cloud holds."""
    objects, size = call.library.assets.totals(call.account.cloud)
    return {
        "plan": "Sandbox",
        "last_updated": now()[:10],
        "objects": {"usage": objects},
        "storage": {"usage": size},
        "bandwidth": {"usage": 0},
        "transformations": {"usage": 0},
        "requests": 0,
        "resources": objects,
        "derived_resources": 0,
        "media_limits": {"image_max_size_bytes": 20_971_520, "raw_max_size_bytes": 20_971_520},
    }


def config(call: AdminCall) -> Document:
    """GET config: with `settings=true` the folder mode."""
    document: Document = {"cloud_name": call.account.cloud, "created_at": "2020-01-01T00:00:00Z"}
    if call.query("settings") == "true":
        document["settings"] = {"folder_mode": call.account.folder_mode}
    return document


def types(_call: AdminCall) -> Document:
    """GET resources: the types there are."""
    return {"resource_types": list(RESOURCE_TYPES)}


def encode_cursor(key: list[Any]) -> str:
    """An opaque token for where a page ended."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def decode_cursor(text: str) -> list[Any]:
    """What `encode_cursor` was given. Raises 400."""
    try:
        key = json.loads(base64.urlsafe_b64decode(text.encode()))
    except (binascii.Error, ValueError):
        key = None
    if not isinstance(key, list):
        raise bad(f"Invalid value {text} for parameter next_cursor")
    return key


def page_size(text: str, default: int = DEFAULT_PAGE) -> int:
    """`max_results`, no more than `LARGEST_PAGE`. Raises 400."""
    if not text:
        return default
    wanted = whole(text)
    if not wanted:
        raise bad(f"Invalid value {text} for parameter max_results")
    return min(wanted, LARGEST_PAGE)


def _flags(call: AdminCall) -> set[str]:
    return {name for name in _FLAGS if call.query(name) in ("true", "1")}


def _rows(call: AdminCall, assets: list[Asset]) -> list[Document]:
    flags = _flags(call)
    return [present.flagged(present.row(call.service.url, call.account, one), one, flags) for one in assets]


def paged(call: AdminCall, where: str, values: list[object]) -> Document:
    """One page: with a prefix by public id, else by time, the newest first. Cursors survive changes in between."""
    limit, prefix = page_size(call.query("max_results")), call.query("prefix")
    column, descending = ("public_id", False) if prefix else ("position", call.query("direction") not in ("asc", "1"))
    if prefix:
        where += " AND substr(public_id, 1, ?) = ?"
        values = [*values, len(prefix), prefix]
    if call.query("start_at"):
        where += " AND created_at >= ?"
        values = [*values, call.query("start_at").replace(" ", "T")]
    if cursor := call.query("next_cursor"):
        where += f" AND {column} {'<' if descending else '>'} ?"
        values = [*values, *decode_cursor(cursor)[:1]]
    order = f"{column} {'DESC' if descending else 'ASC'}"
    found = call.library.assets.select(where, values, order=order, limit=limit + 1)
    document: Document = {"resources": _rows(call, found[:limit])}
    if len(found) > limit:
        last = found[limit - 1]
        document["next_cursor"] = encode_cursor([last.public_id if prefix else last.position])
    return document


def resource_type(call: AdminCall) -> str:
    """The resource type in the path. Raises 400."""
    text = call.path("resource_type")
    if text not in RESOURCE_TYPES:
        raise bad(f"Invalid resource_type {text}")
    return text


def resources(call: AdminCall) -> Document:
    """GET resources/{resource_type}[/{type}]: a page, or the assets named by `public_ids[]`. Placeholders too."""
    if call.path("resource_type") not in RESOURCE_TYPES and not call.path("type"):
        return _details(call, call.library.assets.find_id(call.account.cloud, call.path("resource_type")))
    where, values = "cloud = ? AND resource_type = ?", [call.account.cloud, resource_type(call)]
    if call.path("type"):
        where, values = where + " AND type = ?", [*values, call.path("type")]
    ids = call.list("public_ids")
    if not ids:
        return paged(call, where, list(values))
    if len(ids) > MOST_IDS:
        raise bad(f"Too many public_ids: {len(ids)}, at most {MOST_IDS}")
    names = [Name(call.account.cloud, call.path("resource_type"), call.path("type") or "upload", one) for one in ids]
    assets = [asset for name in names if (asset := call.library.assets.find(name))]
    return {"resources": _rows(call, assets)}


def by_tag(call: AdminCall) -> Document:
    """GET resources/{resource_type}/tags/{tag}: deleted assets are left out."""
    where = "cloud = ? AND resource_type = ? AND placeholder = 0 AND instr(',' || tags || ',', ?) > 0"
    return paged(call, where, [call.account.cloud, resource_type(call), f",{call.path('tag')},"])


def by_context(call: AdminCall) -> Document:
    """GET resources/{resource_type}/context: by key, and value when one is given; deleted assets are left out."""
    key, value = call.query("key"), call.query("value")
    where = "cloud = ? AND resource_type = ? AND placeholder = 0 AND EXISTS (SELECT 1 FROM json_each(context) c"
    where += " WHERE c.key = ? AND (? = '' OR c.value = ?))"
    return paged(call, where, [call.account.cloud, resource_type(call), key, value, value])


def by_folder(call: AdminCall) -> Document:
    """GET resources/by_asset_folder: deleted assets are left out."""
    where = "cloud = ? AND placeholder = 0 AND asset_folder = ?"
    return paged(call, where, [call.account.cloud, call.query("asset_folder")])


def by_asset_ids(call: AdminCall) -> Document:
    """GET resources/by_asset_ids: deleted assets are left out."""
    found = [call.library.assets.find_id(call.account.cloud, one) for one in call.list("asset_ids")]
    return {"resources": _rows(call, [one for one in found if one and not one.placeholder])}


def name_of(call: AdminCall) -> Name:
    """The asset that the path names."""
    return Name(call.account.cloud, resource_type(call), call.path("type"), call.path("public_id"))


def resource(call: AdminCall) -> Document:
    """GET resources/{resource_type}/{type}/{public_id}: a deleted one with a backup is shown as a placeholder."""
    return _details(call, call.library.assets.find(name_of(call)), call.path("public_id"))


def _details(call: AdminCall, asset: Asset | None, wanted: str = "") -> Document:
    if asset is None:
        raise missing(wanted or call.path("resource_type"))
    versions = call.library.assets.versions(asset) if call.query("versions") in ("true", "1") else None
    return present.details(call.service.url, call.account, asset, versions)


def tags(call: AdminCall) -> Document:
    """GET tags/{resource_type}: every tag in use."""
    kind = resource_type(call)
    used = {
        tag for one in call.library.assets.every(call.account.cloud) if one.resource_type == kind for tag in one.tags
    }
    prefix = call.query("prefix")
    return {"tags": sorted(one for one in used if one.startswith(prefix))[: page_size(call.query("max_results"))]}


def listed(value: object) -> tuple[str, ...]:
    """Tags from a list, or from text with commas."""
    return tuple(value) if isinstance(value, list) else tuple(words(str(value)))


ROUTES = [
    route("GET", "/ping", admin(ping)),
    route("GET", "/usage", admin(usage)),
    route("GET", "/usage/{date}", admin(usage)),
    route("GET", "/config", admin(config)),
    route("GET", "/tags/{resource_type}", admin(tags)),
    route("GET", "/resources", admin(types)),
    route("GET", "/resources/by_asset_folder", admin(by_folder)),
    route("GET", "/resources/by_asset_ids", admin(by_asset_ids)),
    route("GET", "/resources/{resource_type}", admin(resources)),
    route("GET", "/resources/{resource_type}/context", admin(by_context)),
    route("GET", "/resources/{resource_type}/tags/{tag}", admin(by_tag)),
    route("GET", "/resources/{resource_type}/{type}", admin(resources)),
    route("GET", "/resources/{resource_type}/{type}/{public_id:path}", admin(resource)),
]
