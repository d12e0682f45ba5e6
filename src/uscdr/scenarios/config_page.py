"""The section `maintenance_page` of scenarios.yaml: the operator's page that users see while the application is down.

The platform shows it in maintenance mode (config variable `MAINTENANCE_PAGE_URL`). uscdr writes only its content.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from uscdr.models.base import Destination, Fact
from uscdr.scenarios.config_targets import Address
from uscdr.settings import is_loopback_host

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_INDEX = "index.html"
_PAGES = (".html", ".htm")


def _public(text: str) -> str:
    """An address that browsers show inside an https page. Raises ValueError."""
    parts = urlsplit(text)
    if parts.scheme == "http" and not is_loopback_host(parts.hostname or ""):
        raise ValueError("write an https:// address: browsers block an http:// page inside the platform's https page")
    if parts.query or parts.fragment:
        raise ValueError("write the address of one page, without ? and #")
    return text


def _zone(name: str) -> str:
    """The name of a time zone. Raises ValueError."""
    from zoneinfo import ZoneInfo  # only a file with a page needs it

    try:
        return ZoneInfo(name).key
    except (OSError, ValueError, KeyError):  # the name of a directory, of a path, of no zone
        raise ValueError(f"{name!r} is not a time zone; write a name such as Asia/Manila") from None


class MaintenancePage(Fact):
    """`url`: where everybody sees the page. `to`: where uscdr writes it, a directory or `s3://BUCKET/PREFIX`.

    If `to` ends in `.html`, it is the file or object itself. Otherwise its name is the last part of `url`.
    """

    url: Annotated[Address, AfterValidator(_public), Destination()]
    to: Annotated[str, Field(min_length=1), Destination()]
    cache_seconds: Annotated[int, Field(ge=0, le=600)] = 60
    """How long caches in front of the page may still show the old one."""
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """The users' time zone, for the times on the page."""

    @property
    def folder(self) -> str:
        """The directory, or the bucket with its prefix."""
        return self.to.rpartition("/")[0] if self._names_the_page else self.to

    @property
    def name(self) -> str:
        """The page's file or object in `folder`."""
        text = self.to if self._names_the_page else urlsplit(self.url).path
        return text.rpartition("/")[2] or _INDEX

    @property
    def _names_the_page(self) -> bool:
        return "/" in self.to and self.to.lower().endswith(_PAGES)

    @model_validator(mode="after")
    def _nameable(self) -> MaintenancePage:
        if not _NAME.fullmatch(self.name):
            raise ValueError("the page's file name may have letters, digits, `.`, `_` and `-`; end `to` in such a name")
        return self
