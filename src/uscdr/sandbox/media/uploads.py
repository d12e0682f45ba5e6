"""Upload API: storing files."""

from __future__ import annotations

import asyncio
import base64
import binascii
import posixpath
import secrets
import string
from dataclasses import replace

from uscdr.sandbox.media import chunks, present
from uscdr.sandbox.media.access import access_mode, rules
from uscdr.sandbox.media.assets import RESOURCE_TYPES, Asset, Name, now
from uscdr.sandbox.media.calls import Document, UploadCall, route, signed
from uscdr.sandbox.media.context import parse, words
from uscdr.sandbox.media.errors import bad
from uscdr.sandbox.media.formats import HEAD, IMAGE_FORMATS, VIDEO_FORMATS, Kind, recognise
from uscdr.sandbox.media.multipart import SMALL

_ALPHABET = string.ascii_lowercase + string.digits
_SUFFIX, _RANDOM_ID = 6, 20
_DELIVERY = ("upload", "private", "authenticated")


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def resource_type(call: UploadCall) -> str:
    """The type in the path; `auto` is told from the file. Raises 400."""
    text = str(call.request.path_params["resource_type"])
    if text not in (*RESOURCE_TYPES, "auto"):
        raise bad(f"Invalid resource_type {text}")
    return text


def delivery_type(call: UploadCall) -> str:
    """The delivery type asked for. Raises 400."""
    text = call.field("type", "upload")
    if text not in _DELIVERY:
        raise bad(f"Invalid type {text}")
    return text


def _filename(call: UploadCall) -> str:
    given = call.form.file.filename if call.form.file else ""
    return posixpath.basename((call.field("filename_override") or given or "file").replace("\\", "/"))


def _public_id(call: UploadCall, kind: str) -> str:
    """The id asked for, or one made from the file's name, or a random one."""
    stem, extension = posixpath.splitext(_filename(call))
    suffix = extension if kind == "raw" else ""
    if given := call.field("public_id"):
        name = given
    elif call.flag("use_filename"):
        unique = f"_{_random(_SUFFIX)}" if call.flag("unique_filename", default=True) else ""
        name = f"{stem}{unique}{suffix}"
    else:
        name = _random(_RANDOM_ID) + suffix
    return "/".join(part for part in (call.field("folder").strip("/"), name) if part)


def _kind(call: UploadCall, head: bytes) -> tuple[str, Kind]:
    """The resource type to store under, and the format. Raises 400 for what is no image or video."""
    wanted, kind = resource_type(call), recognise(head)
    stored = kind.resource_type if wanted == "auto" else wanted
    if stored == "image" and kind.format not in IMAGE_FORMATS:
        raise bad("Invalid image file")
    if stored == "video" and kind.format not in VIDEO_FORMATS:
        raise bad("Unsupported video format or file")
    if stored == "raw":
        return stored, Kind(posixpath.splitext(call.field("public_id") or _filename(call))[1].removeprefix(".").lower())
    return stored, kind


def _content(call: UploadCall) -> bytes | memoryview:
    """The file, or what a data URI holds. Raises 400."""
    if call.form.file:
        return memoryview(call.form.body)[call.form.file.start : call.form.file.end]
    text = call.field("file")
    if not text:
        raise bad("Missing required parameter - file")
    scheme, _, data = text.partition(",")
    if not scheme.startswith("data:") or not scheme.endswith(";base64"):
        raise bad("Error in loading the file: remote addresses are not fetched here")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        raise bad("Invalid data URI") from None


async def upload(call: UploadCall) -> Document:
    """POST {resource_type}/upload: a whole file, or one chunk of it."""
    delivery_type(call)
    part = chunks.requested(call)
    content = _content(call)
    try:
        if part is None:
            if not len(content):
                raise bad("Empty file")
            add = call.library.blobs.add
            etag = add(content) if len(content) <= SMALL else await asyncio.to_thread(add, content)
            return _store(call, bytes(content[:HEAD]), etag, len(content))
        return await _chunk(call, part, content)
    finally:
        if isinstance(content, memoryview):
            content.release()


async def _chunk(call: UploadCall, part: chunks.Range, content: bytes | memoryview) -> Document:
    assembly = chunks.Assembly(call.library, call.account.cloud, call.request.headers["x-unique-upload-id"])
    if not assembly.add(part, content):
        return {
            "done": False,
            "bytes": len(content),
            "kind": "upload",
            "public_id": call.field("public_id") or _public_id(call, resource_type(call)),
            "resource_type": resource_type(call),
            "type": delivery_type(call),
            "created_at": now(),
        }
    size = assembly.received()
    with assembly.file.open("rb") as file:
        head = file.read(HEAD)
    etag = await asyncio.to_thread(call.library.blobs.adopt, assembly.file)
    assembly.forget()
    return _store(call, head, etag, size) | {"done": True}


def _store(call: UploadCall, head: bytes, etag: str, size: int) -> Document:
    stored, kind = _kind(call, head)
    name = Name(call.account.cloud, stored, delivery_type(call), _public_id(call, stored))
    old = call.library.assets.find(name)
    base, account = call.service.url, call.account
    if old and not old.placeholder and not call.flag("overwrite", default=True):
        return present.uploaded(base, account, old) | {"existing": True}
    backup = call.flag("backup") if call.field("backup") else None
    asset = call.library.put(_described(call, Asset(name)), kind, etag=etag, size=size, backup=backup)
    kept = [one.version_id for one in call.library.assets.versions(asset) if one.version == asset.version]
    more = {**({"version_id": kept[0]} if kept else {}), **({"overwritten": True} if old else {})}
    return present.uploaded(base, account, asset) | more


def _described(call: UploadCall, asset: Asset) -> Asset:
    filename = _filename(call)
    stem = posixpath.splitext(filename)[0]
    shown = stem if call.flag("use_filename_as_display_name") else posixpath.basename(asset.public_id)
    return replace(
        described(call, asset),
        asset_folder=call.field("asset_folder") or call.field("folder").strip("/"),
        display_name=call.field("display_name") or shown,
        original_filename="" if call.flag("discard_original_filename") else stem,
    )


def described(call: UploadCall, asset: Asset) -> Asset:
    """The asset with the tags, context and metadata that the form names."""
    given = call.form.parameters
    return replace(
        asset,
        tags=tuple(words(call.field("tags"))) if "tags" in given else asset.tags,
        context=parse(call.field("context")) if "context" in given else asset.context,
        metadata=parse(call.field("metadata")) if "metadata" in given else asset.metadata,
        access_mode=access_mode(call.field("access_mode")) if "access_mode" in given else asset.access_mode,
        access_control=rules(call.field("access_control")) if "access_control" in given else asset.access_control,
    )


ROUTES = [route("POST", "/{resource_type}/upload", signed(upload))]
