"""Admin API: search over all types at once, and folders."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from uscdr.sandbox.media import present
from uscdr.sandbox.media.admin import decode_cursor, encode_cursor, page_size
from uscdr.sandbox.media.assets import Asset
from uscdr.sandbox.media.calls import AdminCall, Document, admin, route
from uscdr.sandbox.media.errors import MediaError, bad
from uscdr.sandbox.media.expression import Predicate, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEARCH_PAGE = 50
_OF_A_TYPE = re.compile(r"resource_type:(image|raw|video)")
"""What lists all files of one type, as programs ask for it."""
_FIELDS = frozenset(
    {
        "asset_id", "public_id", "resource_type", "type", "format", "bytes", "width", "height", "version", "created_at",
        "uploaded_at", "folder", "asset_folder", "display_name", "filename", "tags", "status", "etag", "context",
        "metadata",
    }
)  # fmt: skip
_FOLDER_FIELDS = frozenset({"path", "name", "created_at"})
_NOT_EMPTY = 409


def search(call: AdminCall) -> Document:
    """POST resources/search: assets that are there, unless the expression speaks of their status."""
    expression = str(call.body.get("expression") or "")
    kind = _OF_A_TYPE.fullmatch(expression)
    if kind and not call.body.get("sort_by"):
        document = _of_a_type(call, kind[1])
    else:
        document = _judged_one_by_one(call, expression)
    return {**document, "resources": [_shown(call, one) for one in document["resources"]], "time": 1}


def _of_a_type(call: AdminCall, kind: str) -> Document:
    """A page by the index of the books: pages of many files must not read all of them each time."""
    start, limit = _span(call)
    found, total = call.library.assets.newest(call.account.cloud, kind, start, limit)
    return _document(found, total, start + limit)


def _judged_one_by_one(call: AdminCall, expression: str) -> Document:
    meets = parse(expression, _FIELDS)
    if "status" not in expression:
        meets = _active(meets)
    fixed = call.account.folder_mode == "fixed"
    found = [one for asset in call.library.assets.every(call.account.cloud) if meets(one := _seen(asset, fixed=fixed))]
    document = _page(call, _sorted(found, call.body, "created_at"))
    return {**document, "resources": [one["asset"] for one in document["resources"]]}


def _active(meets: Predicate) -> Predicate:
    return lambda row: row["status"] == "active" and meets(row)


def _seen(asset: Asset, *, fixed: bool) -> Document:
    """What an expression may speak of."""
    above, name = posixpath.split(asset.public_id)
    return {
        **vars(asset),
        **vars(asset.name),
        **{f"context.{key}": value for key, value in asset.context.items()},
        **{f"metadata.{key}": value for key, value in asset.metadata.items()},
        "asset": asset,
        "folder": above if fixed else asset.asset_folder,
        "filename": name,
        "uploaded_at": asset.created_at,
        "status": "deleted" if asset.placeholder else "active",
    }


def _shown(call: AdminCall, asset: Asset) -> Document:
    document = present.found(call.service.url, call.account, asset)
    return present.flagged(document, asset, set(call.body.get("with_field") or []))


def _sorted(rows: list[Document], body: Document, default: str) -> list[Document]:
    for one in reversed(body.get("sort_by") or [{default: "desc"}]):
        ((name, direction),) = one.items()
        if rows and name not in rows[0]:
            raise bad(f"Cannot sort by {name}")
        rows.sort(key=lambda row: row[name], reverse=direction == "desc")
    return rows


def _page(call: AdminCall, rows: list[Document]) -> Document:
    start, limit = _span(call)
    return _document(rows[start : start + limit], len(rows), start + limit)


def _span(call: AdminCall) -> tuple[int, int]:
    """Where the page begins, and how many rows it has at most."""
    cursor = call.body.get("next_cursor")
    start = int(decode_cursor(str(cursor))[0]) if cursor else 0
    return start, page_size(str(call.body.get("max_results") or ""), _SEARCH_PAGE)


def _document(rows: Sequence[object], total: int, end: int) -> Document:
    document: Document = {"total_count": total, "resources": list(rows)}
    if end < total:
        document["next_cursor"] = encode_cursor([end])
    return document


def _folders(call: AdminCall) -> list[str]:
    query = "SELECT path FROM folders WHERE cloud = ?"
    made = {row["path"] for row in call.library.connection.execute(query, [call.account.cloud])}
    fixed = call.account.folder_mode == "fixed"
    for one in call.library.assets.every(call.account.cloud):
        if not one.placeholder:
            made.add(posixpath.dirname(one.public_id) if fixed else one.asset_folder)
    return sorted({path for leaf in made for path in _ancestors(leaf)})


def _ancestors(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _folder(path: str) -> Document:
    return {"name": posixpath.basename(path), "path": path, "external_id": path}


def folders(call: AdminCall) -> Document:
    """GET folders[/{path}]: those directly below."""
    parent = call.path("path")
    everything = _folders(call)
    if parent and parent not in everything:
        raise MediaError(404, f"Can't find folder with path {parent}")
    found = [_folder(one) for one in everything if posixpath.dirname(one) == parent]
    return {"folders": found, "total_count": len(found), "next_cursor": None}


def create_folder(call: AdminCall) -> Document:
    """POST folders/{path}."""
    statement = "INSERT OR IGNORE INTO folders (cloud, path) VALUES (?, ?)"
    call.library.connection.execute(statement, [call.account.cloud, call.path("path")])
    return {"success": True, **_folder(call.path("path"))}


def delete_folder(call: AdminCall) -> Document:
    """DELETE folders/{path}: only an empty one."""
    path = call.path("path")
    statement = "DELETE FROM folders WHERE cloud = ? AND (path = ? OR path LIKE ? || '/%')"
    if path not in _folders(call):
        raise MediaError(404, f"Can't find folder with path {path}")
    call.library.connection.execute(statement, [call.account.cloud, path, path])
    if path in _folders(call):
        raise MediaError(_NOT_EMPTY, "Folder is not empty")
    return {"deleted": [path]}


def search_folders(call: AdminCall) -> Document:
    """POST folders/search."""
    meets = parse(str(call.body.get("expression") or ""), _FOLDER_FIELDS)
    rows = [row for path in _folders(call) if meets((row := _folder(path)) | {"public_id": path, "tags": []})]
    document = _page(call, _sorted(rows, call.body, "path"))
    return {**document, "folders": document.pop("resources"), "time": 1}


ROUTES = [
    route("POST", "/resources/search", admin(search)),
    route("GET", "/folders", admin(folders)),
    route("POST", "/folders/search", admin(search_folders)),
    route("GET", "/folders/{path:path}", admin(folders)),
    route("POST", "/folders/{path:path}", admin(create_folder)),
    route("DELETE", "/folders/{path:path}", admin(delete_folder)),
]
