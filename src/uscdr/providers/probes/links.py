"""Adapter of the port `Links`: whether a page answers. HEAD, then GET where that is refused; no body is read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpx

from uscdr.models.probes import LinkAnswer
from uscdr.providers.http.client import trust
from uscdr.providers.http.exchange import NetworkFailure
from uscdr.providers.http.transport import is_loopback, open_client

if TYPE_CHECKING:
    from pathlib import Path

PROVIDER = "the page's server"
REDIRECTS = 5
"""Redirects that are followed, to http and https alone."""
NO_HEAD = (403, 404, 405, 501)
"""Answers to HEAD that some servers give although they have the page."""
TIMEOUT = 10.0
"""Seconds of silence."""


class LinkProbe:
    """Sends no credentials and keeps no cookies; `ca_file` (PEM) is trusted beside the usual roots."""

    def __init__(self, *, ca_file: Path | None = None, timeout: float = TIMEOUT) -> None:
        self._verify = trust(ca_file)
        self._timeout = timeout

    def look(self, url: str) -> LinkAnswer:
        """Follow the address to its end."""
        at = url
        for _ in range(REDIRECTS + 1):
            try:
                status, there = self._ask(at)
            except httpx.HTTPError as error:
                return LinkAnswer(url=url, at=at, problem=NetworkFailure(error).words)
            except (httpx.InvalidURL, UnicodeError, ValueError):
                return LinkAnswer(url=url, at=at, problem="the address is malformed")
            if not there:
                return LinkAnswer(url=url, at=at, status=status)
            if problem := _unfit(at, there):
                return LinkAnswer(url=url, at=at, status=status, problem=problem)
            at = there
        return LinkAnswer(url=url, at=at, problem=f"more than {REDIRECTS} redirects")

    def _ask(self, url: str) -> tuple[int, str]:
        """The status, and the address of a redirect. Raises httpx.HTTPError."""
        with open_client(url, provider=PROVIDER, verify=self._verify, read_only=True) as client:
            client.timeout = httpx.Timeout(self._timeout)
            status, there = _sent(client, "HEAD", url)
            client.cookies.clear()
            return _sent(client, "GET", url) if status in NO_HEAD else (status, there)


def _sent(client: httpx.Client, method: str, url: str) -> tuple[int, str]:
    with client.stream(method, url) as response:
        place = response.headers.get("Location", "") if response.is_redirect else ""
        return response.status_code, urljoin(url, place) if place else ""


def _unfit(at: str, there: str) -> str:
    """Why a redirect is not followed; empty when it is."""
    if urlsplit(there).scheme not in ("http", "https"):
        return "it redirects to an address that is no web page"
    if is_loopback(there) and not is_loopback(at):
        return "it redirects to this machine"
    return ""
