"""Admin API: what changes assets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from uscdr.sandbox.media import present
from uscdr.sandbox.media.access import access_mode, rules
from uscdr.sandbox.media.admin import MOST_IDS, listed, name_of, resource_type
from uscdr.sandbox.media.assets import ACTIVE, Asset, Name
from uscdr.sandbox.media.calls import AdminCall, Document, admin, route
from uscdr.sandbox.media.context import parse
from uscdr.sandbox.media.errors import bad, missing

_MOST_DELETED = 1000


def _limited(ids: list[str], what: str) -> list[str]:
    if not ids:
        raise bad(f"Missing required parameter - {what}")
    if len(ids) > MOST_IDS:
        raise bad(f"Too many {what}: {len(ids)}, at most {MOST_IDS}")
    return ids


def restore(call: AdminCall) -> Document:
    """POST resources/{resource_type}/{type}/restore: each id has an answer of its own, inside of a 200."""
    ids = _limited(call.list("public_ids"), "public_ids")
    kind = resource_type(call)
    found = [call.library.assets.find(Name(call.account.cloud, kind, call.path("type"), one)) for one in ids]
    return _restored(call, ids, found)


def restore_by_asset_ids(call: AdminCall) -> Document:
    """POST resources/restore: the same by immutable ids."""
    ids = _limited(call.list("asset_ids"), "asset_ids")
    return _restored(call, ids, [call.library.assets.find_id(call.account.cloud, one) for one in ids])


def _restored(call: AdminCall, ids: list[str], assets: list[Asset | None]) -> Document:
    versions = call.list("versions")
    if versions and len(versions) != len(ids):
        raise bad("The number of versions must be that of the assets")
    wanted: list[str | None] = [*versions] if versions else [None] * len(ids)
    answers: Document = {}
    for key, asset, version in zip(ids, assets, wanted, strict=True):
        done = call.library.restore(asset, version)
        base, account = call.service.url, call.account
        answers[key] = {"error": done} if isinstance(done, str) else present.details(base, account, done)
    return answers


def delete(call: AdminCall) -> Document:
    """DELETE resources/{resource_type}/{type}: by `public_ids`, by `prefix`, or `all`."""
    kind, delivery = resource_type(call), call.path("type")
    ids = call.list("public_ids")
    if not ids:
        ids = [one.public_id for one in _chosen(call, kind, delivery)]
    elif len(ids) > MOST_IDS:
        raise bad(f"Too many public_ids: {len(ids)}, at most {MOST_IDS}")
    return _deleted(call, {one: Name(call.account.cloud, kind, delivery, one) for one in ids})


def _chosen(call: AdminCall, kind: str, delivery: str) -> list[Asset]:
    prefix, everything = str(call.body.get("prefix", "")), call.body.get("all") in (True, "true")
    if not prefix and not everything:
        raise bad("Missing required parameter - public_ids")
    where = "cloud = ? AND resource_type = ? AND type = ? AND substr(public_id, 1, ?) = ?" + ACTIVE
    values = [call.account.cloud, kind, delivery, len(prefix), prefix]
    return call.library.assets.select(where, values, order="position", limit=_MOST_DELETED)


def delete_by_asset_ids(call: AdminCall) -> Document:
    """DELETE resources: by immutable ids."""
    found = {one: call.library.assets.find_id(call.account.cloud, one) for one in call.list("asset_ids")}
    return _deleted(call, {key: asset.name if asset else None for key, asset in found.items()})


def delete_by_tag(call: AdminCall) -> Document:
    """DELETE resources/{resource_type}/tags/{tag}."""
    where = "cloud = ? AND resource_type = ? AND instr(',' || tags || ',', ?) > 0" + ACTIVE
    values = [call.account.cloud, resource_type(call), f",{call.path('tag')},"]
    found = call.library.assets.select(where, values, order="position", limit=_MOST_DELETED)
    return _deleted(call, {one.public_id: one.name for one in found})


def _deleted(call: AdminCall, names: dict[str, Name | None] | dict[str, Name]) -> Document:
    results = {key: name is not None and call.library.delete(name) for key, name in names.items()}
    return {
        "deleted": {key: "deleted" if done else "not_found" for key, done in results.items()},
        "deleted_counts": {key: {"original": int(done), "derived": 0} for key, done in results.items()},
        "partial": False,
    }


def update(call: AdminCall) -> Document:
    """POST resources/{resource_type}/{type}/{public_id}: tags, context, metadata, folder, display name, access."""
    asset = call.library.assets.find(name_of(call))
    if asset is None or asset.placeholder:
        raise missing(call.path("public_id"))
    changed = replace(asset, **_changes(call.body))  # type: ignore[arg-type]  # fields of the dataclass, by name
    base, account = call.service.url, call.account
    return present.details(base, account, call.library.change(changed, "update"))


def _changes(body: Document) -> dict[str, object]:
    changes: dict[str, object] = {}
    if "tags" in body:
        changes["tags"] = listed(body["tags"])
    changes |= {name: parse(str(body[name])) for name in ("context", "metadata") if body.get(name)}
    if "access_control" in body:
        changes["access_control"] = rules(str(body["access_control"]))
    return changes | {name: str(body[name]) for name in ("asset_folder", "display_name") if name in body}


def update_access_mode(call: AdminCall) -> Document:
    """POST resources/{resource_type}/{type}/update_access_mode: of the assets with these ids."""
    kind, delivery, mode = resource_type(call), call.path("type"), access_mode(str(call.body.get("access_mode")))
    done: list[Document] = []
    failed: list[Document] = []
    for one in _limited(call.list("public_ids"), "public_ids"):
        asset = call.library.assets.find(Name(call.account.cloud, kind, delivery, one))
        changed = call.library.each(asset, lambda found: replace(found, access_mode=mode), "access")
        (done if changed else failed).append({"public_id": one})
    return {"updated": done, "failed": failed}


def drop_backup(call: AdminCall) -> Document:
    """DELETE resources/backup/{asset_id}: versions are gone for good."""
    asset = call.library.assets.find_id(call.account.cloud, call.path("asset_id"))
    if asset is None:
        raise missing(call.path("asset_id"))
    wanted: Iterable[str] = call.list("version_ids")
    gone = call.library.assets.drop_versions(asset, wanted)
    left = call.library.assets.versions(asset)
    if asset.placeholder and not left:
        call.library.assets.forget(asset)
    return {"asset_id": asset.asset_id, "deleted_version_ids": list(wanted), "deleted": gone}


ROUTES = [
    route("POST", "/resources/restore", admin(restore_by_asset_ids)),
    route("DELETE", "/resources", admin(delete_by_asset_ids)),
    route("DELETE", "/resources/backup/{asset_id}", admin(drop_backup)),
    route("DELETE", "/resources/{resource_type}/tags/{tag}", admin(delete_by_tag)),
    route("DELETE", "/resources/{resource_type}/{type}", admin(delete)),
    route("POST", "/resources/{resource_type}/{type}/restore", admin(restore)),
    route("POST", "/resources/{resource_type}/{type}/update_access_mode", admin(update_access_mode)),
    route("POST", "/resources/{resource_type}/{type}/{public_id:path}", admin(update)),
]
