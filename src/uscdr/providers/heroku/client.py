"""Heroku's two HTTP APIs: authentication, versions, pages, one retry loop and one error mapper.

Source: Platform API reference (v3), and the data API `/client/v11` as the official client uses it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar, Unpack

import httpx
from pydantic import SecretStr, ValidationError

from uscdr.digits import whole
from uscdr.errors import Conflict, CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.providers.http.client import BearerClient, ClientOptions, require_private
from uscdr.providers.http.exchange import HttpCall, Pages, Reply
from uscdr.providers.http.json import ShapeError, distinct, items
from uscdr.providers.http.refusal import AnswerReading, Provider, Refusal, clean, refused, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# Heroku's refusals as our errors: the table, keyed on the `id` of the error body, then on the status.


PROVIDER = "Heroku"
HEROKU = Provider(PROVIDER, "See status.heroku.com; run the command again when it is well.")

HOW_TO_GET_ACCESS = (
    "Get a token with `heroku login` and `heroku auth:token` (or Account settings, API Key, in the dashboard) "
    "and set HEROKU_API_KEY to it."
)
_DASHBOARD = "Log in at dashboard.heroku.com and settle what it asks for, then run the command again."


_BY_ID: Mapping[str, Refusal] = {
    "bad_request": Refusal(ProviderError, "it did not understand the request", "Report this with the request id."),
    "unauthorized": Refusal(CredentialsRefused, "the token is not valid", HOW_TO_GET_ACCESS),
    "delinquent": Refusal(
        ProviderError, "the account has unpaid invoices", "Pay under Account, Billing, at dashboard.heroku.com."
    ),
    "forbidden": Refusal(
        CredentialsRefused,
        "this account has no right to do that",
        "Ask the owner to add this account as a collaborator, or use the token of one who has the right.",
    ),
    "suspended": Refusal(
        CredentialsRefused, "the account or app is suspended", "Open a ticket at help.heroku.com; use the escape kit."
    ),
    "two_factor": Refusal(
        CredentialsRefused,
        "the account wants a second factor for this",
        "Use a token made by `heroku authorizations:create`, and set HEROKU_API_KEY to it.",
    ),
    "not_found": Refusal(NotFound, "", "Check the name, and that this account can see it."),
    "not_acceptable": Refusal(
        ProviderError, "it does not speak the version asked for", "Check the API address of the target."
    ),
    "conflict": Refusal(Conflict, "its present state forbids that", "Look at the app, wait, and try again."),
    "gone": Refusal(NotFound, "it is gone for good", "Check the name; look for its successor."),
    "requested_range_not_satisfiable": Refusal(
        ProviderError, "it does not list in that order", "Report this with the request id."
    ),
    "invalid_params": Refusal(ProviderError, "it does not accept the values sent", "Check the values in the plan."),
    "verification_needed": Refusal(ProviderError, "the account has no verified card", _DASHBOARD),
    "verification_required": Refusal(ProviderError, "the account has no verified card", _DASHBOARD),
    "confirmation_required": Refusal(
        Conflict, "it wants the name of the app as confirmation", "Do this step by hand and confirm it there."
    ),
    "addon_error": Refusal(
        ProviderError,
        "the add-on's provider refused",
        "Read the reason; if the plan has ended, choose another in the configuration.",
    ),
    "rate_limit": Refusal(RateLimited, "the hourly quota of requests is used up", "Wait a minute, then go on."),
}

_ID_BY_STATUS: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    402: "delinquent",
    403: "forbidden",
    404: "not_found",
    406: "not_acceptable",
    409: "conflict",
    410: "gone",
    416: "requested_range_not_satisfiable",
    422: "invalid_params",
    429: "rate_limit",
}

_RESOURCES: Mapping[str, str] = {
    "add_on": "add-on",
    "add_on attachment": "add-on attachment",
    "ps": "dyno",
}


def _refusal(reply: Reply, call: HttpCall) -> ProviderError:
    """The error for any answer that is not a 2xx."""
    body = reply.fields()
    by_status = _ID_BY_STATUS.get(reply.status, "bad_request")
    error_id = _error_id(body) or by_status
    row = _BY_ID.get(error_id) or _BY_ID[by_status]
    says = row.says or f"it knows no such {_resource(body)}"
    quote = _quote(body, call.hide)
    remaining = whole(reply.headers.get("RateLimit-Remaining"))
    if row.kind is RateLimited and remaining is not None:
        quote = f"{quote} {remaining} requests remain."
    own = isinstance(body.get("id"), str)
    return refused(HEROKU, reply, call, AnswerReading(row, own, says, quote, error_id))


def retold(error: ProviderError, kind: type[ProviderError], message: str, next_action: str) -> ProviderError:
    """The same refusal in better words, for a caller that knows what the provider's sentence means."""
    return kind(
        message,
        provider=PROVIDER,
        why=error.why,
        next_action=next_action,
        status=error.status,
        error_id=error.error_id,
        request_id=error.request_id,
    )


def _error_id(body: Mapping[str, object]) -> str:
    value = body.get("id")
    return value if isinstance(value, str) and re.fullmatch(r"[a-z_0-9]{1,60}", value) else ""


def _resource(body: Mapping[str, object]) -> str:
    resource = str(body.get("resource") or "name")
    return clean(_RESOURCES.get(resource, resource.replace("_", " ")))


def _quote(body: Mapping[str, object], hide: tuple[SecretStr, ...]) -> str:
    text = clean(str(body.get("message") or ""), hide)
    return f': "{text}"' if text else "."


T = TypeVar("T")

ACCEPT = "application/vnd.heroku+json; version=3"
ACCEPT_SDK = "application/vnd.heroku+json; version=3.sdk"
MAX_PAGES = 1000


@dataclass(frozen=True)
class HerokuCall:
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

    def call(self, token: SecretStr) -> HttpCall:
        """The request as it goes out; the token is added by the connection."""
        headers = {"Accept": ACCEPT_SDK if self.sdk else ACCEPT, **self.headers}
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        if self.range_ is not None:
            headers["Range"] = self.range_
        return HttpCall(self.what, self.method, self.path, self.writes, self.body, headers, (token, *self.hide))


class HerokuClient(BearerClient):
    """Sends requests to both APIs.

    Raises `ConfigError` for an address that would carry the token in clear text, and `CredentialsRefused`
    for a token that cannot be one.
    """

    def __init__(self, api_url: str, data_url: str, token: SecretStr, **wiring: Unpack[ClientOptions]) -> None:
        self._urls = {
            False: require_private(api_url, "The Heroku API"),
            True: require_private(data_url, "The data API"),
        }
        super().__init__(PROVIDER, token, HOW_TO_GET_ACCESS, **wiring)
        self.rate_remaining: int | None = None
        """Requests left in the account's pool as the last answer told; None when none told."""

    def ask(self, ask: HerokuCall, decode: Callable[[object], T]) -> T:
        """Send, retry as the call allows, decode the JSON body.

        `decode` raises `ShapeError` for a body that is not as documented: retried for a read, `AnswerLost`
        for a write.
        """
        return self.patience.call(lambda: self.once(ask, decode)[0], writes=ask.writes)

    def once(self, ask: HerokuCall, decode: Callable[[object], T]) -> tuple[T, Reply]:
        """Send one request once, whatever happens."""
        call = ask.call(self.token)
        reply = self.exchange(self._urls[ask.data], call)
        self._note_rate(reply)
        if not httpx.codes.is_success(reply.status):
            raise _refusal(reply, call)
        try:
            return decode(_json(reply, call)), reply
        except ShapeError as problem:
            raise unreadable(HEROKU, reply, call, str(problem)) from None
        except ValidationError:
            # A model is stricter than its decoder; the error quotes the value.
            raise unreadable(HEROKU, reply, call, "a value is not acceptable") from None

    def pages(self, ask: HerokuCall, decode: Callable[[object], T]) -> tuple[T, ...]:
        """Every item of a list, all its pages followed by `Next-Range`; a read."""
        try:
            return tuple(item for page in self._each_page(ask, decode) for item in page)
        except ProviderError as error:
            if ask.range_ is None or error.status != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            # Not every list says by what it can be ordered; all have an order of their own.
            return self.pages(replace(ask, range_=None), decode)

    def page(self, ask: HerokuCall, decode: Callable[[object], T]) -> tuple[T, ...]:
        """The items of one page only."""
        return self.ask(ask, lambda body: items(body, decode))

    def _each_page(self, ask: HerokuCall, decode: Callable[[object], T]) -> Iterator[tuple[T, ...]]:
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


def _json(reply: Reply, call: HttpCall) -> object:
    """The body; an empty one only of a write whose status says that there is none: a read without one told nothing."""
    if reply.status == httpx.codes.NO_CONTENT and call.writes:
        return {}
    try:
        return distinct(reply.json())
    except ValueError:
        raise ShapeError("the body is not JSON") from None


def _endless(ask: HerokuCall) -> ProviderError:
    return ProviderError(
        f"{PROVIDER} never ends the list when asked to {ask.what}.",
        provider=PROVIDER,
        why=f"{ask.method} {ask.path} repeats its pages, or there is no end of them.",
        next_action="See status.heroku.com; run the command again later.",
    )
