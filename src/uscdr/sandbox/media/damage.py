"""Real damage to a cloud, of the kinds that recoveries of media are for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uscdr.sandbox.faults.rules import CLOUDINARY, Rule
from uscdr.sandbox.media import samples
from uscdr.sandbox.media.assets import ACTIVE, Asset
from uscdr.sandbox.media.database import transaction
from uscdr.sandbox.media.formats import Kind
from uscdr.sandbox.media.library import Library
from uscdr.sandbox.media.service import MediaService

SPARED = 3  # one asset in so many stays as it is
_OTHER_SIZE = 2000  # bytes of what is put in an asset's place, more or less


@dataclass(frozen=True)
class MediaDamage:
    """What was done: counts of assets that are there, before and after."""

    how: str
    cloud: str
    what: str
    assets_before: int
    assets_after: int
    assets_affected: int
    restorable: int

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def to_assets(root: Path, cloud: str, how: str) -> MediaDamage:
    """Damage two assets in three, evenly spread. Raises ValueError if there is none. Runs in a thread of its own."""
    library = Library(root, silent=True)
    try:
        before, _ = library.assets.totals(cloud)
        everything = library.assets.select(
            "cloud = ?" + ACTIVE, [cloud], order="resource_type, public_id", limit=before
        )
        chosen = [one for number, one in enumerate(everything) if number % SPARED]
        if not chosen:
            raise ValueError(f"The cloud {cloud} holds too few assets to damage.")
        what, act = ASSET_KINDS[how]
        with transaction(library.connection):
            for number, one in enumerate(chosen):
                act(library, one, number)
        restorable = sum(bool(library.assets.versions(one)) for one in chosen)
        after, _ = library.assets.totals(cloud)
        return MediaDamage(how, cloud, what, before, after, len(chosen), restorable)
    finally:
        library.close()


def _delete(library: Library, asset: Asset, _number: int) -> None:
    library.delete(asset.name)


def _half_delete(library: Library, asset: Asset, number: int) -> None:
    if number % 2:
        library.assets.drop_versions(asset)
    library.delete(asset.name)


def _overwrite(library: Library, asset: Asset, _number: int) -> None:
    suffix = "jpg" if asset.resource_type == "image" else asset.format
    content = samples.content(f"{asset.public_id} overwritten.{suffix}", asset.bytes // 2 + _OTHER_SIZE)
    kind = Kind("jpg", asset.width, asset.height) if asset.resource_type == "image" else Kind(asset.format)
    library.put(asset, kind, etag=library.blobs.add(content), size=len(content))


ASSET_KINDS: dict[str, tuple[str, Callable[[Library, Asset, int], None]]] = {
    "deleted": ("deleted, the service's own backup kept", _delete),
    "overwritten": ("other bytes under the same id, the earlier ones in the service's own backup", _overwrite),
    "half-backed-up": ("deleted, every second one without a backup", _half_delete),
}
SERVICE_KINDS = ("service-down", "credentials-revoked")
KINDS = (*ASSET_KINDS, *SERVICE_KINDS)


def to_service(service: MediaService, cloud: str, how: str, *, undo: bool) -> MediaDamage:
    """Take the service down, or have it refuse the cloud's key; `undo` ends that."""
    count, _ = service.library.assets.totals(cloud)
    if how == "service-down":
        _take_down(service, undo=undo)
        what = "the API and delivery answer again" if undo else "the API and delivery answer 503"
    else:
        service.library.accounts.enable(cloud, enabled=undo)
        what = "the key is accepted again" if undo else "the key is refused; delivery goes on"
    return MediaDamage(how, cloud, what, count, count, 0, 0)


def _take_down(service: MediaService, *, undo: bool) -> None:
    paths = ["/v1_1/*", *(f"/{one.cloud}/*" for one in service.library.accounts.all())]
    down = [Rule("503-html", path=path, count=0, provider=CLOUDINARY) for path in paths]
    mark = {(one.kind, one.path, one.count, one.provider) for one in down}
    rules = service.faults.rules
    rules[:] = [one for one in rules if (one.kind, one.path, one.count, one.provider) not in mark]
    if not undo:
        rules.extend(down)
    service.status.indicator = "none" if undo else "major"
