"""From what a row holds to what the service calls the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote

from uscdr.models.media import DELIVERIES, AssetKey, ResourceType
from uscdr.models.media_address import address_of, is_address, splits

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp"})
_VIDEOS = frozenset({".mp4", ".mov", ".webm", ".avi", ".mkv", ".mp3", ".wav"})
_PATH = re.compile(r"(?P<type>image|raw|video)/(?P<delivery>upload|private|authenticated)/(?P<rest>[^#]+)(?:#.*)?")
"""As the service's own model field stores a file: types, version, id and format, and perhaps a signature."""
MEDIA = "media/"
"""Where Django serves files by default: a name may carry it although the storage has no prefix."""
_LONGEST = 1000
_NO_NAME = re.compile(r"[\x00-\x1f\x7f]|^data:|^[\[{]")
Kind = ResourceType | Literal["by_extension"]
Where = Literal["here", "elsewhere", "not understood"]


@dataclass(frozen=True)
class Reading:
    """What a stored name means.

    `names`: what the file may be called, the likeliest first; `others`: what it may be called if none of those is
    there. `where` counts when none of all these is known: the file is missed `here`, lies with somebody else, or
    nobody can tell.
    """

    where: Where
    names: tuple[AssetKey, ...] = ()
    others: tuple[AssetKey, ...] = ()


def read(value: str, kind: Kind, *, prefix: str, clouds: frozenset[str]) -> Reading:
    """A row holds a name (with or without the storage's prefix) or a delivery address, of one of `clouds` or not.

    An image's id has no extension although the name may have one; a raw file's id has it.
    """
    value = value.strip()
    if not value or len(value) > _LONGEST or _NO_NAME.search(value):
        return Reading("not understood")
    if is_address(value):
        return _of_address(value, kind, prefix, clouds)
    if (found := _PATH.fullmatch(value.lstrip("/"))) is not None:
        return _of_rest("here", found["type"], found["delivery"], splits(found["rest"]))
    return _of_name(value.lstrip("/"), kind, prefix)


def is_absolute(value: str) -> bool:
    """Whether the row names the cloud too, so that a move to another cloud leaves it behind."""
    return is_address(value.strip())


def digest(key: AssetKey) -> str:
    """Eight hexadecimal digits that tell files apart without showing a name."""
    import hashlib

    return hashlib.sha256(str(key).encode()).hexdigest()[:8]


def _of_address(value: str, kind: Kind, prefix: str, clouds: frozenset[str]) -> Reading:
    found = address_of(value, clouds)
    if found.ids:
        # Without a cloud in it, as on a host of the account's own: ours if we know the file.
        where: Where = "here" if found.ours else "not understood"
        exact = _of_rest(where, found.resource_type, found.delivery, found.ids)
        return exact if not found.exact else Reading(where, exact.names[-1:], exact.names[:-1])
    if found.ours:
        return Reading("not understood")
    _, inside, rest = unquote(found.path).partition(f"/{prefix or MEDIA}")
    # The application's own address of a file, made of the storage's name.
    names = _of_name(prefix + rest, kind, prefix) if inside else Reading("elsewhere")
    return Reading("elsewhere", (), (*names.names, *names.others))


def _of_rest(where: Where, kind: str, delivery: str, ids: tuple[str, ...]) -> Reading:
    """Of several ids the first is the likeliest."""
    ways = [
        tuple(key.model_copy(update={"delivery": delivery}) for key in _forms(one, kind)) for one in dict.fromkeys(ids)
    ]
    first, *more = ways
    return Reading(where, first, tuple(key for way in more for key in way))


def _of_name(name: str, kind: Kind, prefix: str) -> Reading:
    public_id = name if name.startswith(prefix) else prefix + name
    first = tuple(_by_kind(public_id, kind))
    versioned = re.fullmatch(r"v\d+/(.+)", name)
    bare = dict.fromkeys(
        (
            public_id,
            name,
            MEDIA + name,
            name.removeprefix(MEDIA),
            unquote(public_id),
            versioned[1] if versioned else name,
        )
    )
    open_ones = [key for one in bare for key in (*_by_kind(one, kind), *_by_kind(one, "video"))]
    others = dict.fromkeys(
        key.model_copy(update={"delivery": delivery}) for delivery in DELIVERIES for key in (*first, *open_ones)
    )
    return Reading("here", first, tuple(key for key in others if key not in first))


def _by_kind(public_id: str, kind: Kind) -> Iterator[AssetKey]:
    if kind != "by_extension":
        yield from _forms(public_id, kind)
        return
    suffix = PurePosixPath(public_id).suffix.lower()
    # One without an extension was made by the image storage; any other but a picture is kept as it is.
    order = ("image", "raw") if suffix in IMAGES or not suffix else ("raw", "image")
    for one in (*order, "video") if suffix in _VIDEOS else order:
        yield from _forms(public_id, one)


def _forms(public_id: str, kind: str) -> tuple[AssetKey, ...]:
    whole = AssetKey.model_validate({"resource_type": kind, "public_id": public_id})
    suffix = PurePosixPath(public_id).suffix
    if kind == "raw" or not suffix:
        return (whole,)
    return (whole.model_copy(update={"public_id": public_id.removesuffix(suffix)}), whole)
