"""The operator's maintenance page: where it is written, and its public address."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uscdr.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from uscdr.providers.ports.pages import PageSpace, PublicPage
    from uscdr.scenarios.config_page import MaintenancePage
    from uscdr.wiring.target import Target


@dataclass(frozen=True)
class PageAccess:
    """The page of one application; `application` is its name for people."""

    application: str
    settings: MaintenancePage
    space: PageSpace
    public: PublicPage


@contextmanager
def page_access(target: Target, env: Mapping[str, str]) -> Iterator[PageAccess | None]:
    """The page of the target; None when scenarios.yaml names none. Sends nothing, and closes connections at the end.

    Raises BadInput for a location that cannot be opened, and for a platform on this machine whose page is elsewhere.
    """
    settings = target.config.maintenance_page
    if settings is None:
        yield None
        return
    from uscdr.providers.http.transport import is_loopback
    from uscdr.providers.probes.public_page import PublicPageReader
    from uscdr.store.location import open_page

    is_drill = target.identity or is_loopback(target.services.heroku.api_url)
    if is_drill and ("://" in settings.to or not is_loopback(settings.url)):
        raise _elsewhere()
    space = open_page(settings.folder, settings.name, env)
    with PublicPageReader(settings.url, ca_file=target.ca_file) as public:
        yield PageAccess(target.config.app.name, settings, space, public)


def _elsewhere() -> BadInput:
    """A drill never writes what users read."""
    return BadInput(
        "uscdr did not open the maintenance page: the sandbox names one outside this machine.",
        why="A drill must not change what users read.",
        next_action="Name a directory of this machine and its address on loopback, or restart the sandbox: "
        "uscdr sandbox down && uscdr sandbox up",
    )
