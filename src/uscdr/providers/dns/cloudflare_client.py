"""Cloudflare's HTTP API: authentication, envelope, pages, one retry loop.

Source: Cloudflare API v4, "List Zones", "DNS Records" (list, create, edit, delete, batch).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx
from pydantic import SecretStr

from uscdr.errors import CredentialsRefused, ProviderError
from uscdr.providers.dns.cloudflare_errors import HOW_TO_GET_ACCESS, PROVIDER, refusal, unreadable
from uscdr.providers.exchange import Call, Reply, exchange
from uscdr.providers.heroku.fields import ShapeError, items, nested, optional_number, record
from uscdr.providers.http import Record, open_client, require_private, trust
from uscdr.providers.retry import OnWait, Patience, RetryPolicy

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


class CloudflareClient:
    """Sends requests. Thread-safe; `close()` it, or use it as a context.

    Raises `ConfigError` for an address that would carry the token in clear text.
    """

    def __init__(
        self,
        token: SecretStr,
        *,
        base_url: str = BASE_URL,
        ca_file: Path | None = None,
        read_only: bool,
        stop: threading.Event | None = None,
        on_wait: OnWait | None = None,
        record: Record | None = None,
        policy: RetryPolicy | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._token = _usable(token)
        url = require_private(base_url, "The DNS provider's API")
        self._patience = Patience(policy=policy, stop=stop, on_wait=on_wait, sleep=sleep)
        verify = trust(ca_file)
        self._clients = {
            for_writes: open_client(
                _with_version(url),
                provider=PROVIDER,
                verify=verify,
                read_only=read_only,
                record=record,
                headers={"Authorization": f"Bearer {self._token.get_secret_value()}"},
                for_writes=for_writes,
            )
            for for_writes in (False, True)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            client.close()

    def send(self, ask: Ask) -> None:
        """A write; what it answers besides success does not count, for the zone is read afterwards."""
        self._patience.call(lambda: self._once(ask), writes=ask.writes)

    def pages(self, what: str, path: str, query: Mapping[str, str], decode: Callable[[object], T]) -> tuple[T, ...]:
        """Every item of a list, page after page."""
        return tuple(item for page in self._each_page(what, path, query, decode) for item in page)

    def _each_page(
        self, what: str, path: str, query: Mapping[str, str], decode: Callable[[object], T]
    ) -> Iterator[tuple[T, ...]]:
        for page in range(1, MAX_PAGES + 1):
            counted = urlencode({**query, "page": page, "per_page": PAGE})
            ask = Ask(what, "GET", f"{path}?{counted}")
            found, last = self._patience.call(lambda ask=ask: self._page(ask, decode), writes=False)  # type: ignore[misc] # a default binds the loop's value
            yield found
            if page >= last:
                return
        raise ProviderError(
            f"{PROVIDER} never ends the list when asked to {what}.",
            provider=PROVIDER,
            next_action="Run the command again later.",
        )

    def _page(self, ask: Ask, decode: Callable[[object], T]) -> tuple[tuple[T, ...], int]:
        body, reply, call = self._once(ask)
        try:
            info = nested(body, "result_info")
            return items(body.get("result"), decode), optional_number(info, "total_pages") or 1
        except ShapeError as problem:
            raise unreadable(reply, call, str(problem)) from None

    def _once(self, ask: Ask) -> tuple[Mapping[str, object], Reply, Call]:
        """Send one request once. Whatever is not a success in its envelope too is an error."""
        headers = {"Accept": "application/json"}
        if ask.body is not None:
            headers["Content-Type"] = "application/json"
        call = Call(ask.what, ask.method, ask.path, ask.writes, ask.body, headers, (self._token,))
        reply = exchange(self._clients[ask.writes], call, provider=PROVIDER)
        try:
            body = record(reply.json())
        except ValueError:
            body = {}
        if not httpx.codes.is_success(reply.status) or body.get("success") is False:
            raise refusal(reply, call, body)
        if body.get("success") is not True:
            raise unreadable(reply, call, "the body is not the API's")
        return body, reply, call


def _with_version(url: str) -> str:
    """An address without a path is taken for the host; the API lives below its version."""
    return url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/client/v4"


def _usable(token: SecretStr) -> SecretStr:
    value = token.get_secret_value()
    if value and value.isascii() and value.isprintable() and " " not in value:
        return token
    raise CredentialsRefused(
        "The Cloudflare token is empty or holds characters that no token has.",
        provider=PROVIDER,
        next_action=HOW_TO_GET_ACCESS,
        sent=False,
    )
