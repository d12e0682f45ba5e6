"""The operator's public page for users: where it is written, and how everybody sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from uscdr.models.probes import WebAnswer


class PageSpace(Protocol):
    """Where the page is written: a file of a web space, or an object of a bucket."""

    @property
    def place(self) -> str:
        """The location, as shown to people."""
        ...

    def replace(self, html: str) -> None:
        """Overwrite the page (write, idempotent). Raises MachineError; the old page is then unchanged or unknown."""
        ...


class PublicPage(Protocol):
    """The page at its public address, with all caches between."""

    def look(self) -> WebAnswer:
        """GET the page as a browser does, without credentials; any HTTP status is an answer.

        Raises ProviderError when nothing answers.
        """
        ...
