"""From what a row holds to what the service calls the file."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from uscdr.models.media import AssetKey, ResourceType

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp"})
_DELIVERED = re.compile(
    r"/(?P<cloud>[^/]+)/(?P<type>image|raw|video)/(?P<delivery>upload|private|authenticated)/(?P<rest>.+)"
)
_VERSION = re.compile(r"(?:^|.*/)v\d+/(?P<id>.+)")
Kind = ResourceType | Literal["by_extension"]


def candidates(value: str, kind: Kind, *, prefix: str, clouds: frozenset[str]) -> tuple[AssetKey, ...]:
    """What the file may be called, the likeliest first; empty when it lies with somebody else.

    A row holds a name (with or without the storage's prefix) or a delivery address of one of `clouds`. An image's
    id has no extension although the name may have one; a raw file's id has it.
    """
    if "://" in value:
        return _of_address(value, clouds)
    name = value.lstrip("/")
    public_id = name if name.startswith(prefix) else prefix + name
    return _of_name(public_id, kind)


def is_absolute(value: str) -> bool:
    """Whether the row names the cloud too, so that a move to another cloud leaves it behind."""
    return "://" in value


def digest(key: AssetKey) -> str:
    """Eight hexadecimal digits that tell files apart without showing a name."""
    import hashlib

    return hashlib.sha256(str(key).encode()).hexdigest()[:8]


def _of_address(value: str, clouds: frozenset[str]) -> tuple[AssetKey, ...]:
    found = _DELIVERED.search(unquote(urlsplit(value).path))
    if found is None or found["cloud"] not in clouds:
        return ()
    versioned = _VERSION.fullmatch(found["rest"])
    public_id = versioned["id"] if versioned else found["rest"]
    forms = _forms(public_id, found["type"])
    return tuple(key.model_copy(update={"delivery": found["delivery"]}) for key in forms)


def _of_name(public_id: str, kind: Kind) -> tuple[AssetKey, ...]:
    if kind != "by_extension":
        return _forms(public_id, kind)
    suffix = PurePosixPath(public_id).suffix.lower()
    # One without an extension was made by the image storage; any other but a picture is kept as it is.
    order = ("image", "raw") if suffix in IMAGES or not suffix else ("raw", "image")
    return tuple(key for one in order for key in _forms(public_id, one))


def _forms(public_id: str, kind: str) -> tuple[AssetKey, ...]:
    whole = AssetKey.model_validate({"resource_type": kind, "public_id": public_id})
    suffix = PurePosixPath(public_id).suffix
    if kind == "raw" or not suffix:
        return (whole,)
    return (whole.model_copy(update={"public_id": public_id.removesuffix(suffix)}), whole)
