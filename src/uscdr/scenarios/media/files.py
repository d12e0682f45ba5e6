"""Copies of media files kept elsewhere: an escape kit or a local folder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from uscdr.models.media import AssetKey, KnownAsset


class MediaFiles(Protocol):
    """What could be uploaded again. Errors: MachineError for the disk, CheckFailed for a damaged copy."""

    @property
    def name(self) -> str:
        """For a person: which kit, which folder."""
        ...

    def inventory(self) -> Mapping[AssetKey, KnownAsset]:
        """Every copy there is."""
        ...

    def open(self, key: AssetKey) -> AbstractContextManager[Path]:
        """The copy as a file, checked against its digest; gone (or untouched) when the context ends."""
        ...
