"""Heroku's two HTTP APIs: authentication, versions, pages, one retry loop and one error mapper.

Source: Platform API reference (v3), and the data API `/client/v11` as the official client uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar, Unpack

import httpx
from pydantic import SecretStr, ValidationError

from uscdr.digits import whole
from uscdr.errors import ProviderError
from uscdr.providers.api_client import BearerClient, Wiring
from uscdr.providers.exchange import Call, Reply
from uscdr.providers.heroku.errors import HEROKU, HOW_TO_GET_ACCESS, PROVIDER, refusal
from uscdr.providers.http import require_private
from uscdr.providers.json_fields import ShapeError, distinct, items
from uscdr.providers.pages import Pages
from uscdr.providers.refusal import unreadable

T = TypeVar("T")

ACCEPT = "application/vnd.heroku+json; version=3"
ACCEPT_SDK = "application/vnd.heroku+json; version=3.sdk"
MAX_PAGES = 1000


@dataclass(frozen=True)
class Ask:
    """One call to Heroku: `what` in words, where, and what goes with it.

    `data` chooses the data API. `sdk` asks for the shapes of version 3.sdk. `range_` is a `Range` header.
    """

    what: str
    method: str
    path: str
    data: bool = False
    writes: bool = False
    body: object = field(default=None, repr=False)
    sdk: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    range_: str | None = None
    hide: tuple[SecretStr, ...] = ()

    def call(self, token: SecretStr) -> Call:
        """The request as it goes out; the token is added by the connection."""
        headers = {"Accept": ACCEPT_SDK if self.sdk else ACCEPT, **self.headers}
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        if self.range_ is not None:
            headers["Range"] = self.range_
        return Call(self.what, self.method, self.path, self.writes, self.body, headers, (token, *self.hide))


class HerokuClient(BearerClient):
    """Sends requests to both APIs.

    Raises `ConfigError` for an address that would carry the token in clear text, and `CredentialsRefused`
    for a token that cannot be one.
    """

    def __init__(self, api_url: str, data_url: str, token: SecretStr, **wiring: Unpack[Wiring]) -> None:
        self._urls = {
            False: require_private(api_url, "The Heroku API"),
            True: require_private(data_url, "The data API"),
        }
        super().__init__(PROVIDER, token, HOW_TO_GET_ACCESS, **wiring)
        self.rate_remaining: int | None = None
        """Requests left in the account's pool as the last answer told; None when none told."""

    def ask(self, ask: Ask, decode: Callable[[object], T]) -> T:
        """Send, retry as the call allows, decode the JSON body.

        `decode` raises `ShapeError` for a body that is not as documented: retried for a read, `AnswerLost`
        for a write.
        """
        return self.patience.call(lambda: self.once(ask, decode)[0], writes=ask.writes)

    def once(self, ask: Ask, decode: Callable[[object], T]) -> tuple[T, Reply]:
        """Send one request once, whatever happens."""
        call = ask.call(self.token)
        reply = self.exchange(self._urls[ask.data], call)
        self._note_rate(reply)
        if not httpx.codes.is_success(reply.status):
            raise refusal(reply, call)
        try:
            return decode(_json(reply, call)), reply
        except ShapeError as problem:
            raise unreadable(HEROKU, reply, call, str(problem)) from None
        except ValidationError:
            # A model is stricter than its decoder; the error quotes the value.
            raise unreadable(HEROKU, reply, call, "a value is not acceptable") from None

    def pages(self, ask: Ask, decode: Callable[[object], T]) -> tuple[T, ...]:
        """Every item of a list, all its pages followed by `Next-Range`; a read."""
        try:
            return tuple(item for page in self._each_page(ask, decode) for item in page)
        except ProviderError as error:
            if ask.range_ is None or error.status != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            # Not every list says by what it can be ordered; all have an order of their own.
            return self.pages(replace(ask, range_=None), decode)

    def page(self, ask: Ask, decode: Callable[[object], T]) -> tuple[T, ...]:
        """The items of one page only."""
        return self.ask(ask, lambda body: items(body, decode))

    def _each_page(self, ask: Ask, decode: Callable[[object], T]) -> Iterator[tuple[T, ...]]:
        pages = Pages(MAX_PAGES)
        while True:
            attempt = partial(self.once, ask, partial(items, decode=decode))
            page, reply = self.patience.call(attempt, writes=False)
            yield page
            following = reply.headers.get("Next-Range")
            if not following and reply.status == httpx.codes.PARTIAL_CONTENT:
                raise unreadable(
                    HEROKU, reply, ask.call(self.token), "the list is cut, and does not tell where it goes on"
                )
            if not following:
                return
            if not pages.go_on(following, page):
                raise _endless(ask)
            ask = replace(ask, range_=following)

    def _note_rate(self, reply: Reply) -> None:
        remaining = whole(reply.headers.get("RateLimit-Remaining"))
        if remaining is not None:
            self.rate_remaining = remaining


def _json(reply: Reply, call: Call) -> object:
    """The body; an empty one only of a write whose status says that there is none: a read without one told nothing."""
    if reply.status == httpx.codes.NO_CONTENT and call.writes:
        return {}
    try:
        return distinct(reply.json())
    except ValueError:
        raise ShapeError("the body is not JSON") from None


def _endless(ask: Ask) -> ProviderError:
    return ProviderError(
        f"{PROVIDER} never ends the list when asked to {ask.what}.",
        provider=PROVIDER,
        why=f"{ask.method} {ask.path} repeats its pages, or there is no end of them.",
        next_action="See status.heroku.com; run the command again later.",
    )
