"""The media service as its request handlers see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from uscdr.sandbox.media.accounts import CLOUDS
from uscdr.sandbox.media.library import Library
from uscdr.sandbox.media.status_page import StatusPage

if TYPE_CHECKING:
    from uscdr.sandbox.faults.rules import FaultRules


@dataclass(frozen=True)
class MediaService:
    """`url` is plain HTTP without a trailing slash, for the API, delivery and the status page alike."""

    library: Library
    faults: FaultRules
    url: str
    status: StatusPage = field(default_factory=StatusPage)

    def contract(self) -> dict[str, Any]:
        """What a client needs: the first cloud's name, key and secret, the addresses, and every cloud's own."""
        accounts = [one.document() for one in self.library.accounts.all()]
        addresses = {"api_url": self.url, "delivery_url": self.url, "status_url": self.url}
        return {**accounts[0], **addresses, "accounts": accounts}

    def config(self) -> dict[str, str]:
        """What an application that stores its files here has in its config vars."""
        account = self.library.accounts.get(CLOUDS[0])
        return {
            "USE_CLOUDINARY": "True",
            "CLOUDINARY_CLOUD_NAME": account.cloud,
            "CLOUDINARY_API_KEY": account.api_key,
            "CLOUDINARY_API_SECRET": account.api_secret,
            "CLOUDINARY_API_URL": self.url,
            "CLOUDINARY_DELIVERY_URL": self.url,
        }


def open_service(root: Path, faults: FaultRules, url: str) -> MediaService:
    """A service with its two clouds, both empty."""
    service = MediaService(Library(root), faults, url)
    for cloud in CLOUDS:
        service.library.accounts.create(cloud)
    return service


def service_of(request: Request) -> MediaService:
    """The service that answers this request."""
    service: MediaService = request.app.state.service
    return service
