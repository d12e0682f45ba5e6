"""What one process has seen of the media, shared by the steps of a run and never written down: names are personal."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.scenarios.media.compare import State, Window, misopened, states
from uscdr.scenarios.media.repair import Repairs, plan

if TYPE_CHECKING:
    from uscdr.models.media import Access, AssetDetails, AssetKey, KnownAsset
    from uscdr.providers.ports.media import Media
    from uscdr.scenarios.media.survey import Survey


@dataclass
class Book:
    """Empty in a new process: a resumed run looks anew."""

    target: Media | None = None
    """The cloud that is worked on, once it was opened."""
    copies: Mapping[AssetKey, KnownAsset] | None = None
    """The inventory of the kit or folder, once it was read; empty when there is none."""
    survey: Survey | None = None
    details: dict[AssetKey, AssetDetails] = field(default_factory=dict)
    digests: dict[tuple[AssetKey, int], str] = field(default_factory=dict)
    """MD5 of bytes that were fetched, by key and version."""
    sizes: dict[AssetKey, int] = field(default_factory=dict)
    """Bytes that were fetched."""
    refused: set[AssetKey] = field(default_factory=set)
    """What the service's backup did not bring back when asked."""
    window: Window | None = None
    """When the damage was done, if the operator said so."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def states(self) -> dict[AssetKey, State]:
        """The state of every file that rows refer to, by what is known now."""
        return {} if self.survey is None else states(self.survey, self.copies or {}, self.digests, self.window)

    def misopened(self) -> dict[AssetKey, Access]:
        """Files that others may have than the copy knows, and who should."""
        return {} if self.survey is None else misopened(self.survey, self.copies or {})

    def repairs(self, *, own_backup: bool) -> Repairs:
        """What has to be done, by what is known now."""
        return plan(
            self.states(),
            self.copies or {},
            self.details,
            own_backup=own_backup,
            sizes={key: one.bytes for key, one in self.survey.wanted.items()} if self.survey else {},
            refused=frozenset(self.refused),
            window=self.window,
        )

    def forget(self) -> None:
        """After an answer was lost: what was seen of the cloud counts no more."""
        self.survey = None
        self.details.clear()
