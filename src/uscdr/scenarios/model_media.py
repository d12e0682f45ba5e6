"""Which columns name stored files, and how: `media:` in scenarios.yaml."""

from __future__ import annotations

from uscdr.models.base import Fact
from uscdr.models.media import ReferenceColumn


class MediaSettings(Fact):
    """How the application names its files with the media service."""

    prefix: str = "media/"
    """What the storage puts before a name to make a public id."""
    tag: str = "media"
    """The tag that the storage gives every file; a file put back without it would be taken for an orphan."""
    references: tuple[ReferenceColumn, ...] = ()
