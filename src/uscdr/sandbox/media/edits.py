"""Upload API: what changes assets that are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from uscdr.sandbox.media import present
from uscdr.sandbox.media.assets import Asset, Name
from uscdr.sandbox.media.calls import Document, UploadCall, route, signed
from uscdr.sandbox.media.context import parse
from uscdr.sandbox.media.errors import bad, missing
from uscdr.sandbox.media.signatures import NOTIFICATION
from uscdr.sandbox.media.uploads import delivery_type, described, resource_type


def _name(call: UploadCall, public_id: str) -> Name:
    return Name(call.account.cloud, resource_type(call), delivery_type(call), public_id)


async def destroy(call: UploadCall) -> Document:
    """POST {resource_type}/destroy."""
    done = call.library.delete(_name(call, call.field("public_id")))
    return {"result": "ok" if done else "not found"}


async def rename(call: UploadCall) -> Document:
    """POST {resource_type}/rename."""
    name, target = _name(call, call.field("from_public_id")), call.field("to_public_id")
    if not target:
        raise bad("Missing required parameter - to_public_id")
    renamed = call.library.rename(name, target, overwrite=call.flag("overwrite"))
    return present.details(call.service.url, call.account, renamed)


async def explicit(call: UploadCall) -> Document:
    """POST {resource_type}/explicit: tags, context and metadata of an asset that is there."""
    asset = call.library.assets.find(_name(call, call.field("public_id")))
    if asset is None or asset.placeholder:
        raise missing(call.field("public_id"))
    changed = call.library.change(described(call, asset), "explicit")
    return present.uploaded(call.service.url, call.account, changed)


def _changed(call: UploadCall, change: Callable[[Asset], Asset], action: str) -> Document:
    done = [
        one
        for one in call.form.many("public_ids")
        if call.library.each(call.library.assets.find(_name(call, one)), change, action)
    ]
    return {"public_ids": done}


async def tags(call: UploadCall) -> Document:
    """POST {resource_type}/tags: add, remove, replace, remove_all."""
    command, tag = call.field("command"), call.field("tag")
    changes: dict[str, Callable[[Asset], tuple[str, ...]]] = {
        "add": lambda one: tuple(dict.fromkeys((*one.tags, *tag.split(",")))),
        "remove": lambda one: tuple(old for old in one.tags if old not in tag.split(",")),
        "replace": lambda _one: tuple(tag.split(",")),
        "remove_all": lambda _one: (),
    }
    if command not in changes:
        raise bad(f"Invalid command {command}")
    return _changed(call, lambda one: replace(one, tags=changes[command](one)), "tags")


async def context(call: UploadCall) -> Document:
    """POST {resource_type}/context: add, remove_all."""
    command, pairs = call.field("command"), parse(call.field("context"))
    if command not in ("add", "remove_all"):
        raise bad(f"Invalid command {command}")
    keep = command == "add"
    return _changed(call, lambda one: replace(one, context={**one.context, **pairs} if keep else {}), "context")


async def metadata(call: UploadCall) -> Document:
    """POST {resource_type}/metadata."""
    pairs = parse(call.field("metadata"))
    return _changed(call, lambda one: replace(one, metadata={**one.metadata, **pairs}), "metadata")


ROUTES = [
    route("POST", "/{resource_type}/destroy", signed(destroy)),
    route("POST", "/{resource_type}/rename", signed(rename)),
    route("POST", "/{resource_type}/explicit", signed(explicit)),
    route("POST", "/{resource_type}/tags", signed(tags, unsigned=NOTIFICATION)),
    route("POST", "/{resource_type}/context", signed(context, unsigned=NOTIFICATION)),
    route("POST", "/{resource_type}/metadata", signed(metadata, unsigned=NOTIFICATION)),
]
