"""What is deployed now, to compare a kit with. Reads only; what cannot be had is not known, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from uscdr.errors import ProviderError
from uscdr.models.media import RESOURCE_TYPES, Asset
from uscdr.models.provision import commit_of
from uscdr.providers.ports.media import Media
from uscdr.providers.ports.platform import Platform
from uscdr.providers.ports.provision import Deploys
from uscdr.vault.collect.app import current_release
from uscdr.vault.collect.sources import Absent, Unavailable, in_words, present
from uscdr.vault.freshness import Now
from uscdr.vault.manifest import Manifest
from uscdr.vault.writer import fingerprints

T = TypeVar("T")


@dataclass(frozen=True)
class Deployed:
    """The ports that are asked about `app`."""

    app: str
    platform: Platform
    deploys: Deploys | Absent
    media: Media | Absent
    _why: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def look(self, manifest: Manifest | None) -> Now:
        """Ask everything that the freshness of a kit depends on. Raises Interrupted."""
        return Now(
            config_changed=self._ask("config", lambda: self._changed(manifest)),
            commit=self._ask("source", self._commit),
            media_backup=self._ask("media backup", self._media_backup),
            why=self._why,
        )

    def _ask(self, question: str, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except (ProviderError, Unavailable) as error:
            self._why[question] = in_words(error)
            return None

    def _changed(self, manifest: Manifest | None) -> tuple[str, ...]:
        """Names of variables that are new, gone, or of another value."""
        if manifest is None:
            raise Unavailable("the kit was not opened (--identity FILE)")
        before = manifest.fingerprints
        if not before.salt:
            raise Unavailable("the kit holds nothing to compare with")
        current = fingerprints(self.platform.config_vars(self.app), before.salt).values
        names = before.values.keys() | current.keys()
        return tuple(sorted(name for name in names if before.values.get(name) != current.get(name)))

    def _commit(self) -> str:
        release = current_release(self.platform, self.app)
        commit = commit_of(release.slug_id, present(self.deploys).builds(self.app)) if release else ""
        if not commit:
            raise Unavailable("no build that the platform remembers made what runs")
        return commit

    def _media_backup(self) -> bool:
        """Whether the newest file has a version in the service's own backup: older ones tell of other days."""
        media = present(self.media)
        newest = max(_first_pages(media), key=lambda asset: asset.version, default=None)
        if newest is None:
            raise Unavailable("there is no file by which it could be told")
        return bool(media.details(newest.key).versions)


def _first_pages(media: Media) -> list[Asset]:
    """The newest of each kind come first; one call a kind."""
    pages = (next(iter(media.list_assets(kind, access=False)), ()) for kind in RESOURCE_TYPES)
    return [asset for page in pages for asset in page if asset.present]
