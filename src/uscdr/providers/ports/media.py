"""A media service: one cloud of one account. Errors as in `platform`.

Admin API calls use up an hourly allowance; `quota` is its last reading. When it is used up, a call raises
`RateLimited`, with `retry_after` if known. Uploads and downloads do not use it up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from uscdr.models.data_settings import ResourceType
    from uscdr.models.media import (
        Access,
        Asset,
        AssetDetails,
        AssetKey,
        MediaDownload,
        MediaUsage,
        Quota,
        RestoredAsset,
    )
    from uscdr.providers.ports.progress import Progress

Delivered = Literal["delivered", "missing", "withheld"]
"""The file is delivered; there is none; it is delivered only to a signed address."""
PAGE, RESTORE_BATCH, LOOKUP_BATCH = 500, 100, 100
"""The most assets in one page of a listing, in one restore, in one look-up of named assets."""


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
        """Test that the service answers and accepts the credentials (one call)."""
        ...

    def usage(self) -> MediaUsage:
        """Plan, number of objects, storage (one call)."""
        ...

    def list_assets(self, resource_type: ResourceType, *, access: bool = True) -> Iterator[tuple[Asset, ...]]:
        """Every asset of each delivery type, including placeholders, in pages of up to PAGE.

        One call for each page of each delivery type. With `access`, also one call for every PAGE assets, before the
        first page. An asset's `access` is None without it, or when the service does not give it.
        """
        ...

    def listing(self, resource_type: ResourceType) -> Iterator[tuple[Asset, ...]]:
        """The same pages without who has access: `access_of` may be asked meanwhile."""
        ...

    def access_of(self, resource_type: ResourceType) -> Mapping[AssetKey, Access]:
        """Who has access to each file, one call for every PAGE of them; empty when the service does not say."""
        ...

    def look_up(self, keys: Sequence[AssetKey]) -> Mapping[AssetKey, Asset]:
        """The named assets that exist, including placeholders; one call for LOOKUP_BATCH of one resource type."""
        ...

    def details(self, key: AssetKey) -> AssetDetails:
        """One asset with its digest and the versions in the service's own backup (one call). Raises NotFound."""
        ...

    def restore(self, keys: Sequence[AssetKey], versions: Sequence[str] | None = None) -> tuple[RestoredAsset, ...]:
        """Restore up to RESTORE_BATCH assets of one resource type from the service's own backup (write, idempotent).

        `versions[i]` is a version id for `keys[i]`; without it the latest. Each asset has its own result: in an
        accepted call some may fail.
        """
        ...

    def upload(self, key: AssetKey, file: Path | bytes, *, like: Asset | None = None) -> Asset:
        """Upload a file, or its bytes, under exactly this id (write, idempotent).

        It replaces an existing file and clears the CDN.

        Tags, context, metadata, folder, display name and access are those of `like`. Large files are sent in chunks.
        """
        ...

    def set_access(self, key: AssetKey, access: Access) -> None:
        """Make the service deliver the file only as `access` allows (write, idempotent; one or two calls)."""
        ...

    def delivery_url(self, key: AssetKey, *, format: str = "") -> str:  # noqa: A002 - the service's own word
        """The address of the original, without a version or transformation."""
        ...

    def download(self, asset: Asset, destination: Path, progress: Progress | None = None) -> MediaDownload:
        """Download the original to a new file (0600) and compute its digests; a short body is an error, without a file.

        A restricted file is requested by a signed address.
        """
        ...

    def delivered(self, url: str) -> Delivered:
        """What an unsigned delivery address answers (HEAD; uses no allowance). Any other answer raises."""
        ...
