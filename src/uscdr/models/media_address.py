"""Addresses of files with a media service: delivery of every kind, signed or not, and signed downloads.

Source: Cloudinary's documentation, "Transformation URL structure", "Private CDNs and custom delivery hostnames",
"SEO-friendly media asset URLs", and the Upload API's `download`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from uscdr.models.media import DELIVERIES

_ADDRESS = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//\S", re.ASCII)
_DELIVERED = re.compile(
    r"(?P<before>(?:/[^/]+)*)/(?P<type>image|raw|video)/(?P<delivery>upload|private|authenticated)/(?P<rest>.+)"
)
_NAMED = re.compile(
    r"(?P<before>(?:/[^/]+)*)/(?P<name>images|private_images|authenticated_images|files|videos)/(?P<rest>.+)"
)
_NAMES = {
    "images": ("image", "upload"),
    "private_images": ("image", "private"),
    "authenticated_images": ("image", "authenticated"),
    "files": ("raw", "upload"),
    "videos": ("video", "upload"),
}
"""What stands for types in an address that ends in a name for search engines."""
_DOWNLOAD = re.compile(r"/v1_1/(?P<cloud>[^/]+)/(?P<type>image|raw|video)/download")
_SIGNATURE = re.compile(r"s--[A-Za-z0-9_-]{8,32}--")
_VERSION = re.compile(r"v\d+")
_TRANSFORMATION = re.compile(r"(?:\$?[a-z]{1,3}_|\$[A-Za-z0-9]+_|if_|t_|fl_)[^/]*")
_SERVICE = re.compile(r"(?:res(?:-\d+)?|api(?:-[a-z]+)?)\.cloudinary\.com|(?P<cloud>.+)-res\.cloudinary\.com")


@dataclass(frozen=True)
class Address:
    """What an address says. `ids`: what the file's public id may be, the likeliest first; none: it is not told.

    `ours`: one of our clouds is named. `exact`: the id is told as it is, not as a part of a path. `path` is as given,
    empty when another cloud is named.
    """

    ours: bool
    path: str
    ids: tuple[str, ...] = ()
    resource_type: str = ""
    delivery: str = ""
    exact: bool = False


FOREIGN = Address(ours=False, path="")
"""Of another cloud."""
UNREADABLE = Address(ours=True, path="")
"""Nobody can tell whose it is."""


def is_address(value: str) -> bool:
    """Whether it names a host."""
    return _ADDRESS.match(value) is not None


def address_of(value: str, clouds: frozenset[str]) -> Address:
    """Read an address. One of another cloud is nobody's of ours and tells no id."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return UNREADABLE
    path = unquote(parts.path)
    if (found := _DOWNLOAD.fullmatch(path)) is not None:
        return _downloaded(parts, found, clouds)
    delivered, named = _DELIVERED.fullmatch(path), _NAMED.fullmatch(path)
    match = delivered or named
    if match is None:
        return Address(_names_cloud(parts, path, clouds), parts.path)
    cloud = _cloud(parts, match["before"])
    if cloud is not None and cloud not in clouds:
        return FOREIGN
    if delivered is not None:
        kind, delivery, ids = delivered["type"], delivered["delivery"], splits(delivered["rest"])
    else:
        kind, delivery = _NAMES[match["name"]]
        ids = tuple(one.rpartition("/")[0] or one for one in splits(match["rest"]))
    return Address(cloud in clouds, parts.path, ids, kind, delivery)


def splits(rest: str) -> tuple[str, ...]:
    """What the public id may be in what follows the types: signature, transformations and version come before it.

    A folder may look like a transformation or a version, so that the whole and what lies between count, too.
    """
    segments = [segment for segment in rest.split("/") if segment]
    if len(segments) > 1 and _SIGNATURE.fullmatch(segments[0]):
        segments = segments[1:]
    starts, versioned = [0], 0
    for place, segment in enumerate(segments[:-1], 1):
        if _VERSION.fullmatch(segment):
            versioned = place
            break
        if not _TRANSFORMATION.fullmatch(segment):
            break
        starts.append(place)
    ordered = ([versioned] if versioned else []) + sorted(starts, reverse=True)
    return tuple("/".join(segments[start:]) for start in ordered)


def _downloaded(parts: SplitResult, found: re.Match[str], clouds: frozenset[str]) -> Address:
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if found["cloud"] not in clouds:
        return FOREIGN
    delivery = query.get("type", "upload")
    ids = (query["public_id"],) if query.get("public_id") and delivery in DELIVERIES else ()
    return Address(ours=True, path=parts.path, ids=ids, resource_type=found["type"], delivery=delivery, exact=True)


def _cloud(parts: SplitResult, before: str) -> str | None:
    """The cloud that is named: before the types, or in the host's name; None when it is not."""
    if before:
        return before.rpartition("/")[2]
    service = _SERVICE.fullmatch(parts.hostname or "")
    return service["cloud"] if service else None


def _names_cloud(parts: SplitResult, path: str, clouds: frozenset[str]) -> bool:
    service = _SERVICE.fullmatch(parts.hostname or "")
    if service is None:
        return False
    return service["cloud"] in clouds or any(segment in clouds for segment in path.split("/"))
