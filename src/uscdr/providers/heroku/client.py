"""Heroku's two HTTP APIs: authentication, versions, pages, one retry loop and one error mapper.

Source: Platform API reference (v3), and the data API `/client/v11` as the official client uses it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar, Unpack
from urllib.parse import unquote

import httpx
from pydantic import SecretStr, ValidationError

from uscdr.errors import ApplicationGone, Conflict, CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.providers.http.client import BearerClient, ClientOptions, require_private
from uscdr.providers.http.exchange import HttpCall, Pages, Reply
from uscdr.providers.http.json import ShapeError, distinct, items
from uscdr.providers.http.refusal import AnswerReading, Provider, Refusal, clean
from uscdr.words import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from uscdr.write_guard import WriteGuard

# Maps Heroku's errors to ours, by the `id` of the error body, then by the status.


PROVIDER = "Heroku"
HEROKU = Provider(PROVIDER, "Check status.heroku.com, then run the command again when Heroku has recovered.")

HOW_TO_GET_ACCESS = (
    "Get a token with `heroku login` and `heroku auth:token` (or Account settings, API Key, in the dashboard) "
    "and set HEROKU_API_KEY to it."
)
_DASHBOARD = "Log in at dashboard.heroku.com and complete what it asks for, then run the command again."


_BY_ID: Mapping[str, Refusal] = {
    "bad_request": Refusal(ProviderError, "it did not understand the request", "Report this with the request id."),
    "unauthorized": Refusal(CredentialsRefused, "the token is not valid", HOW_TO_GET_ACCESS),
    "delinquent": Refusal(
        ProviderError, "the account has unpaid invoices", "Pay under Account, Billing, at dashboard.heroku.com."
    ),
    "forbidden": Refusal(
        CredentialsRefused,
        "this account does not have permission",
        "Ask the app's owner to run `heroku access:add` for this account, or set HEROKU_API_KEY to the token of "
        "a collaborator.",
    ),
    "suspended": Refusal(
        CredentialsRefused,
        "the account or app is suspended",
        "Open a ticket at help.heroku.com. To recover without Heroku, use the escape kit.",
    ),
    "two_factor": Refusal(
        CredentialsRefused,
        "the account requires a second factor",
        "Create a token with `heroku authorizations:create` and set HEROKU_API_KEY to it.",
    ),
    "not_found": Refusal(NotFound, "", "Check the name and that this account can see it."),
    "not_acceptable": Refusal(
        ProviderError, "it does not support the requested API version", "Check the API address of the target."
    ),
    "conflict": Refusal(
        Conflict,
        "its current state does not allow that",
        "Check the app in the dashboard, wait, then run the command again.",
    ),
    "gone": Refusal(NotFound, "it was deleted", "Check the name, or use what replaced it."),
    "requested_range_not_satisfiable": Refusal(
        ProviderError, "it does not support that sort order", "Report this with the request id."
    ),
    "invalid_params": Refusal(ProviderError, "it does not accept the values sent", "Check the values in the plan."),
    "verification_needed": Refusal(ProviderError, "the account has no verified card", _DASHBOARD),
    "verification_required": Refusal(ProviderError, "the account has no verified card", _DASHBOARD),
    "confirmation_required": Refusal(
        Conflict, "it requires the app's name as confirmation", "Do this step in the dashboard and confirm it there."
    ),
    "addon_error": Refusal(
        ProviderError,
        "the add-on's provider refused it",
        "Read the reason. If the plan was discontinued, choose another plan in scenarios.yaml.",
    ),
    "rate_limit": Refusal(
        RateLimited, "the hourly request quota is used up", "Wait a minute, then run the command again."
    ),
}

_NO_APP = Refusal(ApplicationGone, "", ApplicationGone.way(kit=False))
"""An app that is gone, or that this account cannot see: Heroku does not tell one from the other."""

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

_RESOURCES: Mapping[str, str] = {"add_on": "add-on", "add_on attachment": "add-on attachment", "ps": "dyno"}


def _refusal(reply: Reply, call: HttpCall, leave: WriteGuard) -> ProviderError:
    """The error for any answer that is not a 2xx."""
    body = reply.fields()
    by_status = _ID_BY_STATUS.get(reply.status, "bad_request")
    error_id = _error_id(body) or by_status
    row = _BY_ID.get(error_id) or _BY_ID[by_status]
    if row is _BY_ID["not_found"] and body.get("resource") == "app":
        row = _NO_APP
    says = row.says or f"it has no such {_resource(body)}"
    quote = _quote(body, call.hide)
    remaining = whole(reply.headers.get("RateLimit-Remaining"))
    if row.kind is RateLimited and remaining is not None:
        quote = f"{quote} {remaining} requests remain."
    own = isinstance(body.get("id"), str)
    return HEROKU.refused(reply, call, AnswerReading(row, own, says, quote, error_id), leave)


_APP_PATH = re.compile(r"(?:/client/v11)?/apps/([^/?]+)")


def _app_of(call: HttpCall) -> str:
    """The application that the call is about; empty if it names none."""
    found = _APP_PATH.match(call.path)
    if found is not None:
        return unquote(found[1])
    named = call.body.get("app") if isinstance(call.body, dict) else None
    return named if isinstance(named, str) else ""


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
    """One call to Heroku: `what` in words, the path, and what is sent with it.

    `data` chooses the data API. `sdk` requests the response format of version 3.sdk. `range_` is a `Range` header.
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
        """The request as it is sent; the connection adds the token."""
        headers = {"Accept": ACCEPT_SDK if self.sdk else ACCEPT, **self.headers}
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        if self.range_ is not None:
            headers["Range"] = self.range_
        return HttpCall(self.what, self.method, self.path, self.writes, self.body, headers, (token, *self.hide))


class HerokuClient(BearerClient):
    """Sends requests to both APIs.

    Raises `ConfigError` for an address that would send the token unencrypted, and `CredentialsRefused` for a malformed
    token.
    """

    def __init__(self, api_url: str, data_url: str, token: SecretStr, **wiring: Unpack[ClientOptions]) -> None:
        self._urls = {
            False: require_private(api_url, "The Heroku API"),
            True: require_private(data_url, "The data API"),
        }
        super().__init__(PROVIDER, token, HOW_TO_GET_ACCESS, **wiring)
        self.without_app: Callable[[], str] = lambda: _NO_APP.next_action
        """What helps when the application does not exist; whoever knows the target knows more."""
        self.rate_remaining: int | None = None
        """Requests left in the account's quota, by the last answer that said so; None before that."""

    def ask(self, ask: HerokuCall, decode: Callable[[object], T]) -> T:
        """Send, retry as the call allows, decode the JSON body.

        `decode` raises `ShapeError` for an undocumented body: a read is retried, a write raises `AnswerLost`.
        """
        return self.patience.call(lambda: self.once(ask, decode)[0], writes=ask.writes)

    def once(self, ask: HerokuCall, decode: Callable[[object], T]) -> tuple[T, Reply]:
        """Send one request, without a retry."""
        call = ask.call(self.token)
        reply = self.exchange(self._urls[ask.data], call)
        self._note_rate(reply)
        if not httpx.codes.is_success(reply.status):
            raise self._refused(reply, call)
        try:
            return decode(_json(reply, call)), reply
        except ShapeError as problem:
            raise HEROKU.unreadable(reply, call, str(problem)) from None
        except ValidationError:
            # A model is stricter than its decoder, and its error quotes the value: do not repeat it.
            raise HEROKU.unreadable(reply, call, "a value is not valid") from None

    def pages(self, ask: HerokuCall, decode: Callable[[object], T]) -> tuple[T, ...]:
        """Every item of a list: follows `Next-Range` through all pages. A read."""
        try:
            return tuple(item for page in self._each_page(ask, decode) for item in page)
        except ProviderError as error:
            if ask.range_ is None or error.status != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            # Not every list documents its sort keys; each has a default order.
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
                raise HEROKU.unreadable(
                    reply, ask.call(self.token), "the list is incomplete and does not name its next page"
                )
            if not following:
                return
            if not pages.go_on(following, page):
                raise _endless(ask)
            ask = replace(ask, range_=following)

    def _refused(self, reply: Reply, call: HttpCall) -> ProviderError:
        error, app = _refusal(reply, call, self.leave), _app_of(call)
        if not isinstance(error, ApplicationGone) or not app:
            return error
        return ApplicationGone.of(app, error, self.without_app())

    def _note_rate(self, reply: Reply) -> None:
        remaining = whole(reply.headers.get("RateLimit-Remaining"))
        if remaining is not None:
            self.rate_remaining = remaining


def _json(reply: Reply, call: HttpCall) -> object:
    """The body. Only a write may have an empty one, when its status says so: a read without a body is an error."""
    if reply.status == httpx.codes.NO_CONTENT and call.writes:
        return {}
    try:
        return distinct(reply.json())
    except ValueError:
        raise ShapeError("the body is not JSON") from None


def _endless(ask: HerokuCall) -> ProviderError:
    return ProviderError(
        f"{PROVIDER} returned a list without an end when asked to {ask.what}.",
        provider=PROVIDER,
        why=f"{ask.method} {ask.path} repeated its pages or returned too many.",
        next_action="Check status.heroku.com, then run the command again later.",
    )
