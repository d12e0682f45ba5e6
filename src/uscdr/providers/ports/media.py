"""A media service: one cloud of one account. Errors as in `platform`.

Admin API calls draw on an hourly allowance: `quota` is the last reading. When it is used up a call raises
`RateLimited` with `retry_after` when that is known; uploads and downloads do not draw on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from uscdr.models.media import (
        Access,
        Asset,
        AssetDetails,
        AssetKey,
        MediaDownload,
        MediaUsage,
        Quota,
        ResourceType,
        RestoredAsset,
    )
    from uscdr.providers.ports.progress import Progress

Delivered = Literal["delivered", "missing", "withheld"]
"""The file comes; there is none; whoever asks must show a permission."""
PAGE, RESTORE_BATCH, LOOKUP_BATCH = 500, 100, 100
"""Assets in one listing answer, in one restore, in one look at named assets."""


class Media(Protocol):
    """One cloud."""

    @property
    def cloud(self) -> str:
        """Its name."""
        ...

    @property
    def quota(self) -> Quota | None:
        """The last reading of the hourly allowance; None before the first answer."""
        ...

    def ping(self) -> None:
        """Reachable, and the credentials are accepted (one call)."""
        ...

    def usage(self) -> MediaUsage:
        """Plan, number of objects, storage (one call)."""
        ...

    def list_assets(self, resource_type: ResourceType, *, access: bool = True) -> Iterator[tuple[Asset, ...]]:
        """Every asset of each delivery type with who may have it, placeholders too, in pages of up to PAGE.

        A call a page of each delivery type, and with `access` one for PAGE assets of all of them before the first page.
        Without it, or where the service does not tell who may have an asset, its `access` is None.
        """
        ...

    def look_up(self, keys: Sequence[AssetKey]) -> Mapping[AssetKey, Asset]:
        """The named assets that exist, placeholders too; LOOKUP_BATCH of one resource type a call."""
        ...

    def details(self, key: AssetKey) -> AssetDetails:
        """One asset with its digest and the versions in the service's own backup (one call); NotFound."""
        ...

    def restore(self, keys: Sequence[AssetKey], versions: Sequence[str] | None = None) -> tuple[RestoredAsset, ...]:
        """Bring up to RESTORE_BATCH assets of one resource type back from the service's own backup (write, idempotent).

        `versions[i]` is a version id for `keys[i]`; without them the latest. An accepted call may still hold items
        that did not come back: each has its own answer.
        """
        ...

    def upload(self, key: AssetKey, file: Path, *, like: Asset | None = None) -> Asset:
        """Put `file` back under exactly this id, replacing what is there and clearing the CDN (write, idempotent).

        Tags, context, metadata, folder, display name and access are those of `like`. Large files go in chunks.
        """
        ...

    def set_access(self, key: AssetKey, access: Access) -> None:
        """Have the service give it to whom `access` says, and nobody else (write, idempotent; one call)."""
        ...

    def delivery_url(self, key: AssetKey, *, format: str = "") -> str:  # noqa: A002 - the service's own word
        """Where the original is delivered, without a version and without a transformation."""
        ...

    def download(self, asset: Asset, destination: Path, progress: Progress | None = None) -> MediaDownload:
        """Stream the original to a new 0600 file, hashing on the way; a short body is an error, not a file.

        A restricted one is asked for by a signed address.
        """
        ...

    def delivered(self, url: str) -> Delivered:
        """What a delivery address without a signature answers (HEAD; no allowance). Any other failure raises."""
        ...
