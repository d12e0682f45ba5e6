"""Status pages of the providers beside the platform."""

from __future__ import annotations

from urllib.parse import urlsplit

from uscdr.assembly.job import Job
from uscdr.assembly.ports import Ports
from uscdr.providers.http import open_client, trust
from uscdr.providers.ports.web import ServiceStatus
from uscdr.providers.status import STATUSPAGE, StatusPage
from uscdr.scenarios.deps import MediaPlace

GITHUB, GITHUB_PAGE = "github.com", "https://www.githubstatus.com"


def other_pages(job: Job, ports: Ports, media: MediaPlace | None) -> dict[str, ServiceStatus]:
    """By the provider's name; a repository elsewhere than on GitHub has a page only when one is configured."""
    pages: dict[str, ServiceStatus] = {"Cloudinary": media.status} if media else {}
    source = job.place.config.app.source
    if source is None:
        return pages
    host = urlsplit(source.git).hostname or ""
    address = source.status_url or (GITHUB_PAGE if host == GITHUB else "")
    if address:
        client = open_client(address, provider="source", verify=trust(job.place.ca_file), read_only=True)
        pages["GitHub" if host == GITHUB else host] = StatusPage(
            ports.stack.enter_context(client), STATUSPAGE, service="source"
        )
    return pages
