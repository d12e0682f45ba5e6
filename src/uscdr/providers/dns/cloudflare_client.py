"""Cloudflare's HTTP API: authentication, envelope, pages, one retry loop.

Source: Cloudflare API v4, "List Zones", "DNS Records" (list, create, edit, delete, batch).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, Unpack
from urllib.parse import urlencode, urlsplit

import httpx
from pydantic import SecretStr

from uscdr.errors import ProviderError
from uscdr.providers.api_client import BearerClient, Wiring
from uscdr.providers.dns.cloudflare_errors import CLOUDFLARE, HOW_TO_GET_ACCESS, PROVIDER, refusal
from uscdr.providers.exchange import Call, Reply
from uscdr.providers.http import require_private
from uscdr.providers.json_fields import ShapeError, items, nested, optional_number
from uscdr.providers.pages import Pages
from uscdr.providers.refusal import unreadable

T = TypeVar("T")

BASE_URL = "https://api.cloudflare.com/client/v4"
PAGE = 100
"""Records a page; the API takes more, and no name has as many."""
MAX_PAGES = 100


@dataclass(frozen=True)
class Ask:
    """One call: `what` in words, where below the base URL, and what goes with it."""

    what: str
    method: str
    path: str
    body: object = field(default=None, repr=False)

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"


class CloudflareClient(BearerClient):
    """Sends requests.

    Raises `ConfigError` for an address that would carry the token in clear text, and `CredentialsRefused`
    for a token that cannot be one.
    """

    def __init__(self, token: SecretStr, *, base_url: str = BASE_URL, **wiring: Unpack[Wiring]) -> None:
        self._url = _with_version(require_private(base_url, "The DNS provider's API"))
        super().__init__(PROVIDER, token, HOW_TO_GET_ACCESS, **wiring)

    def send(self, ask: Ask) -> None:
        """A write; what it answers besides success does not count, for the zone is read afterwards."""
        self.patience.call(lambda: self._once(ask), writes=ask.writes)

    def pages(self, what: str, path: str, query: Mapping[str, str], decode: Callable[[object], T]) -> tuple[T, ...]:
        """Every item of a list, page after page."""
        return tuple(item for page in self._each_page(what, path, query, decode) for item in page)

    def _each_page(
        self, what: str, path: str, query: Mapping[str, str], decode: Callable[[object], T]
    ) -> Iterator[tuple[T, ...]]:
        page, pages = 1, Pages(MAX_PAGES)
        while True:
            counted = urlencode({**query, "page": page, "per_page": PAGE})
            found, last = self._page(Ask(what, "GET", f"{path}?{counted}"), decode)
            yield found
            if page >= last:
                return
            page += 1
            if not pages.go_on(str(page), found):
                raise ProviderError(
                    f"{PROVIDER} never ends the list when asked to {what}.",
                    provider=PROVIDER,
                    why="It repeats its pages, or there is no end of them.",
                    next_action="Run the command again later.",
                )

    def _page(self, ask: Ask, decode: Callable[[object], T]) -> tuple[tuple[T, ...], int]:
        """The items of one page, and how many pages there are."""
        return self.patience.call(lambda: self._decoded(ask, decode), writes=False)

    def _decoded(self, ask: Ask, decode: Callable[[object], T]) -> tuple[tuple[T, ...], int]:
        body, reply, call = self._once(ask)
        try:
            info = nested(body, "result_info")
            return items(body.get("result"), decode), optional_number(info, "total_pages") or 1
        except ShapeError as problem:
            raise unreadable(CLOUDFLARE, reply, call, str(problem)) from None

    def _once(self, ask: Ask) -> tuple[Mapping[str, object], Reply, Call]:
        """Send one request once. Whatever is not a success in its envelope too is an error."""
        headers = {"Accept": "application/json"}
        if ask.body is not None:
            headers["Content-Type"] = "application/json"
        call = Call(ask.what, ask.method, ask.path, ask.writes, ask.body, headers, (self.token,))
        reply = self.exchange(self._url, call)
        body = reply.fields()
        if not httpx.codes.is_success(reply.status) or body.get("success") is False:
            raise refusal(reply, call, body)
        if body.get("success") is not True:
            raise unreadable(CLOUDFLARE, reply, call, "the body is not the API's")
        return body, reply, call


def _with_version(url: str) -> str:
    """An address without a path is taken for the host; the API lives below its version."""
    return url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/client/v4"
